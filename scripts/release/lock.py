"""One run at a time on a machine: the kernel's file lock, so that a killed run leaves nothing to unlock."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from scripts.release.errors import Locked, ReleaseError
from scripts.release.flock import taken
from scripts.release.journal import Holder

TRY_S = 0.1  # `holder` below has it for microseconds at a time


def _read(descriptor: int) -> Holder | None:
    with suppress(msgspec.DecodeError):
        return msgspec.json.decode(os.pread(descriptor, 4096, 0), type=Holder)
    return None


def _current(path: Path, descriptor: int) -> bool:
    with suppress(FileNotFoundError):
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    return False


@contextmanager
def _usable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise ReleaseError(
            f"{path}: the lock cannot be used: {exc.strerror}; free the disk, or run as the owner of {path.parent}"
        ) from exc


@contextmanager
def hold(path: Path, holder: Holder, past: int) -> Iterator[int]:
    """Hold the lock; yields a fencing number over `past` and over that of every earlier holder.

    Raises Locked, or ReleaseError where the file cannot be made or written.
    """
    with _usable(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if not taken(descriptor, TRY_S):
            raise refusal(_read(descriptor))
        if not _current(path, descriptor):  # replaced by `unlock` between the two lines above
            raise refusal(None)
        earlier = _read(descriptor)
        fence = max(past, earlier.fence if earlier else 0) + 1
        text = msgspec.json.encode(msgspec.structs.replace(holder, fence=fence))
        with _usable(path):
            os.pwrite(descriptor, text, 0)
            os.ftruncate(descriptor, len(text))
        yield fence
    finally:
        os.close(descriptor)


def holder(path: Path) -> Holder | None:
    """Who holds the lock now; None when nobody does."""
    with _usable(path):
        if not path.exists():
            return None
        descriptor = os.open(path, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return _read(descriptor)
    else:
        return None
    finally:
        os.close(descriptor)


def refuse_while_held(path: Path) -> None:
    """Raises Locked while another command holds this lock; the file holds its pid, and need not exist."""
    with _usable(path):
        if not path.exists():
            return
        with path.open("rb") as file:
            if not taken(file.fileno(), TRY_S):
                pid = file.read(20).decode(errors="replace").strip() or "unknown"
                raise Locked(f"{path.parent} is being changed by another command (process {pid}): wait for it to end")


def refusal(found: Holder | None) -> Locked:
    """The words for the one who came second."""
    if found is None:
        return Locked("another run has just taken the lock: see `primetrade release status`")
    return Locked(
        f"{found.actor} holds the release lock since {found.since} "
        f"({found.verb}, run {found.run}, process {found.pid}): "
        "wait for it, or end that process: it stops between two acts"
    )
