"""Where a process stands among those it shares a small machine with: behind them while it starts, then on its core.

Only for machines where a few cores carry everything (CPU_CORE is set). Importing this must stay cheap: the first thing
a starting process does is to give way.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

# Linux schedules sessions as groups and shares the CPU among these; `nice` counts only within one. sched(7).
_GROUP = Path("/proc/self/autogroup")
BEHIND, LEVEL = "10", "0"


def give_way() -> None:
    """Take what CPU the others leave: half a second of imports must not cost the live slot's users their answers."""
    with suppress(OSError):  # a kernel without groups
        _GROUP.write_text(BEHIND)


def take_place(core: int) -> None:
    """Count like everybody else again, and keep every thread of this process, and those they start, to one core.

    Threads that take turns at one interpreter lock run no faster on two, and each turn wakes the other core: 14 context
    switches a request then, 7 on one core (measured at 1,000 requests/s).
    """
    with suppress(OSError):
        _GROUP.write_text(LEVEL)
    for _ in range(2):  # the second time for those started meanwhile by threads that had not moved yet
        for thread in Path("/proc/self/task").iterdir():
            with suppress(OSError):  # it ended meanwhile, or the core is not ours to use
                os.sched_setaffinity(int(thread.name), {core})
