"""`primetrade` watched from inside: `python -m tests.bench.witness FILE DIE WORDS...`.

FILE gets the moment of each write of the route, in ns on the clock that all processes share. DIE is empty, or "before"
or "after": the command is ended by SIGKILL before or after the first of these writes.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any


def main(path: Path, die: str) -> None:
    """Run the command; it does not come back from a SIGKILL."""
    moments = os.open(path, os.O_WRONLY | os.O_APPEND)
    written = False

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal written
        if written and die == "after" and event != "os.kill":  # whatever comes next: the rename is done by now
            os.kill(os.getpid(), signal.SIGKILL)
        if event == "os.rename" and str(arguments[1]).endswith("routes.json"):
            if die == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            os.write(moments, f"{time.monotonic_ns()}\n".encode())  # just before the rename itself
            written = True

    sys.addaudithook(watch)
    from scripts.cli import main as primetrade  # noqa: PLC0415 - its imports are a part of what is timed

    primetrade()


if __name__ == "__main__":
    path, die = Path(sys.argv[1]), sys.argv[2]
    sys.argv = ["primetrade", *sys.argv[3:]]
    main(path, die)
