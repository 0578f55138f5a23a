"""What a process of the load generator sets for itself before it sends."""

from __future__ import annotations

import contextlib
import gc
import os
import resource
import signal
import sys
from pathlib import Path
from typing import Final

PRIORITY: Final = -10
SPARE_FILES: Final = 200  # file descriptors beside those of the requests in flight


def end_when_told() -> None:
    """By SIGTERM, also as the first process of a container, which the kernel spares where it names no handler."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


def quieten_gc() -> None:
    """Keep collections short: what lives by now is never walked again, and young objects are many but few survive."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 1000)


def precede() -> None:
    """Go before the system under test where we may (it takes privileges).

    The generator stands for users whose clocks do not wait for this machine's CPU. Beside two busy loops on two
    cores, the p99 of its lag was 23 ms without this and 4 ms with it.
    """
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, PRIORITY)
        Path("/proc/self/autogroup").write_text(str(PRIORITY), "ascii")  # where sessions are scheduled as groups


def allow_files(max_in_flight: int) -> None:
    """Raise the soft limit of open files to what the requests in flight take. Raises ValueError beyond the hard one."""
    wanted = max_in_flight + SPARE_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def lacking_files(max_in_flight: int) -> str:
    """What is wrong with the hard limit of open files, which is a process's own; "" where nothing is.

    Connections that cannot be opened would look like failures of the target.
    """
    wanted, (_, hard) = max_in_flight + SPARE_FILES, resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY or hard >= wanted:
        return ""
    return (
        f"max_in_flight: {max_in_flight:,} takes {wanted:,} open files, and {hard:,} are allowed here; raise the hard "
        "limit (ulimit -Hn), or lower max_in_flight with rate or timeout_s in a profile of your own"
    )
