"""A release that nobody hears any more: `unheard.py FILE LOST`; how it ended, and who has the users, go to stderr.

Once 1.1.0 has all users it turns bad, and stdout is lost: a "pipe" whose reader is gone, or a "disk" that is full.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from scripts.commands.release.options import caller
from scripts.release import engine
from scripts.release.errors import ReleaseError
from scripts.release.file import read_release_file
from scripts.release.route import Target, Weights
from scripts.release.twin import Behaviour, Twin


def lose(how: str) -> None:
    """From now on nothing that is written to stdout arrives."""
    if how == "disk":
        os.dup2(os.open("/dev/full", os.O_WRONLY), 1)
        return
    read, write = os.pipe()
    os.dup2(write, 1)
    os.close(read)


def main(path: str, how: str) -> None:
    file, twin = read_release_file(Path(path)), Twin()
    twin.edit(Target(Weights(0, 100)))
    engine.deploy(twin, file, "1.0.0", engine.Caller("ann@laptop"))

    def turns_bad() -> None:
        if twin.current.target == Target.all_on("green"):
            twin.behaviours["1.1.0"] = Behaviour(failed=0.5)
            twin.on_tick = lambda: None
            lose(how)

    twin.on_tick = turns_bad
    try:
        with caller({"as_json": False, "actor": "ann@laptop", "reason": ""}) as whom:
            engine.deploy(twin, file, "1.1.0", whom)
    except ReleaseError as exc:
        print(type(exc).__name__, twin.current.target, twin.journal.read()[-1].outcome, sep="; ", file=sys.stderr)
    os._exit(0)  # what stdout still holds could not be written


if __name__ == "__main__":
    main(*sys.argv[1:])
