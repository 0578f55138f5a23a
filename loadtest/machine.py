"""What the machine was: numbers of one machine are not those of another."""

from __future__ import annotations

import platform
from pathlib import Path

import psutil

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


def _model() -> str:
    lines = CPUINFO.read_text("utf-8").splitlines() if CPUINFO.exists() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())
