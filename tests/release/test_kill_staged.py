"""SIGKILL on the way through a shadow, an audience, an approval and a sticky share, on real processes under load.

The points are those at which these stages are written into the route, each before and after: what comes before and
behind them is the kill matrix's. Users keep their cookies, and one in four is of the audience.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from scripts.local.slots import SlotSpec
from scripts.local.state import State
from scripts.release import engine
from scripts.release.engine import Options
from scripts.release.errors import Awaiting
from scripts.release.file import ReleaseFile, read_release_file
from scripts.release.local import Local
from scripts.release.memory import Role
from scripts.release.route import Target
from scripts.release.step import MUTATING, Kind
from tests.local.traffic import Seen, from_now, keep_alive_load, pace
from tests.release.test_kill_matrix import BOB, DRIVER, LEAST_ANSWERS, LONGEST_GAP_S, STORIES, release_file, stands

pytestmark = pytest.mark.faults

OLD, NEW = "1.0.0", "1.1.0"
BETA: Final = {"x-beta": "yes"}
USERS: Final = 18  # so many that no draw of a sticky share leaves a slot without any
AUDIENCE: Final = 6
PAUSE_S: Final = 0.08  # about 300 requests a second together
STAGES: Final = """audience: {share: 25, headers: {x-beta: "yes"}}
sticky: true
approvals: {before: [50]}
steps: [shadow, audience, 50, 100]"""


class Point(NamedTuple):
    """Where the process dies: behind or before which write of the route, under which command."""

    command: str  # "deploy" as far as the approval, "approve" from there on
    shift: int  # the how-manieth of that command
    after: bool


POINTS: Final = {
    "before the shadow": Point("deploy", 1, after=False),
    "after the shadow": Point("deploy", 1, after=True),
    "after the audience": Point("deploy", 2, after=True),
    "approved, before the sticky share": Point("approve", 1, after=False),
    "after the sticky share": Point("approve", 1, after=True),
    "after everybody": Point("approve", 2, after=True),
}


@pytest.fixture
def file(artefact: Callable[..., SlotSpec], tmp_path: Path) -> ReleaseFile:
    """The matrix's release.yaml with all the stages."""
    path = release_file(tmp_path, STORIES["deploy"], artefact(OLD).command).path
    path.write_text(path.read_text().replace("steps: [50, 100]", STAGES))
    return read_release_file(path)


def number(local: Local, file: ReleaseFile, point: Point) -> int:
    """As the driver counts: two for every step that changes something."""
    steps = engine.preview_plan(local, file, NEW, Options())
    if point.command == "approve":
        steps = steps[[step.kind for step in steps].index(Kind.APPROVAL) :]
    acts = [step.kind for step in steps if step.kind in MUTATING]
    shifts = [position for position, kind in enumerate(acts) if kind is Kind.SHIFT]
    return 2 * shifts[point.shift - 1] + (2 if point.after else 1)


def killed(local: Local, file: ReleaseFile, point: Point) -> None:
    """The command dies at the point; its deploy came before, where it is the approval."""
    counted, command = number(local, file, point), ["deploy", NEW]
    if point.command == "approve":
        command = ["approve"]
        with pytest.raises(Awaiting):
            engine.deploy(local, file, NEW, BOB)
    argv = [sys.executable, DRIVER, str(local.home), str(file.path), str(counted), "deploy", *command]
    found = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    assert found.returncode == -signal.SIGKILL, found.stdout + found.stderr
    last, now = local.journal.read()[-1], engine.look(local)
    assert (last.phase, last.step, now.drift) == ("intent", "shift", "")
    assert (now.observed.route.target == last.target) is point.after


@pytest.mark.parametrize("name", POINTS)
def test_an_engine_killed_between_stages_is_resumed_approved_and_rolled_back(
    name: str, edge: State, file: ReleaseFile
) -> None:
    """No request is lost, and no user goes back and forth: from the old slot to the new one, and back once."""
    point, local, begun = POINTS[name], Local(Path(edge.home), file), time.monotonic_ns()
    load = partial(keep_alive_load, local.state, pause_s=PAUSE_S, method="GET")
    with load(clients=USERS) as users, load(clients=AUDIENCE, headers=BETA) as audience:
        killed(local, file, point)
        if point.command == "deploy":
            with pytest.raises(Awaiting):
                engine.resume(local, file, BOB)
            engine.approve(local, file, BOB)
        else:
            engine.resume(local, file, BOB)
        stands(local, ("new", Role.WARM), OLD, NEW)
        engine.rollback(local, file, BOB)
        stands(local, ("old", Role.REJECTED), OLD, NEW)
        back = [*from_now(users, USERS), *from_now(audience, AUDIENCE)]
        ended = time.monotonic_ns()
    assert {each.slot for each in back} == {"blue"}
    answers = 0.0
    for seen, clients in ((users, USERS), (audience, AUDIENCE)):
        assert [each for each in seen if each.status != 200] == []
        for client in range(clients):
            assert ways(seen, client) == ["blue", "green", "blue"]
        each, gap = pace([one for one in seen if one.ended <= ended], begun, ended, clients)
        answers += each
        assert gap <= LONGEST_GAP_S
    assert answers >= LEAST_ANSWERS
    assert shown(local) == ["shadow", "audience", "sticky share", "all on green", "all on blue"]


def ways(seen: Sequence[Seen], client: int) -> list[str]:
    """The slots that a client was served by, each as long as it stayed."""
    return [slot for slot, _ in groupby(each.slot for each in seen if each.client == client)]


def shown(local: Local) -> list[str]:
    """The stages that the route was seen to be at, one after the other."""
    seen = [entry.target for entry in local.journal.read() if (entry.phase, entry.step) == ("done", "shift")]
    return [_stage(target) for target in seen if target]


def _stage(target: Target) -> str:
    if target.sole is None:
        return "sticky share" if target.sticky else "audience"
    return "shadow" if target.mirror else f"all on {target.sole}"
