"""What a journal of limited size forgets makes no difference: not to the status, and not to any verb that follows."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scripts.release import engine
from scripts.release.engine import Caller
from scripts.release.errors import ReleaseError
from scripts.release.file import ReleaseFile
from scripts.release.journal import Entry
from scripts.release.kubernetes.pruning import RECENT, essential, forgettable
from scripts.release.memory import remember
from scripts.release.route import SLOTS
from scripts.release.status import status
from tests.release.faulty import Faulty, Killed, Trap
from tests.release.verbs import BAD, GOOD, LATE, OTHERS, WIDE, Verb, deploys, do, service

ANN: Final = Caller("ann@laptop", "ticket 7")
VERBS: Final = st.one_of(
    st.sampled_from(deploys(*GOOD, *LATE)), st.sampled_from(deploys(*BAD)), st.sampled_from(OTHERS)
)


class Happens(msgspec.Struct, frozen=True):
    """A verb, the call at which its process is killed (0: at none), and the minutes that pass behind it."""

    verb: Verb
    killed: int
    minutes: int


HAPPENS: Final = st.builds(Happens, VERBS, st.sampled_from([0, 0, 0, 2, 5, 9]), st.sampled_from([0, 1, 40]))


def carry(twin: Faulty, file: ReleaseFile, happens: Happens) -> str:
    """How the verb ended, in words, without the names of runs, which are drawn."""

    def kill() -> None:
        raise Killed

    twin.set_trap(Trap(happens.killed, kill) if happens.killed else None)
    try:
        said = do(twin, file, happens.verb, ANN).words
    except Killed:
        said = "killed"
    except ReleaseError as exc:
        said = f"{type(exc).__name__}: {exc}"
    twin.set_trap(None)
    twin.sleep(60.0 * happens.minutes)
    return said


def pruned(entries: Sequence[Entry], share: float) -> list[Entry]:
    """The journal without so much of it, where so much can go."""
    sizes = [len(msgspec.json.encode(entry)) for entry in entries]
    gone = forgettable(entries, sizes, int(share * sum(sizes)))
    return [entry for position, entry in enumerate(entries) if position not in gone]


def seen(twin: Faulty) -> object:
    """What a status says, and what is done for each slot."""
    now = engine.look(twin)
    found = status(now, twin.holder(), twin.journal.entries[-1] if twin.journal.entries else None)
    return found, {name: slot.release.digest for name, slot in twin.slots.items()}, twin.current.target


@settings(
    max_examples=80,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],  # `file` is never changed
)
@given(
    past=st.lists(HAPPENS, min_size=4, max_size=16),
    then=st.lists(HAPPENS, max_size=5),
    share=st.sampled_from([0.1, 0.3, 0.6, 1.0]),
)
def test_nothing_that_follows_is_different(
    file: ReleaseFile, past: list[Happens], then: list[Happens], share: float
) -> None:
    twin = service()
    for each in past:
        carry(twin, file, each)
    other = twin.clone()
    other.journal.entries[:] = pruned(twin.journal.entries, share)
    assert essential(remember(twin.journal.entries)) == essential(remember(other.journal.entries))
    assert seen(twin) == seen(other)
    for each in then:
        with suppress(StopIteration):
            said, also = carry(twin, file, each), carry(other, file, each)
            names = {entry.run for found in (twin, other) for entry in found.journal.entries}
            for name in names:
                said, also = said.replace(name, "RUN"), also.replace(name, "RUN")
            assert said == also
    assert [twin.current.target, *twin.slots] == [other.current.target, *other.slots]


def released(file: ReleaseFile, count: int) -> Faulty:
    """A service that has seen so many good releases."""
    twin = service()
    for number in range(count):
        twin.behaviours[f"1.{number}"] = WIDE
        engine.deploy(twin, file, f"1.{number}", ANN)
    return twin


def test_old_releases_are_forgotten_whole_and_the_newest_runs_are_kept(file: ReleaseFile) -> None:
    twin = released(file, 20)
    before = list(twin.journal.entries)
    after = pruned(before, 0.5)
    sizes = [sum(len(msgspec.json.encode(entry)) for entry in entries) for entries in (before, after)]
    assert sizes[1] <= sizes[0] / 2
    runs = list(dict.fromkeys(entry.run for entry in before))
    kept = list(dict.fromkeys(entry.run for entry in after))
    assert kept[-RECENT:] == runs[-RECENT:]
    assert all([e for e in before if e.run == run] == [e for e in after if e.run == run] for run in kept)


def test_the_last_version_can_be_started_again_after_everything_old_was_forgotten(file: ReleaseFile) -> None:
    """Also where it went live long ago, and many were tried and refused since."""
    twin = released(file, 2)
    for _ in range(30):
        with suppress(ReleaseError):
            engine.deploy(twin, file, "broken", ANN)
    twin.sleep(3600)
    engine.reap(twin, file, ANN)
    assert [name for name in SLOTS if name in twin.slots] == [engine.look(twin).active.name]
    before = len(twin.journal.entries)
    twin.journal.entries[:] = pruned(twin.journal.entries, 1)
    assert len(twin.journal.entries) < before / 2
    assert engine.rollback(twin, file, ANN).words.startswith("1.0 on")


def test_a_level_that_only_an_old_run_tells_of_keeps_that_run(file: ReleaseFile) -> None:
    """The runs around it are forgotten all the same."""
    twin = released(file, 12)
    level = Entry(0, "", "old", 0, "expand", "ann", "done", step="expand", level=9)
    entries = [level, *twin.journal.entries]
    after = pruned(entries, 1)
    assert after[0] == level
    assert len(after) < len(entries) / 2
