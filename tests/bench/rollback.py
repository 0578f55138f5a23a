"""How long after `rollback` the bad slot still begins requests: `python -m tests.bench rollback`.

The command is run as a person runs it, while the release under way has a share of the users, at several rates. Beside
the limit, and beside what was measured of Argo Rollouts, which is quoted and not measured again here.
"""

from __future__ import annotations

import statistics
import sys
import time
from typing import NamedTuple

from scripts.release import engine
from scripts.release.engine import Caller, Options
from tests.bench.bed import BUDGET_MS, LATENCY_MS, Bed, Ended, bed
from tests.local.traffic import Seen, keep_alive_load

TIMES = 5
SHARES = (5, 50, 100)
RATES = (100, 300, 1000)
CLIENTS = 16
CALLER = Caller("bench")
# v1.10.2 on a Kubernetes node of 2 cores, 240 requests/s, from the start of `undo` inside its scale-down delay.
PEER = """Argo Rollouts 1.10.2, from the start of `undo` to the last answer of the bad version (quoted, 3 runs):
  clients with a new connection for each request 1,146 ms; clients that keep theirs 29,730 to 29,840 ms"""


class Way(NamedTuple):
    """One rollback: milliseconds to the last request that the bad slot began, and requests it answered until then."""

    since_write: float
    since_command: float
    answered: int  # since the command was started
    answered_late: int  # since the write


def measured(run: Ended, answers: list[Seen], bad: str) -> Way:
    mine = [each for each in answers if each.slot == bad and each.ended >= run.began]
    written = run.written[-1]
    last = max((each.began for each in mine), default=run.began)
    late = sum(each.began > written for each in mine)
    return Way(max(0.0, (last - written) / 1e6), (last - run.began) / 1e6, len(mine), late)


def measure(here: Bed, share: int, rate: int) -> tuple[list[Way], float, int]:
    """The rollbacks, the answers per second there were, and how many were lost."""
    found, begun = [], time.monotonic()
    with keep_alive_load(here.state, CLIENTS, CLIENTS / rate - LATENCY_MS / 1000 - 0.002) as seen:
        for _ in range(TIMES):
            engine.deploy(here.platform, here.file, "1.1.0", CALLER, Options(to_preview=True))
            engine.shift(here.platform, here.file, share, CALLER)
            time.sleep(0.5)
            start = len(seen)
            run = here.primetrade(["rollback"])
            time.sleep(0.3)
            found.append(measured(run, seen[start:], "green"))
    return found, len(seen) / (time.monotonic() - begun), sum(each.status != 200 for each in seen)


def middle_and_worst(values: list[float]) -> str:
    return f"{statistics.median(values):8,.1f} {max(values):8,.1f}"


def main() -> None:
    print(f"{TIMES} rollbacks each, of a release with a share of the users; median and worst; times in ms")
    print(f"{'':18}{'begins its last request after':36}{'requests the bad slot answered after':36}")
    print(
        f"{'share':>6} {'rate':>8}  {'the write':>17} {'the command':>17}  {'the write':>17} {'the command':>17}  lost"
    )
    with bed() as here:
        for share in SHARES:
            for rate in RATES:
                found, came, lost = measure(here, share, rate)
                columns = [middle_and_worst([float(way[at]) for way in found]) for at in (0, 1, 3, 2)]
                print(f"{share:>4} % {came:>6,.0f}/s  {columns[0]} {columns[1]}  {columns[2]} {columns[3]}  {lost}")
                sys.stdout.flush()
    print(f"limit          {BUDGET_MS:>18}  after the write")
    print(PEER)


if __name__ == "__main__":
    main()
