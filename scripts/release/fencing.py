"""Fencing on a machine: a run whose lock was broken and that wakes later changes nothing.

The highest number seen is kept in a file of its own. Every act holds that file for as long as it takes, so that a
number is never raised under it.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from scripts.release.errors import Fenced, NeedsPerson, ReleaseError

WAIT_S = 2.0  # for another act to end; only a broken lock lets two runs meet here
_POLL_S = 0.02


@contextmanager
def act(path: Path, fence: int) -> Iterator[None]:
    """Change something in the name of run `fence`.

    Raises Fenced where a higher number was seen, NeedsPerson while another run is at it.
    """
    with _held(path) as descriptor:
        highest = _read(descriptor)
        if fence < highest:
            raise Fenced(f"run {fence} lost its lock to run {highest}: it changes nothing more")
        _write(descriptor, fence)
        yield


def highest(path: Path) -> int:
    """The highest number seen."""
    with suppress(FileNotFoundError):
        return int(path.read_bytes().split()[0])
    return 0


def break_lock(path: Path, lock: Path, past: int) -> None:
    """Refuse every number up to `past` from now on, then let the next run make a lock file of its own.

    Raises NeedsPerson, changing nothing, while a run is inside an act: it would end that act whenever it wakes.
    """
    with _held(path) as descriptor:
        _write(descriptor, max(past, _read(descriptor)) + 1)
        lock.unlink(missing_ok=True)


@contextmanager
def _held(path: Path) -> Iterator[int]:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        deadline = time.monotonic() + WAIT_S
        while not _taken(descriptor):
            if time.monotonic() > deadline:
                pid = _words(descriptor)[1]
                raise NeedsPerson(
                    f"process {pid} is inside an act and holds {path.name}: wait for it, or end it (`kill -9 {pid}`); "
                    "nothing was changed"
                )
            time.sleep(_POLL_S)
        yield descriptor
    finally:
        os.close(descriptor)


def _taken(descriptor: int) -> bool:
    with suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


def _read(descriptor: int) -> int:
    return int(_words(descriptor)[0])


def _words(descriptor: int) -> list[str]:
    found = os.pread(descriptor, 64, 0).decode("ascii", "replace").split()
    if not found:
        return ["0", "unknown"]
    if len(found) != 2 or not found[0].isdigit():
        raise ReleaseError(f"the file of fencing numbers says {' '.join(found)!r}; delete it, the journal has them too")
    return found


def _write(descriptor: int, fence: int) -> None:
    os.pwrite(descriptor, f"{fence:>20} {os.getpid():>10}\n".encode(), 0)  # always as long: never half of another one
