"""The slots' cores are theirs where there is more than one."""

import os
import sys
from pathlib import Path

import psutil
import pytest

from scripts.local.cores import MACHINE, Cores, layout
from scripts.local.processes import start, stop


@pytest.mark.parametrize(
    ("cores", "expected"),
    [
        ([], None),
        ([5], None),
        ([1, 0], Cores(0, 0, (1,))),
        ([0, 1, 2], Cores(0, 0, (1, 2))),
        ([0, 1, 2, 3], Cores(0, 1, (2, 3))),
        ([4, 5, 8, 9, 10], Cores(4, 5, (8, 9, 10))),
    ],
)
def test_cores_are_shared_out(cores: list[int], expected: Cores | None) -> None:
    """One core is shared by all, of two the slots have one, of four each slot has one."""
    assert expected == layout(cores)


def test_servers_keep_off_the_slots_cores(home: Path) -> None:
    """A process that is started aside, and what it starts, runs on the others' cores."""
    process = start(home, "idle", [sys.executable, "-c", "import time; time.sleep(30)"], aside=True)
    try:
        wanted = list(MACHINE.others) if MACHINE else sorted(os.sched_getaffinity(0))
        assert wanted == psutil.Process(process.pid).cpu_affinity()
    finally:
        stop(home, "idle", process, 1.0)
