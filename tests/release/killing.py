"""An engine whose process dies at a line of its journal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from scripts.release.journal import Entry
from scripts.release.twin import Twin


class Killed(BaseException):
    """The process is gone: nothing more is written, by no handler of errors either."""


@contextmanager
def killed_behind(twin: Twin, phase: str, step: str) -> Iterator[None]:
    """Whatever runs within dies behind its first journal line of that phase and step."""
    append = twin.journal.append

    def write(entry: Entry) -> None:
        append(entry)
        if (entry.phase, entry.step) == (phase, step):
            twin.journal.append = lambda entry: None  # type: ignore[method-assign]  # the dead write nothing
            raise Killed

    twin.journal.append = write  # type: ignore[method-assign]  # the twin's own fault
    with pytest.raises(Killed):
        yield
    del twin.journal.append
