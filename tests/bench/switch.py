"""The engine's switches and rollbacks under load: `python -m tests.bench.switch`.

Twenty times 1.1.0 gets all users and is rolled back. From the write of the route: when the old slot began its last
request (budget 50 ms), when the last one in flight there was answered, and when probes on the users' route saw it.
"""

from __future__ import annotations

import statistics
import sys
import time
from typing import NamedTuple

from scripts.release import engine
from scripts.release.engine import Caller, Options
from tests.bench.bed import BUDGET_MS, Bed, bed
from tests.local.traffic import Seen, keep_alive_load

TIMES = 20


class Switch(NamedTuple):
    """Milliseconds from the write of the route."""

    begun: float  # the last request that the old slot began
    answered: float  # the last one that it answered
    seen: float  # probes on the users' route saw the new slot


class Clock:
    """When the route was last renamed into place, on the clock that the slots' answers carry."""

    def __init__(self) -> None:
        self.renamed = 0
        sys.addaudithook(self._watch)

    def _watch(self, event: str, arguments: tuple[object, ...]) -> None:
        if event == "os.rename" and str(arguments[1]).endswith("routes.json"):
            self.renamed = time.monotonic_ns()  # just before the rename itself


def measured(done: engine.Done, answers: list[Seen], old: str, renamed: int) -> Switch:
    late = [each for each in answers if each.slot == old]
    begun = max([0.0, *((each.began - renamed) / 1e6 for each in late)])
    answered = max([0.0, *((each.ended - renamed) / 1e6 for each in late)])
    cut = done.cut_overs[-1]
    return Switch(begun, answered, (cut.seen - cut.written) * 1000)


def measure(here: Bed) -> tuple[list[Switch], list[Switch], list[Seen]]:
    """Switches, rollbacks and every answer to the load."""
    platform, file, caller, clock = here.platform, here.file, Caller("bench"), Clock()
    switches, rollbacks = [], []
    with keep_alive_load(here.state, clients=16, pause_s=0.02) as seen:
        for _ in range(TIMES):
            engine.deploy(platform, file, "1.1.0", caller, Options(to_preview=True))
            for into, act in (
                (switches, lambda: engine.shift(platform, file, 100, caller)),
                (rollbacks, lambda: engine.rollback(platform, file, caller)),
            ):
                old = platform.observe().route.weights.sole or ""
                start = len(seen)
                done = act()
                time.sleep(0.3)
                into.append(measured(done, seen[start:], old, clock.renamed))
    return switches, rollbacks, seen


def main() -> None:
    with bed() as here:
        switches, rollbacks, seen = measure(here)
    lost = sum(each.status != 200 for each in seen)
    print(f"{TIMES} switches and {TIMES} rollbacks by the engine, {len(seen):,} answers, {lost} lost")
    for name, found in (("switch", switches), ("rollback", rollbacks)):
        for what, values in (
            ("old slot begins its last request", [s.begun for s in found]),
            ("old slot answers its last request", [s.answered for s in found]),
            ("probes saw the new slot", [s.seen for s in found]),
        ):
            middle, worst = statistics.median(values), max(values)
            print(f"{name:<9} {what:<34} median {middle:5.1f} ms, worst {worst:5.1f} ms after the write")
    print(f"budget    {'old slot begins its last request':<34} {BUDGET_MS} ms")


if __name__ == "__main__":
    main()
