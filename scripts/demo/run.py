"""The demo from end to end: a fresh system, load, the story, the verdict, the report."""

from __future__ import annotations

import fcntl
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from loadtest.judge import judge
from loadtest.launch import RunConfig, launch
from loadtest.machine import machine
from loadtest.profile import read_profile
from loadtest.recording import Recording
from loadtest.report import write_all
from loadtest.result import Event, Fact, Result, Usage
from loadtest.seed import seed
from scripts.demo.errors import DemoError
from scripts.demo.follow import Follower
from scripts.demo.screen import Screen
from scripts.demo.spent import Spending
from scripts.demo.story import PAUSE_S, Played, acts, play
from scripts.local import system
from scripts.local.cores import step_aside
from scripts.local.errors import LockedError
from scripts.local.state import State
from scripts.release import engine
from scripts.release.file import ReleaseFile, read_release_file
from scripts.release.local import Local
from slo.objective import Judge, Kind, Targets
from slo.reader import read_targets

ROOT = Path(__file__).parent.parent.parent
MARK = "demo"  # a file in a home this demo made; no other home is ever emptied
UNTIL = "story-told"  # the judged phase lasts until this file is there
START_S = 60.0  # longest wait for the generator to start, on a busy machine

# release.yaml is for production; a demo that a person watches looks at less of it, and says so in the report.
SHORTER = {
    "load": ("hold.duration=3s", "hold.limit=20s", "gates.analysis.duration=8s", "bake.duration=4s", "bake.limit=20s"),
    "smoke": (
        "steps=[25, 50, 100]",
        "hold.duration=2s",
        "hold.limit=20s",
        "gates.analysis.duration=6s",
        "gates.analysis.rate=60",
        "bake.duration=2s",
        "bake.limit=20s",
    ),
}


class Options(msgspec.Struct, frozen=True):
    """What the command was asked for."""

    profile: str
    home: Path
    out: Path
    keep: bool = False
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
    lost: int  # requests of users that failed or were never answered while releases went through
    reached_bad: int  # users' requests that the refused release answered
    proves: bool  # the profile offers what the targets ask for
    report: Path
    edge: str  # address of the system, if it was kept

    @property
    def as_told(self) -> bool:
        """Every act ended as it must, and the bad release had no user."""
        return all(p.as_told for p in self.played) and self.reached_bad == 0


def run(options: Options, screen: Screen) -> Demo:
    """Play the demo. Raises DemoError, and the errors of the parts it uses."""
    profile = read_profile(options.profile)
    file = read_release_file(ROOT / "release.yaml", SHORTER.get(profile.name, SHORTER["load"]))
    targets = read_targets(ROOT / "slo.yaml")
    here = machine()  # before this process leaves some of it to the slots
    step_aside()
    with fresh_system(options, screen) as state:
        tokens = options.home / "tokens.json"
        seed(state.database_url, state.jwt_keys, tokens, users=options.users, report=screen.note)
        config = RunConfig(
            profile=profile,
            target=state.edge_url,
            out_dir=str(options.out),
            thresholds_ms=targets.thresholds_ms(),
            tokens_path=str(tokens),
            until_path=str(options.home / UNTIL),
        )
        told = _under_load(screen, file, state, options.home, config)
    recording = told.recording
    result = judge(
        recording,
        targets,
        events=[msgspec.structs.replace(event, t=event.t - recording.epoch) for event in told.events],
        usage=told.usage,
        facts=(*_cut_overs(told.played), *told.facts),
        machine=here,
        title="Blue-green releases under load",
    )
    return Demo(
        result=result,
        played=told.played,
        lost=lost(recording),
        reached_bad=_reached(recording, told.played),
        proves=_proves(recording, targets),
        report=write_all(result, options.out)[0],
        edge=state.edge_url,
    )


@contextmanager
def fresh_system(options: Options, screen: Screen) -> Iterator[State]:
    """An empty local system of this demo's own; gone afterwards unless it is to be kept."""
    home = options.home
    keep = False
    with _alone(home):
        _empty(home, screen)
        try:
            yield system.up(home, screen.note)
            keep = options.keep
        except BaseException:
            screen.note(f"stopping; logs stay in {home / 'log'}, what was recorded in {options.out}")
            raise
        finally:
            if not keep:
                system.down(home, screen.note)


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Be the only demo in this home. Raises LockedError; a killed demo holds nothing."""
    try:
        home.parent.mkdir(parents=True, exist_ok=True)
        file = home.with_name(f"{home.name}.lock").open("w")
    except OSError as exc:
        raise DemoError(f"{exc.filename}: {exc.strerror}: give another --home") from exc
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LockedError(f"another demo runs in {home}: wait for its end, or give another --home") from None
        yield


def _empty(home: Path, screen: Screen) -> None:
    """Make room: what an earlier demo left there goes, anything else stays. Raises DemoError."""
    try:
        if home.exists() and any(home.iterdir()):
            if not (home / MARK).exists():
                raise DemoError(f"{home} is not empty and was not made by the demo: give another --home, or none")
            screen.note(f"replacing what an earlier demo left in {home}")
        system.down(home, screen.note)  # also what runs without its folder
        shutil.rmtree(home, ignore_errors=not home.exists())
        home.mkdir(parents=True, exist_ok=True)
        (home / MARK).touch()
    except OSError as exc:  # made by root, say
        raise DemoError(f"{exc.filename}: {exc.strerror}: remove {home}, or give another --home") from exc


def _under_load(screen: Screen, file: ReleaseFile, state: State, home: Path, config: RunConfig) -> Told:
    """Play the acts while the load runs, and see what the parts of the system spend meanwhile."""
    platform = Local(home, file)
    events: list[Event] = []
    played: list[Played] = []
    with launch(config) as load, Follower(load, screen) as follower:
        follower.wait_steady(config.profile.warmup_s + START_S)
        spent = Spending(state, home, load.process_pid)
        spent.start()
        caller = _caller(screen, follower, events)
        for act in acts(system.FIRST.version):
            caller.on_event(platform.now(), "note", act.title, "")
            played.append(play(act, platform, file, caller))
            if not played[-1].as_told:
                break  # the next act builds on this one; what was measured is still judged
            time.sleep(PAUSE_S)
        (home / UNTIL).touch()
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


def stamp() -> str:
    """A folder name that sorts by time."""
    return datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
