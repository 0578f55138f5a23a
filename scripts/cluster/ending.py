"""How processes of the node are ended: the pods' among them carry no mark, but are children of a shim that does."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import psutil

_KILLED_S = 5.0
_POLL_S = 0.05


def is_shim(process: psutil.Process) -> bool:
    """Whether this is what looks after a pod, and outlives containerd on purpose."""
    try:
        return process.name().startswith("containerd-shim")
    except psutil.NoSuchProcess:
        return False


def children(process: psutil.Process) -> list[psutil.Process]:
    """What a process has started, and those in turn; empty when it has ended."""
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def finish(processes: Sequence[psutil.Process], grace_s: float) -> None:
    """SIGTERM to all, `grace_s` to end, then SIGKILL; with no grace, SIGKILL at once."""
    if grace_s:
        for each in processes:
            _unless_gone(each.terminate)
    left = _wait(processes, grace_s)
    for each in left:
        _unless_gone(each.kill)
    _wait(left, _KILLED_S)


def _wait(processes: Sequence[psutil.Process], limit_s: float) -> list[psutil.Process]:
    """Those that still run after `limit_s`; a zombie has ended."""
    # psutil's own wait fails when one of them ends while it looks.
    deadline = time.monotonic() + limit_s
    while (left := [each for each in processes if _runs(each)]) and time.monotonic() < deadline:
        time.sleep(_POLL_S)
    return left


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _unless_gone(act: Callable[[], object]) -> None:
    try:
        act()
    except psutil.NoSuchProcess:
        return
