"""Fencing on a machine: a run whose lock was broken and that wakes later changes nothing.

The highest number seen is kept in a file of its own. Every act holds that file for as long as it takes, so that a
number is never raised under it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from scripts.release.errors import Fenced, NeedsPerson, ReleaseError
from scripts.release.flock import taken

WAIT_S = 2.0  # for another act to end; only a broken lock lets two runs meet here
_MOST = 4096  # bytes to read; it has 32


@contextmanager
def act(path: Path, fence: int) -> Iterator[None]:
    """Change something in the name of run `fence`.

    Raises Fenced where a higher number was seen, NeedsPerson while another run is at it.
    """
    with _held(path) as descriptor:
        highest, _ = _read(path, descriptor)
        if fence < highest:
            raise Fenced(f"run {fence} lost its lock to run {highest}: it changes nothing more")
        _write(descriptor, fence)
        yield


def highest(path: Path) -> int:
    """The highest number seen. Raises ReleaseError where the file says something else."""
    with suppress(FileNotFoundError):
        return _parsed(path, path.read_bytes())[0]
    return 0


def break_lock(path: Path, lock: Path, past: int) -> None:
    """Refuse every number up to `past` from now on, then let the next run make a lock file of its own.

    Raises NeedsPerson, changing nothing, while a run is inside an act: it would end that act whenever it wakes.
    """
    with _held(path) as descriptor:
        _write(descriptor, max(past, _read(path, descriptor)[0]) + 1)
        lock.unlink(missing_ok=True)


@contextmanager
def _held(path: Path) -> Iterator[int]:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if not taken(descriptor, WAIT_S):
            pid = _read(path, descriptor)[1]
            raise NeedsPerson(
                f"process {pid} is inside an act and holds {path.name}: wait for it, or end it (`kill -9 {pid}`); "
                "nothing was changed"
            )
        yield descriptor
    finally:
        os.close(descriptor)


def _read(path: Path, descriptor: int) -> tuple[int, str]:
    return _parsed(path, os.pread(descriptor, _MOST, 0))


def _parsed(path: Path, content: bytes) -> tuple[int, str]:
    """The number and its writer. An empty file, or one that a power cut left blank, has none yet."""
    found = content.strip(b"\0").decode("ascii", "replace").split()
    if not found:
        return 0, "unknown"
    if len(found) != 2 or not found[0].isdigit():
        raise ReleaseError(
            f"{path} says {' '.join(found)[:40]!r}, which is no fencing number: `rm {path}`, then do this again; the "
            "journal and the route have the numbers too"
        )
    return int(found[0]), found[1]


def _write(descriptor: int, fence: int) -> None:
    """Put the number on the disk; most acts find it there."""
    line = f"{fence:>20} {os.getpid():>10}\n".encode()  # always as long: never half of another one
    if os.pread(descriptor, _MOST, 0) != line:
        os.pwrite(descriptor, line, 0)
        os.ftruncate(descriptor, len(line))
        os.fsync(descriptor)
