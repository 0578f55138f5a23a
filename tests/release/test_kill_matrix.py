"""SIGKILL at every point of every verb, on real processes under load; then `resume`, then `rollback`.

The cases are read off the engine's own plans, made on the twin: a step that is new has its cases by itself. Each step
that changes something has two: killed between its intent and its act, and between its act and its done. While the
engine dies, is resumed and goes back, clients that keep their connections send about 300 requests a second: none fails,
and none waits for long.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import pytest

from scripts.local.slots import SlotSpec
from scripts.local.state import State
from scripts.release import engine
from scripts.release.engine import Caller, Options
from scripts.release.errors import NeedsPerson, Reverted
from scripts.release.file import ReleaseFile, read_release_file
from scripts.release.local import Local
from scripts.release.memory import Role
from scripts.release.platform import Platform
from scripts.release.route import Route, Target
from scripts.release.step import MUTATING, Step
from scripts.release.twin import Twin
from tests.local.traffic import from_now, keep_alive_load, pace
from tests.release.conftest import PROFILE, TARGETS

pytestmark = pytest.mark.faults

DRIVER: Final = str(Path(__file__).with_name("killed.py"))
PAUSE_S: Final = 0.011  # four clients that send after each: about 300 requests a second
# Measured where fifteen processes shared two cores: 36 to 174 answers a second over a run, and no client waited longer
# than 1.6 s. What a kill may not do is to stop users; how fast a busy machine answers them is not judged here.
LEAST_ANSWERS: Final = 10.0  # a second, over a whole run
LONGEST_GAP_S: Final = 8.0  # that a client goes without an answer
BOB: Final = Caller("bob@desk", "ann's laptop died")
FILE: Final = """
version: 1
service: shop
platform: local
artefact: {{command: {command}, replicas: 2}}
schema: {{min: 1, max: 3, expand: ["{{python}}", "-c", "print('level 3')"]}}
steps: [50, 100]
hold: {{duration: 500ms, limit: 30s}}
gates:
  smoke: [{{path: /health}}]
  analysis: {{profile: {profile}, rate: 200, duration: 1s}}
  compare: {{margin: 0.2, latency_ms: 2000}}
  commands: {commands}
