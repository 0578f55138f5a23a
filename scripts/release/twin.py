"""The in-memory platform: a twin for fast tests, with a clock of its own and users that never arrive by chance.

It runs nothing: what a version does is declared in `behaviours`. The same contract tests run over it and over real
processes. What it cannot show: time a switch takes, requests in flight, and everything that only a kernel does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from scripts.release.errors import Fenced, Refused, ReleaseError, RouteMoved
from scripts.release.journal import Entry, Holder, refuse_late
from scripts.release.lock import refusal
from scripts.release.route import SLOTS, Route, Target, Weights
from scripts.release.slots import (
    Answer,
    Finding,
    Load,
    Observed,
    Range,
    Release,
    Request,
    Sample,
    Slot,
    Tally,
)
from scripts.release.step import Step
from scripts.release.supply import measured_rate
from slo.compare import Counts

ANY = Range(0, 99)  # schema levels, for who does not care


@dataclass
class Behaviour:
    """What a version does when it runs."""

    failed: float = 0.0  # share of requests
    slow: float = 0.0  # share of ok answers
    ready_s: float = 1.0  # seconds from start to ready; infinite: never
    crashes: bool = False
    lost: int = 0  # replicas that ended by themselves: the slot answers, and is not ready in full
    deaf: bool = False  # one of its replicas does not hear of draining; the others do
    says: str = ""  # another version than its own
    mute: bool = False  # its version probe gets no answer
    schema: Range | None = ANY
    broken: tuple[str, ...] = ()  # paths answered with 500
    bodies: dict[str, Callable[[], str]] = field(default_factory=dict)  # by path
    takes_s: float = 0.0  # to answer a request that is asked


@dataclass
class _Count:
    requests: float = 0.0
    failed: float = 0.0
    slow: float = 0.0

    def add(self, requests: float, failed: float, slow: float) -> None:
        self.requests += requests
        self.failed += requests * failed
        self.slow += requests * (1 - failed) * slow

    @property
    def tally(self) -> Tally:
        return Tally(int(self.requests), int(self.failed + 1e-9), int(self.slow + 1e-9))


@dataclass
class _Slot:
    release: Release
    started: float
    replicas: int = 1
    draining: bool = False
    users: _Count = field(default_factory=_Count)
    reads: _Count = field(default_factory=_Count)


class _Journal:
    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def read(self) -> Sequence[Entry]:
        return tuple(self.entries)

    def append(self, entry: Entry) -> None:
        refuse_late(entry, self.entries[-1:])
        self.entries.append(entry)


@dataclass
class Twin:
    """A platform in memory; `rate` users' requests a second arrive while its clock runs."""

    rate: float = 1000.0
    audience: float = 0.02  # share of the requests that it sends
    read: float = 0.8  # share of the requests that are reads
    name: str = "twin"
    revive: str = "`primetrade local up` starts it again"
    clock: float = 1_800_000_000.0
    behaviours: dict[str, Behaviour] = field(default_factory=dict)
    journal: _Journal = field(default_factory=_Journal)
    calls: list[str] = field(default_factory=list)  # every change, in order
    on_tick: Callable[[], object] = lambda: None  # called whenever time passes: faults and hand edits enter here
    load_error: str = ""  # why analysis load cannot be made
    tally_error: str = ""  # why users' requests cannot be counted
    seen: Callable[[Mapping[str, Tally]], Mapping[str, Tally]] = lambda counts: counts  # what is read of their counts
    observe_error: str = ""  # why slots and route cannot be seen
    unable: str = ""  # why no plan can be carried out here
    migrates: Callable[[int], str] = lambda level: f"schema level {level}"  # the last line of a migration to a level
    slots: dict[str, _Slot] = field(default_factory=dict)
    current: Route = field(default_factory=lambda: Route(Target(Weights(100, 0)), "0"))
    held: Holder | None = None
    fence: int = 0  # the highest seen
    asked: int = 0

    @contextmanager
    def lock(self, holder: Holder) -> Iterator[int]:
        if self.held:
            raise refusal(self.held)
        self.held = holder
        self.fence = max(self.fence, *(entry.fence for entry in self.journal.entries), 0) + 1
        try:
            yield self.fence
        finally:
            if self.held is holder:
                self.held = None

    def holder(self) -> Holder | None:
        return self.held

    def unlock(self) -> None:
        self.held = None
        self.fence += 1

    def observe(self) -> Observed:
        if self.observe_error:
            raise ReleaseError(self.observe_error)
        return Observed({name: self._slot(name) for name in SLOTS}, self.current)

    def refusal(self, steps: Sequence[Step]) -> str:
        return self.unable

    def expand(self, command: Sequence[str], level: int, release: Release, fence: int) -> str:
        self._change(f"expand {' '.join(command)}", fence)
        return self.migrates(level)

    def deploy(self, slot: str, release: Release, replicas: int, fence: int) -> None:
        self._refuse_users(slot)
        self._change(f"deploy {release.version} on {slot}", fence)
        found = self.slots.get(slot)
        if found and found.release.digest == release.digest and self._slot(slot).running:
            found.draining, found.replicas = False, replicas
        else:
            self.slots[slot] = _Slot(release, self.clock, replicas)

    def scale(self, slot: str, replicas: int, fence: int) -> None:
        if slot not in self.slots:
            raise ReleaseError(f"{slot} does not run: nothing to scale")
        self._change(f"scale {slot} to {replicas}", fence)
        self.slots[slot].replicas = replicas

    def route(self, target: Target, expected: str, run: str, fence: int) -> str:
        self._refuse_old(fence)
        if self.current.token != expected:
            raise RouteMoved(f"the route says {self.current.target}; it was moved since it was read")
        self._change(f"route {target}", fence)
        self.edit(target, run, fence)
        return self.current.token

    def edit(self, target: Target, run: str = "", fence: int = 0) -> None:
        """Write the route without asking, as a hand does."""
        self.current = Route(target, str(int(self.current.token) + 1), run, fence)

    def drain(self, slot: str, on: bool, fence: int) -> None:
        self._change(f"{'drain' if on else 'undrain'} {slot}", fence)
        if slot not in self.slots:
            raise ReleaseError(f"{slot} does not run: nothing to drain")
        self.slots[slot].draining = on
        if self._behaviour(slot).deaf:
            raise ReleaseError(f"a replica of {slot} does not answer")

    def retire(self, slot: str, fence: int) -> None:
        self._refuse_users(slot)
        self._change(f"retire {slot}", fence)
        self.slots.pop(slot, None)

    def ask(self, request: Request, slot: str = "") -> Answer:
        name = slot or self._chosen(request)
        mirror = self.current.target.mirror
        if not slot and mirror in self.slots and self._answers(mirror):
            self.slots[mirror].reads.add(1, request.path in self._behaviour(mirror).broken, 0)
        if not self._answers(name):
            return Answer(503, name, "no healthy upstream")
        does = self._behaviour(name)
        self.clock += does.takes_s
        body = does.bodies[request.path]() if request.path in does.bodies else ""
        return Answer(500 if request.path in does.broken else request.expect, name, body)

    def edge(self) -> str:
        return ""

    def preview(self, slot: str) -> tuple[str, Mapping[str, str]]:
        return "", {}

    def tally(self) -> Mapping[str, Tally]:
        if self.tally_error:
            raise ReleaseError(self.tally_error)
        return self.seen({name: slot.users.tally for name, slot in self.slots.items()})

    def arriving(self) -> float:
        return measured_rate(self.tally, self.now, self.sleep)

    def reads(self) -> Mapping[str, Tally]:
        if self.tally_error:
            raise ReleaseError(self.tally_error)
        return self.seen({name: slot.reads.tally for name, slot in self.slots.items()})

    def analyse(self, load: Load) -> Sample:
        if self.load_error:
            raise ReleaseError(self.load_error)
        self.sleep(load.seconds)
        each = round(load.rate * load.seconds / 2)
        arms = {}
        for name in self.slots:
            does = self._behaviour(name)
            failed = round(each * does.failed)
            arms[name] = Counts(each - failed, failed, round((each - failed) * does.slow))
        return {"GET /": arms}

    def diagnose(self) -> Sequence[Finding]:
        return ()

    def now(self) -> float:
        return self.clock

    def sleep(self, seconds: float) -> None:
        self.clock += seconds
        for name in tuple(self.slots):
            self._serve(name, self.rate * seconds)
        self.on_tick()

    def _serve(self, name: str, requests: float) -> None:
        slot, does, target = self.slots[name], self._behaviour(name), self.current.target
        named = self.audience if target.first else 0.0
        share = (1 - named) * target.weights.of(name) / 100 + (named if target.first == name else 0.0)
        failed = does.failed if self._answers(name) else 1.0
        slot.users.add(requests * share, failed, does.slow)
        copied = 1.0 if target.mirror == name else share
        slot.reads.add(requests * copied * self.read, failed, does.slow)

    def _change(self, words: str, fence: int) -> None:
        self._refuse_old(fence)
        self.fence = fence
        self.calls.append(words)

    def _refuse_old(self, fence: int) -> None:
        if fence < self.fence:
            raise Fenced(f"run {fence} lost its lock to run {self.fence}: it changes nothing more")

    def _behaviour(self, name: str) -> Behaviour:
        return self.behaviours.get(self.slots[name].release.version, Behaviour())

    def _answers(self, name: str) -> bool:
        slot = self.slots.get(name)
        if slot is None or slot.draining:
            return False
        does = self._behaviour(name)
        return not does.crashes and self.clock >= slot.started + does.ready_s

    def _slot(self, name: str) -> Slot:
        slot = self.slots.get(name)
        if slot is None:
            return Slot(name)
        does, release = self._behaviour(name), slot.release
        running = not does.crashes
        speaks = running and not does.mute
        return Slot(
            name=name,
            version=release.version,
            digest=release.digest,
            says=(does.says or release.version) if speaks else "",
            running=running,
            ready=self._answers(name) and not does.lost,
            serving=slot.replicas - does.lost if self._answers(name) else 0,
            wanted=slot.replicas,
            capacity=slot.replicas - does.lost if running else 0,
            schema=does.schema if speaks else None,
            spec=release,
            log=f"{name}.log",
        )

    def _chosen(self, request: Request) -> str:
        """The slots in turn, by their weights: the blue share of the first n requests is always within one of right."""
        target = self.current.target
        cookies = [f"{name}={value}" for name, value in target.audience.cookies.items()]
        sent = request.headers.items()
        if any(pair in sent for pair in target.audience.headers.items()) or request.headers.get("cookie") in cookies:
            return target.first
        weight = target.weights.blue
        self.asked += 1
        return "blue" if self.asked * weight // 100 > (self.asked - 1) * weight // 100 else "green"

    def _refuse_users(self, slot: str) -> None:
        if self._answers(slot) and self.current.target.has_users(slot):
            raise Refused(f"{slot} has users ({self.current.target}): move them away first")
