"""Switches and starts on a real Kubernetes node: `python -m tests.bench cluster` (`make bench-cluster`).

For each router all users go to the other slot by the engine's own write, from quiet endpoints and while pods of both
slots come and go, and back by the command: to the last request that the old slot begins, on new and on kept
connections. Beside them how long a version takes until it may be promoted, part by part, and what a plain Deployment's
rolling update loses. Progress goes to stderr, the tables of docs/measurements.md to stdout; about thirteen minutes, as
root.
"""

from __future__ import annotations

import statistics
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from scripts.cluster import images
from scripts.cluster.cluster import up
from scripts.cluster.state import default_home, kubeconfig
from scripts.image.commit import read_commit
from scripts.image.image import NAME, PREFIX, make
from scripts.local.state import ROOT
from tests.bench.node.starts import REPLICAS, SAW, TOLD, starts
from tests.bench.node.switches import BACK, COMMAND, QUIET, RATE, Found, switches
from tests.bench.node.timeline import EXECUTED
from tests.release.kubernetes.rolling import PLAIN, SLEEPING, rolling

TIMES, UPDATES = 10, 3
# Of each router on new and on kept connections, from quiet endpoints: to reach, and Argo Rollouts 1.10.2 (quoted).
ROUTERS = {"service": ("0.2 s", "0.5 s"), "gateway": ("0.3 s", "0.3 s")}
ARGO_PROMOTE = ("0.10 to 0.15 s", "29.7 s")
ARGO_UNDO = ("1.15 s", "29.8 s")
ARGO_START = "median 1.30 s, worst 2.66 s"
SWITCH_TABLE = """
| from the start of the write to the last request that the old slot begins | median | worst | to reach | \
Argo Rollouts 1.10.2 (quoted) | lost |
|---|---|---|---|---|---|"""
START_TABLE = """
| a new version of the task API, {} pods, its image on the node: until | median | worst | to reach | \
Argo Rollouts 1.10.2 (quoted) |
|---|---|---|---|---|"""
LOST_TABLE = """
| at 300 requests/s, {} times | requests | lost | of which |
|---|---|---|---|"""
KINDS = {"a plain rolling update": PLAIN, "the same with `preStop.sleep: 3`": SLEEPING}


def say(words: str) -> None:
    """A line of progress."""
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {words}\n")


def figures(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.3f} s | {max(values):.3f} s"


def switch_rows(router: str, found: dict[str, Found]) -> Iterator[str]:
    """New and kept connections of each kind of switch."""
    for kind, each in found.items():
        times = len(each.new)
        for number, (name, values) in enumerate((("new", each.new), ("kept", each.kept))):
            reach = ROUTERS[router][number] if kind in {QUIET, BACK} else ""
            argo = {QUIET: ARGO_PROMOTE, COMMAND: ARGO_UNDO}.get(kind, ("", ""))[number]
            lost = f"{len(each.failed)} of {each.asked:,}" if name == "new" else ""
            yield f"| {router}, {kind}, {name} connections ({times}) | {figures(values)} | {reach} | {argo} | {lost} |"


def start_rows(found: list[dict[str, float]]) -> Iterator[str]:
    """Each part, in its order."""
    for part in TOLD:
        if values := [each[part] for each in found if part in each]:
            ends = f"| 1.3 s (median) | {ARGO_START} |" if part == SAW else "| | |"
            yield f"| {part} ({len(values)}) | {figures(values)} {ends}"
    own = [each[SAW] - each[EXECUTED] for each in found if EXECUTED in each]
    yield f"| from its execution to that | {figures(own)} | | |"


def prepared() -> tuple[Path, str]:
    """A cluster that is up, with the image of this clone: its kubeconfig, and the image's name."""
    home = default_home()
    up(home, say)
    wanted = f"{PREFIX}/{NAME}:{read_commit(ROOT).version}"
    if wanted not in images.present(home):
        images.load(home, make(ROOT, ROOT / ".local" / "image", say=say).archive)
    return kubeconfig(home), wanted


def rolling_rows(name: str, cluster: Path, image: str, container: dict[str, object]) -> Iterator[str]:
    """The one row of a kind of update."""
    lost = rolling(cluster, image, container, UPDATES)
    yield f"| {name} | {lost.asked:,} | {len(lost.failed)} | {lost.kinds} |"


def told(name: str, rows: Callable[[], Iterator[str]]) -> bool:
    """Print the rows; False, with the reason, where they could not be measured."""
    say(name)
    try:
        print("\n".join(rows()), flush=True)
    except Exception:  # noqa: BLE001 - the others are measured all the same
        say(f"{name}: not measured\n{traceback.format_exc()}")
        return False
    return True


def main() -> None:
    """All tables; ends with 1 where a part of them could not be measured."""
    cluster, image = prepared()
    done = []
    print(SWITCH_TABLE.strip(), flush=True)
    for router in ROUTERS:
        measure = partial(switches, cluster, image, router, TIMES)
        done.append(told(f"behind {router}, {RATE:g} requests/s", lambda: switch_rows(router, measure())))  # noqa: B023
    print(START_TABLE.format(REPLICAS), flush=True)
    done.append(told("starts of the task API", lambda: start_rows(starts(cluster, image, TIMES))))
    print(LOST_TABLE.format(UPDATES), flush=True)
    done += [told(name, partial(rolling_rows, name, cluster, image, how)) for name, how in KINDS.items()]
    say("done")
    sys.exit(not all(done))


if __name__ == "__main__":
    main()
