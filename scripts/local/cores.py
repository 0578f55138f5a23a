"""Which cores the parts of the local system keep to: everything shares one small machine, and would trade places.

A slot's threads take turns at one interpreter lock: on two cores they run no faster, and each turn wakes the other
core. Measured on 2 cores at 1,000 requests/s: left alone 0.86 ms CPU a request and a p95 over 100 ms; the slots on a
core of their own 0.65 ms and 9 ms.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import msgspec


class Cores(msgspec.Struct, frozen=True):
    """Numbers of cores."""

    blue: int
    green: int
    others: tuple[int, ...]  # PostgreSQL, Valkey, Envoy, the generator


def layout(cores: Sequence[int]) -> Cores | None:
    """Of two or three cores the first is the slots'; of more, each slot has one. None where there is one to share."""
    match sorted(cores):
        case [] | [_]:
            return None
        case [first, *rest] if len(rest) < 3:
            return Cores(first, first, tuple(rest))
        case [first, second, *rest]:
            return Cores(first, second, tuple(rest))
    raise AssertionError("every list has one of these lengths")


# Of the process as it was started: it may step aside later.
MACHINE = layout(tuple(os.sched_getaffinity(0)))


def step_aside(pid: int = 0) -> None:
    """Leave the slots' cores to the slots: for a process (this one by default) and all it starts from now on."""
    if MACHINE:
        os.sched_setaffinity(pid, MACHINE.others)