bake: {{duration: 500ms, limit: 30s, failure_share: 0.1, checks: [{{path: /health}}]}}
preview: {{capacity: 50}}
warm: {warm}
timeouts: {{ready: 20s, verify: 10s, drain: 10s}}
"""
REFUSES: Final = '[{name: refuses, run: ["false"], limit: 10s, at: bake}]'


class Story(NamedTuple):
    """What is killed, from where, and what must come of it; {new} is a version nobody has seen yet."""

    command: tuple[str, ...]
    of: str  # the verb that its acts are written down under
    before: tuple[tuple[str, ...], ...] = ()
    resumed: tuple[str, Role | None] = ("new", Role.WARM)  # who is live, and what the slot beside it is kept for
    back: tuple[str, Role | None] | None = ("old", Role.REJECTED)  # after the rollback; None: there is nothing left
    commands: str = "[]"
    warm: str = "30m"


PREVIEW: Final = ("deploy", "{new}", "to_preview")
LIVE: Final = (PREVIEW, ("shift", "100"))
COLD: Final = (*LIVE, ("wait",), ("reap",))
STORIES: Final = {
    "deploy": Story(("deploy", "{new}"), "deploy"),
    "shift-50": Story(("shift", "50"), "shift", (PREVIEW,), resumed=("old", Role.PREVIEW)),
    "shift-100": Story(("shift", "100"), "shift", (PREVIEW,)),
    "promote": Story(("promote",), "promote", (PREVIEW,)),
    "abort": Story(("abort",), "abort", (PREVIEW, ("shift", "50")), resumed=("old", None), back=None),
    "rollback": Story(("rollback",), "rollback", LIVE, resumed=("old", Role.REJECTED), back=None),
    "cold-rollback": Story(("rollback",), "rollback", COLD, resumed=("old", Role.REJECTED), back=None, warm="1s"),
    "revert": Story(
        ("deploy", "{new}", "all_at_once"), "revert", resumed=("old", Role.REJECTED), back=None, commands=REFUSES
    ),
    "reap": Story(("reap",), "reap", (*LIVE, ("wait",)), resumed=("new", None), warm="1s"),
}


class Case(NamedTuple):
    """One kill: the how-manieth point of a story, and the step it lies in."""

    story: str
    point: int
    step: Step

    def __str__(self) -> str:
        return f"{self.story}-{self.point}-{'after' if self.point % 2 == 0 else 'before'}-{self.step.kind}"


def release_file(directory: Path, story: Story, command: tuple[str, ...] = ("shop",)) -> ReleaseFile:
    """The release.yaml of a story."""
    profile, path = directory / "analysis.yaml", directory / "release.yaml"
    profile.write_text(PROFILE)
    (directory / "slo.yaml").write_text(TARGETS)
    argv = msgspec.json.encode(command).decode()
    path.write_text(FILE.format(command=argv, profile=profile, commands=story.commands, warm=story.warm))
    return read_release_file(path)


def deploy_options(words: Sequence[str]) -> Options:
    return Options(to_preview="to_preview" in words, all_at_once="all_at_once" in words)


def run(platform: Platform, file: ReleaseFile, words: tuple[str, ...], caller: Caller = BOB) -> None:
    """A command as the driver has it."""
    match words:
        case ("deploy", version, *options):
            engine.deploy(platform, file, version, caller, deploy_options(options))
        case ("shift", percent):
            engine.shift(platform, file, int(percent), caller)
        case ("wait",):
            platform.sleep(1.1)
        case (verb,):
            getattr(engine, verb)(platform, file, caller)


def planned(story: Story) -> tuple[Step, ...]:
    """The mutating steps that the killed verb takes, as the twin carries them out."""
    with tempfile.TemporaryDirectory() as directory:
        file = release_file(Path(directory), story)
        twin = Twin(current=Route(Target.all_on("green"), "0"))
        twin.deploy("blue", file.release("old", {}), 1, 0)
        twin.sleep(10)
        twin.edit(Target.all_on("blue"))
        plans: list[tuple[Step, ...]] = []
        caller = msgspec.structs.replace(BOB, on_plan=plans.append)
        for words in story.before:
            run(twin, file, tuple(word.format(new="new") for word in words))
        try:
            run(twin, file, tuple(word.format(new="new") for word in story.command), caller)
        except Reverted:
            plans += [entry.plan for entry in twin.journal.read() if entry.phase == "turn"]
        plans += [entry.plan for entry in twin.journal.read() if entry.verb == story.of and entry.plan]
    return tuple(step for step in plans[-1] if step.kind in MUTATING)


CASES: Final = [
    Case(name, 2 * number + half, step)
    for name, story in STORIES.items()
    for number, step in enumerate(planned(story))
    for half in (1, 2)
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_an_engine_killed_at_any_point_is_resumed_and_rolled_back_and_no_request_is_lost(
    case: Case, edge: State, artefact: Callable[..., SlotSpec], tmp_path: Path
) -> None:
    """The journal ends at the intent of the step; then both ways lead to where they would have led."""
    story, old, new = STORIES[case.story], "1.0.0", "1.1.0"
    file = release_file(tmp_path, story, artefact(old).command)
    local = Local(Path(edge.home), file)
    begun = time.monotonic_ns()
    with keep_alive_load(local.state, pause_s=PAUSE_S) as seen:
        for words in story.before:
            run(local, file, tuple(word.format(new=new) for word in words))
        command = [word.format(new=new) for word in story.command]
        argv = [sys.executable, DRIVER, str(local.home), str(file.path), str(case.point), story.of, *command]
        found = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
        assert found.returncode == -signal.SIGKILL, found.stdout + found.stderr
        last, now = local.journal.read()[-1], engine.look(local)
        assert (last.phase, last.step, last.slot) == ("intent", case.step.kind, case.step.slot)
        assert now.drift == ""
        assert now.memory.open is not None
        assert local.holder() is None

        engine.resume(local, file, BOB)
        stands(local, story.resumed, old, new)
        if story.back is None:
            before = local.observe().route
            with pytest.raises(NeedsPerson):
                engine.rollback(local, file, BOB)
            assert local.observe().route == before
        else:
            engine.rollback(local, file, BOB)
            stands(local, story.back, old, new)
        live = from_now(seen)
        answers, gap = pace(seen, begun, time.monotonic_ns())
    plan = [entry.plan for entry in local.journal.read() if entry.run == last.run and entry.plan][-1]
    assert [step.kind for step in plan if step.kind in MUTATING] == [step.kind for step in planned(story)]
    assert [each for each in seen if each.status != 200] == []
    assert answers >= LEAST_ANSWERS
    assert gap <= LONGEST_GAP_S
    assert {each.slot for each in live} == {engine.look(local).active.name}


def stands(local: Local, wanted: tuple[str, Role | None], old: str, new: str) -> None:
    """Who is live and what is beside it, in the route and in the journal, and that nothing is left to go on with."""
    now = engine.look(local)
    live, role = wanted
    assert (now.active.version, now.role) == ({"old": old, "new": new}[live], role)
    assert now.active.ready
    assert now.memory.open is None
    assert now.drift == ""
    end = local.journal.read()[-1]
    assert (end.phase, end.outcome, end.target) == ("end", "done", now.observed.route.target)
    if role is not Role.PREVIEW:
        assert now.observed.route.target == Target.all_on(now.active.name)


def test_every_kind_of_step_that_changes_something_is_killed() -> None:
    """A kind that the engine gets is missed here until a story has it."""
    assert {case.step.kind for case in CASES} == set(MUTATING)
