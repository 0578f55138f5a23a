"""A look at a service beside a run that may be at work: what is read at different moments must belong together."""

from __future__ import annotations

from typing import NamedTuple

from scripts.release.journal import Entry, Holder
from scripts.release.memory import remember
from scripts.release.platform import Platform
from scripts.release.situation import Situation, situation

TRIES = 3  # a run at work writes a line every few moments, and then what it just wrote is close enough


class Look(NamedTuple):
    """What one look found."""

    now: Situation
    holder: Holder | None
    newest: Entry | None  # the journal's last line


def look(platform: Platform) -> Look:
    """Where the service stands; takes no lock. Raises ReleaseError.

    A run writes into the journal before and after it writes the route: where lines came meanwhile, a route that it
    wrote itself would look edited by hand. The holder is read before the journal, so that a run which has just ended
    has its end in there.
    """
    entries = platform.journal.read()
    for _ in range(TRIES):
        observed, holder = platform.observe(), platform.holder()
        earlier, entries = entries, platform.journal.read()
        if earlier[-1:] == entries[-1:]:
            break
    return Look(situation(observed, remember(entries)), holder, entries[-1] if entries else None)
