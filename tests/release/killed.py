"""A command whose process is killed in the middle: `killed.py HOME FILE POINT OF VERB [ARGUMENT ...]`.

Every act of the verb OF has two points: its intent is in the journal and nothing was done yet; and it is done, and the
journal does not say so yet. At the POINT-th of them, counted from 1, the process ends itself by SIGKILL.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
from pathlib import Path
from typing import Any, Final

from scripts.release import carry, engine
from scripts.release.engine import Caller, Options
from scripts.release.file import read_release_file
from scripts.release.local import Local
from scripts.release.run import Run
from scripts.release.slots import Release
from scripts.release.step import Step

CALLER: Final = Caller("ann@laptop", "to be killed")
ACT: Final = carry.act


def mortal(point: int, of: str) -> Any:
    """`carry.act`, with an end."""
    numbers = itertools.count(1)

    def reach(run: Run) -> None:
        if run.verb == of and next(numbers) == point:
            os.kill(os.getpid(), signal.SIGKILL)

    def act(run: Run, step: Step, release: Release | None) -> str:
        reach(run)
        said = ACT(run, step, release)
        reach(run)
        return said

    return act


def main(home: str, path: str, point: str, of: str, verb: str, *arguments: str) -> None:
    file = read_release_file(Path(path))
    local = Local(Path(home), file)
    carry.act = mortal(int(point), of)
    match verb, *arguments:
        case "deploy", version, *options:
            wanted = Options(to_preview="to_preview" in options, all_at_once="all_at_once" in options)
            engine.deploy(local, file, version, CALLER, wanted)
        case "shift", percent:
            engine.shift(local, file, int(percent), CALLER)
        case _:
            getattr(engine, verb)(local, file, CALLER)


if __name__ == "__main__":
    main(*sys.argv[1:])
