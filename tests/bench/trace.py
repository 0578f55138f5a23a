"""Records how two slots of one version answer users: `python -m tests.bench.trace FILE`, about five minutes.

The embedded system with the task API in both slots, 200 requests/s, the second one with 5, 25 and 50 % of the users for
80 seconds each. A line of the file is a second: the second slot's percent, then for each slot its failed requests and
its other answers by the upper bounds of `app.metrics.BUCKETS`. `tests.bench.alarms` draws from it.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from scripts.local import envoy, slots, system
from scripts.local.envoy_config import Routes
from scripts.local.slots import SlotSpec
from scripts.local.state import State
from scripts.release.file import read_release_file
from scripts.release.local import Local
from scripts.release.slots import Tally
from tests.local.traffic import until

RATE = 200
SECONDS = 80
PERCENTS = (5, 25, 50)
SLOTS = ("blue", "green")


def second(before: Tally, now: Tally) -> str:
    """What came between: failed, and answered by bound."""
    came = now.since(before)
    within = [0, *(count for _, count in sorted((came.within or {}).items()))]
    return " ".join(str(n) for n in [came.failed, *(b - a for a, b in itertools.pairwise(within))])


def record(platform: Local, percent: int, lines: list[str]) -> None:
    """Add the seconds of one share."""
    envoy.write_routes(platform.home, Routes(blue=100 - percent, green=percent))
    time.sleep(3)
    before, due = platform.tally(), time.monotonic()
    for _ in range(SECONDS):
        due += 1
        time.sleep(max(0.0, due - time.monotonic()))
        now = platform.tally()
        lines.append(f"{percent}, " + ", ".join(second(before[name], now[name]) for name in SLOTS))
        before = now
    print(f"{percent} %: {SECONDS} seconds recorded", flush=True)


def loaded(state: State, lines: list[str]) -> None:
    """Record all shares under load."""
    home = Path(state.home)
    primetrade = [sys.executable, "-m", "scripts.cli"]
    subprocess.run([*primetrade, "db", "seed", "--home", str(home)], check=True, timeout=120)
    argv = [*primetrade, "load", "run", "load", "--target", state.edge_url, "--rate", str(RATE), "--tokens"]
    argv += [str(home / "tokens.json"), "--steady", "600s", "--out", str(home / "report")]
    platform = Local(home, read_release_file(Path("release.yaml")))
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as load:
        time.sleep(20)  # its warm-up
        for percent in PERCENTS:
            record(platform, percent, lines)
        load.terminate()


def main(file: Path) -> None:
    """Bring everything up, record, and write the file."""
    lines: list[str] = []
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory)
        try:
            state = system.up(home, print)
            slots.start_slot(home, state, "green", SlotSpec(version="1.0.0"))
            until(lambda: len(envoy.healthy(state, "green")) == 1, "green is healthy")
            loaded(state, lines)
        finally:
            system.down(home, print)
    file.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
