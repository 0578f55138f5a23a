"""End what a killed test run left: `reap.py DIRECTORY` kills the processes whose home lies in it."""

from __future__ import annotations

import sys
from contextlib import suppress

import psutil

from scripts.local.processes import MARK

for process in psutil.process_iter():
    with suppress(psutil.Error, OSError):
        if f"@{sys.argv[1]}/" in process.environ().get(MARK, ""):
            process.kill()
