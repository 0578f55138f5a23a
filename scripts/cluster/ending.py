"""How processes of the node are ended: the pods' among them carry no mark, but are children of a shim that does."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import psutil

_KILLED_S = 5.0


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
    _, left = psutil.wait_procs(processes, grace_s)
    for each in left:
        _unless_gone(each.kill)
    psutil.wait_procs(left, _KILLED_S)


def _unless_gone(act: Callable[[], object]) -> None:
    try:
        act()
    except psutil.NoSuchProcess:
        return
