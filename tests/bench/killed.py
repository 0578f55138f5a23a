"""An engine killed in the middle of a shift: `python -m tests.bench killed`.

`shift --to 50` gets SIGKILL just before or just after it writes the route, under load, while the release has 5 % of the
users. Timed is the next command, from its start until it has said that the state is settled and the journal agrees.
"""

from __future__ import annotations

import statistics
import sys
import time

from scripts.release import engine
from scripts.release.engine import Caller, Options
from scripts.release.route import Weights
from scripts.release.situation import Phase
from tests.bench.bed import Bed, bed
from tests.local.traffic import keep_alive_load

TIMES = 5
CALLER = Caller("bench")
SETTLED = {"resume": (Phase.SHIFTING, Weights(50, 50)), "rollback": (Phase.IDLE, Weights(100, 0))}
# v1.10.2 on a Kubernetes node of 2 cores, 240 requests/s, restarted 10 s after a `kill -9` behind `promote`.
PEER = """Argo Rollouts 1.10.2, from the restart of its controller to the switch (quoted, 3 runs): 16,450 to 17,500 ms,
  for the new process waits for the lease of the old one; 200 ms without leader election (1 run)"""


def measure(here: Bed, moment: str, verb: str) -> float:
    """Milliseconds of the next command after one that was killed."""
    engine.deploy(here.platform, here.file, "1.1.0", CALLER, Options(to_preview=True))
    engine.shift(here.platform, here.file, 5, CALLER)
    killed = here.primetrade(["shift", "--to", "50"], die=moment)
    if killed.code == 0:
        sys.exit("the shift was not killed: nothing was measured")
    run = here.primetrade([verb])
    now = engine.look(here.platform)
    if (now.phase, now.observed.route.weights) != SETTLED[verb] or now.memory.open:
        sys.exit(f"{verb} after a kill {moment} the write left {now.phase}, {now.observed.route.weights}")
    if verb == "resume":
        engine.rollback(here.platform, here.file, CALLER)
    return (run.ended - run.began) / 1e6


def main() -> None:
    print(f"{TIMES} shifts killed at each moment; from the start of the next command to a settled state, in ms")
    with bed() as here, keep_alive_load(here.state, clients=16, pause_s=0.05) as seen:
        begun = time.monotonic()
        for moment in ("before", "after"):
            for verb in SETTLED:
                took = [measure(here, moment, verb) for _ in range(TIMES)]
                middle, worst = statistics.median(took), max(took)
                print(f"killed {moment:<6} the write, then {verb:<8} median {middle:6,.0f}, worst {worst:6,.0f}")
                sys.stdout.flush()
        rate = len(seen) / (time.monotonic() - begun)
        lost = sum(each.status != 200 for each in seen)
    print(f"{lost} of {len(seen):,} answers lost, at {rate:,.0f}/s")
    print(PEER)


if __name__ == "__main__":
    main()
