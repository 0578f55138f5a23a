"""How long after a switch is written the old slot still begins requests: `python -m tests.bench.cutover`.

Twenty switches back and forth under keep-alive load against two twins of a slot; the budget is 50 ms.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

from scripts.local import envoy, system
from scripts.local.envoy_config import Routes
from scripts.local.slots import SlotSpec, start_slot
from scripts.local.state import State
from tests.local.traffic import keep_alive_load, until

BUDGET_MS = 50
ARTEFACT = Path(__file__).parents[1] / "local" / "artefact.py"


def spec(version: str) -> SlotSpec:
    return SlotSpec(version=version, command=("{python}", str(ARTEFACT)), env={"FAULT_LATENCY_MS": "5"})


def measure(state: State, switches: int) -> tuple[list[float], list[float], int]:
    """Milliseconds from rename to the last request begun, and to the last answered, by the old slot; answers in all."""
    home, began, ended, renamed = Path(state.home), [], [], [0]

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        if event == "os.rename" and str(arguments[1]).endswith("routes.json"):
            renamed[0] = time.monotonic_ns()  # taken just before the rename itself

    sys.addaudithook(watch)
    with keep_alive_load(state, clients=16, pause_s=0.008) as seen:
        for number in range(switches):
            old, new = ("blue", "green") if number % 2 == 0 else ("green", "blue")
            time.sleep(0.5)
            start = len(seen)
            written = envoy.write_routes(home, Routes(**{new: 100, old: 0}))
            until(lambda: envoy.applied(state) == written, f"{new} has the traffic")  # noqa: B023  # called at once
            time.sleep(0.5)
            late = [each for each in seen[start:] if each.slot == old]
            began.append(max([0.0, *((each.began - renamed[0]) / 1e6 for each in late)]))
            ended.append(max([0.0, *((each.ended - renamed[0]) / 1e6 for each in late)]))
    assert {each.status for each in seen} == {200}
    return began, ended, len(seen)


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory)
        try:
            state = system.up(home, print, first=spec("1.0.0"), migrate=lambda url, report: None)
            green = start_slot(home, state, "green", spec("2.0.0"))
            until(lambda: green.replicas[0].port in envoy.healthy(state, "green"), "green is healthy")
            began, ended, answers = measure(state, 20)
        finally:
            system.down(home, print)
    print(f"20 switches, {answers} answers, 0 lost, {answers / 20:.0f}/s")
    for what, values in (("begins", began), ("answers", ended)):
        print(
            f"last request the old slot {what}: median {statistics.median(values):.1f} ms, worst {max(values):.1f} ms"
        )
    print(f"budget: {BUDGET_MS} ms for the last begun")


if __name__ == "__main__":
    main()
