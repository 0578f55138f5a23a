"""Which process holds something, so that another one on the same machine can tell that it has ended.

A pid alone would lie: it is given out again, and other machines and containers count their own. So a mark holds the
boot, the pid namespace and the process's start beside it. Where the kernel does not say these (macOS), nobody can tell.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path


def mark() -> str:
    """The mark of this process; "" where the kernel does not say enough."""
    started = _started(os.getpid())
    return f"{_where()}/{os.getpid()}/{started}" if started else ""


def ended(found: str) -> bool:
    """Whether the process of a mark is known to be over; False for one that lives elsewhere."""
    where, _, rest = found.rpartition("/")[0].rpartition("/")
    return bool(where) and where == _where() and _started(int(rest)) != found.rpartition("/")[2]


def label() -> str:
    """The mark in 63 letters that a label may have; "" where the kernel does not say enough."""
    started = _started(os.getpid())
    return f"{_place()}.{os.getpid()}.{started}" if started else ""


def label_ended(found: str) -> bool:
    """Whether the process of such a label is known to be over; False for one that lives elsewhere."""
    place, _, rest = found.partition(".")
    pid, _, started = rest.partition(".")
    return pid.isdigit() and place == _place() and _started(int(pid)) != started


def _place() -> str:
    return hashlib.sha256(_where().encode()).hexdigest()[:16]


def _where() -> str:
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"
    return ""


def _started(pid: int) -> str:
    """Clock ticks from boot to the start of a process that runs; "" for none, and for one that waits to be reaped."""
    with suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        return "" if fields[0] in "ZX" else fields[19]
    return ""
