"""The demo from end to end: a fresh system, load, the story, the verdict, the report."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from loadtest.judge import judge
from loadtest.launch import RunConfig, launch, make_folder
from loadtest.machine import machine
from loadtest.profile import read_profile
from loadtest.recording import Recording
from loadtest.report import write_all
from loadtest.result import Event, Fact, Result, Usage
from loadtest.seed import seed
from scripts.demo.errors import DemoError
from scripts.demo.follow import Follower
from scripts.demo.home import local_scene
from scripts.demo.late import Hurt, late_acts, users_hurt
from scripts.demo.scene import Scene
from scripts.demo.screen import Screen
from scripts.demo.story import PAUSE_S, Played, acts, play
from scripts.local.cores import step_aside
from scripts.release import engine
from slo.objective import Judge, Kind, Targets
from slo.reader import read_targets

ROOT = Path(__file__).parent.parent.parent
UNTIL = "story-told"  # the judged phase lasts until this file is there
START_S = 60.0  # longest wait for the generator to start, on a busy machine

# release.yaml is for production; a demo that a person watches looks at less, and so allows more: with a margin of five
# points a few hundred requests decide, also where one or two in a hundred are slow because the machine is busy.
SHORTER = {
    "load": (
        "hold.duration=3s",
        "hold.limit=20s",
        "gates.analysis.duration=8s",
        "gates.compare.margin=0.05",
        "bake.duration=4s",
        "bake.limit=20s",
    ),
    "smoke": (
        "steps=[25, 50, 100]",
        "hold.duration=2s",
        "hold.limit=20s",
        "gates.analysis.duration=6s",
        "gates.analysis.rate=60",
        "gates.compare.margin=0.05",
        "bake.duration=2s",
        "bake.limit=20s",
    ),
    # What a node with everything on it, Kubernetes too, can serve beside an analysis load.
    "cluster": (
        "steps=[10, 50, 100]",
        "hold.duration=4s",
        "hold.limit=30s",
        "gates.analysis.duration=8s",
        "gates.analysis.rate=60",
        "gates.compare.margin=0.1",
        "bake.duration=4s",
        "bake.limit=30s",
    ),
}


class Options(msgspec.Struct, frozen=True):
    """What the command was asked for."""

    profile: str
    home: Path
    out: Path
    keep: bool = False
    late_fault: bool = False  # the story of a release that breaks when it has all users
    cluster: bool = False  # on Kubernetes
    users: int = 2000


class Told(msgspec.Struct, frozen=True):
    """What happened, judged by nobody yet; events carry Unix seconds."""

    recording: Recording
    played: tuple[Played, ...]
    events: tuple[Event, ...]
    usage: tuple[Usage, ...]
    facts: tuple[Fact, ...]


class Demo(msgspec.Struct, frozen=True):
    """How it went."""

    result: Result
    played: tuple[Played, ...]
    lost: int  # requests of users that failed or were never answered, beside those of `hurt`
    reached_bad: int  # users' requests that the refused release answered
    proves: bool  # the profile offers what the targets ask for
    report: Path
    parting: tuple[str, ...]  # how to look at the system and end it, if it was kept
    hurt: Hurt | None = None  # users of a release that broke when it had all of them

    @property
    def as_told(self) -> bool:
        """Every act ended as it must, no user reached a refused release, and one that broke was felt by some."""
        felt = self.hurt is None or self.hurt.failed > 0
        return all(p.as_told for p in self.played) and self.reached_bad == 0 and felt


def run(options: Options, screen: Screen) -> Demo:
    """Play the demo. Raises DemoError, and the errors of the parts it uses."""
    profile = read_profile(options.profile)
    overrides = SHORTER.get(profile.name, SHORTER["load"])
    targets = read_targets(ROOT / "slo.yaml")
    make_folder(options.out)  # before anything is started
    here = machine()  # before this process leaves some of it to the slots
    step_aside()
    with _scene(options, overrides, screen) as scene:
        tokens = scene.folder / "tokens.json"
        seed(scene.database_url, scene.jwt_keys, tokens, users=options.users, report=screen.note)
        config = RunConfig(
            profile=profile,
            target=scene.edge,
            out_dir=str(options.out),
            thresholds_ms=targets.thresholds_ms(),
            tokens_path=str(tokens),
            until_path=str(scene.folder / UNTIL),
        )
        told = _under_load(screen, scene, config, late_fault=options.late_fault)
    recording = told.recording
    hurt = _hurt(told)
    result = judge(
        recording,
        targets,
        events=[msgspec.structs.replace(event, t=event.t - recording.epoch) for event in told.events],
        usage=told.usage,
        facts=(*_cut_overs(told.played), *_costs(hurt), *told.facts),
        machine=here,
        title="A release that breaks with all users on it" if options.late_fault else "Blue-green releases under load",
    )
    return Demo(
        result=result,
        played=told.played,
        lost=lost(recording) - (hurt.failed if hurt else 0),
        reached_bad=_reached(recording, told.played),
        proves=_proves(recording, targets),
        report=write_all(result, options.out)[0],
        parting=scene.parting,
        hurt=hurt,
    )


def _scene(options: Options, overrides: tuple[str, ...], screen: Screen) -> AbstractContextManager[Scene]:
    if not options.cluster:
        return local_scene(options.home, overrides, screen, out=options.out, keep=options.keep)
    try:
        from scripts.demo.cluster import cluster_scene  # noqa: PLC0415 - the local demo needs none of it
    except ModuleNotFoundError as exc:
        raise DemoError(f"{exc}; --cluster needs more than `make demo` installs: `make .venv/.dev`") from exc
    return cluster_scene(options.home, overrides, screen, out=options.out, keep=options.keep)


def _under_load(screen: Screen, scene: Scene, config: RunConfig, *, late_fault: bool) -> Told:
    """Play the acts while the load runs, and see what the parts of the system spend meanwhile."""
    events: list[Event] = []
    played: list[Played] = []
    with launch(config) as load, Follower(load, screen) as follower:
        follower.wait_steady(config.profile.warmup_s + START_S)
        spent = scene.spent(load.process_pid)
        spent.start()
        caller = _caller(screen, follower, events)
        for act in late_acts(scene.first, scene.breaks) if late_fault else acts(scene.first):
            caller.on_event(scene.platform.now(), "note", act.title, "")
            played.append(play(act, scene.platform, scene.file, caller))
            if not played[-1].as_told:
                break  # the next act builds on this one; what was measured is still judged
            time.sleep(PAUSE_S)
        (scene.folder / UNTIL).touch()
        follower.wait_steady_end(config.longest_s())
        spent.stop()
        recording = load.wait()
    return Told(recording, tuple(played), tuple(events), spent.usage(recording), spent.facts)


def _caller(screen: Screen, follower: Follower, events: list[Event]) -> engine.Caller:
    """The demo as the engine's caller; what it hears is kept on the wall clock and shown on the run's."""

    def on_event(at: float, kind: str, label: str, detail: str) -> None:
        event = Event(at, kind, label, detail)
        events.append(event)
        screen.event(msgspec.structs.replace(event, t=follower.clock(at)))

    return engine.Caller(actor="primetrade demo", reason="demo", on_event=on_event)


def lost(recording: Recording) -> int:
    """Requests that were sent and not answered well; one that was never sent makes the run invalid instead."""
    steady = [s for s in recording.seconds if s.phase == "steady"]
    return sum(s.failed for s in steady) + recording.generator.unfinished


def _hurt(told: Told) -> Hurt | None:
    """The users of a release that broke and was left, if there was one."""
    broke = [event.t for event in told.events if event.kind == "fault"]
    left = [act for act in told.played if act.left_slot]
    if not (broke and left):
        return None
    return users_hurt(told.recording, left[0].left_slot, broke[0], left[0].ended)


def _reached(recording: Recording, played: Iterable[Played]) -> int:
    """Users' requests that a refused release answered: all that its slot answered in the seconds of that act."""
    return sum(
        second.slots.get(act.refused_slot, 0)
        for act in played
        if act.refused_slot
        for second in recording.seconds
        if act.began <= recording.epoch + second.t and recording.epoch + second.t + 1 <= act.ended
    )


def _proves(recording: Recording, targets: Targets) -> bool:
    """Whether enough was offered to show the throughput asked for; a shorter profile shows the mechanics only."""
    asked = [o.target for o in targets.judged_by(Judge.LOAD) if o.kind is Kind.THROUGHPUT]
    return recording.rate >= max(asked, default=0.0)


def _cut_overs(played: Iterable[Played]) -> Iterator[Fact]:
    """Whole switches only: how soon a probe meets a slot with a small share is a matter of chance."""
    for act in played:
        for cut in act.cut_overs:
            if 100 in (cut.weights.blue, cut.weights.green):
                took = (cut.seen - cut.written) * 1000
                yield Fact(f"{act.title}: {cut.weights}", f"{took:.0f} ms", "from the write until a probe saw it")


def _costs(hurt: Hurt | None) -> Iterator[Fact]:
    if hurt:
        yield Fact("users hurt", f"{hurt.failed:,} requests", f"failed by {hurt.slot} after it had got all users")
        yield Fact("users hurt for", f"{hurt.seconds:.1f} s", "from the fault to the last request that failed")


def stamp() -> str:
    """A folder name that sorts by time."""
    return datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
