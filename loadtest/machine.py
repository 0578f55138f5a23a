"""What the machine was: numbers of one machine are not those of another."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from pathlib import Path

import psutil

from loadtest import units
from loadtest.recording import Generator, Worker
from loadtest.result import Fact

CPUINFO = Path("/proc/cpuinfo")


def machine() -> tuple[Fact, ...]:
    """CPU model, cores this process may use, memory, kernel and Python."""
    return (
        Fact("CPU", _model()),
        Fact("cores", str(len(psutil.Process().cpu_affinity()))),
        Fact("memory", f"{psutil.virtual_memory().total / 2**30:.1f} GiB"),
        Fact("kernel", f"{platform.system()} {platform.release()}"),
        Fact("Python", platform.python_version()),
    )


def generators(workers: Sequence[Worker]) -> tuple[Fact, ...]:
    """The workers of a run by several, each with the node it was on and how well it kept its schedule."""
    return tuple(Fact(f"worker {w.name}", f"on {w.node}", w.ended or _kept(w.generator)) for w in workers)


def _kept(made: Generator | None) -> str:
    if made is None:
        return ""
    lag, worst = units.ms(made.lag_p99_ms), units.ms(made.worst_second_lag_p99_ms)
    return f"{units.count(made.requests)} requests, schedule lag p99 {lag}, {worst} in the worst second"


def _model() -> str:
    lines = CPUINFO.read_text("utf-8").splitlines() if CPUINFO.exists() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())
