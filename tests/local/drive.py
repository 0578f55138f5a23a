"""A command to be killed, starved or run as somebody else: `drive.py up|down|REPLICAS HOME [N]`.

A number scales the slot green.

With N it ends itself by SIGKILL before its Nth change to the world: a file renamed into place or a process started.
It prints one line per change, so that a test knows how many there are.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
from pathlib import Path
from typing import Any

from scripts.local import system
from scripts.local.slots import SlotSpec, scale_slot
from scripts.local.state import read_state

verb, home = sys.argv[1], Path(sys.argv[2])
kill_before = int(sys.argv[3]) if len(sys.argv) > 3 else 0
numbers = itertools.count(1)


def watch(event: str, arguments: tuple[Any, ...]) -> None:
    probe = event == "subprocess.Popen" and arguments[1][-1] == "true"  # root's look whether unshare works: no change
    if event in ("os.rename", "subprocess.Popen") and not probe:
        number = next(numbers)
        if number == kill_before:
            os.kill(os.getpid(), signal.SIGKILL)
        print(f"change {number}: {event} {arguments[0]}", flush=True)


sys.addaudithook(watch)
if verb == "up":
    twin = SlotSpec(version="1.0.0", command=("{python}", str(Path(__file__).with_name("artefact.py"))))
    system.up(home, print, first=twin, migrate=lambda url, report: None)
elif verb == "down":
    system.down(home, print)
else:
    scale_slot(home, read_state(home), "green", int(verb))
