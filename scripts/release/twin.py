"""The in-memory platform: a twin for fast tests, with a clock of its own and users that never arrive by chance.

It runs nothing: what a version does is declared in `behaviours`. The same contract tests run over it and over real
processes. What it cannot show: time a switch takes, requests in flight, and everything that only a kernel does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from scripts.release.errors import Refused, ReleaseError, RouteMoved
from scripts.release.journal import Entry, Holder
from scripts.release.lock import refusal
from scripts.release.slots import (
    SLOTS,
    Answer,
    Load,
    Observed,
    Range,
    Release,
    Request,
    Route,
    Sample,
    Slot,
    Tally,
    Weights,
)
from slo.compare import Counts


@dataclass
class Behaviour:
    """What a version does when it runs."""

    failed: float = 0.0  # share of requests
    slow: float = 0.0  # share of ok answers
    ready_s: float = 1.0  # seconds from start to ready; infinite: never
    crashes: bool = False
    says: str = ""  # another version than its own
    mute: bool = False  # its version probe gets no answer
    schema: Range | None = None
    broken: tuple[str, ...] = ()  # paths answered with 500


@dataclass
class _Slot:
    release: Release
    started: float
    draining: bool = False
    requests: float = 0.0
    failed: float = 0.0
    slow: float = 0.0


class _Journal:
    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def read(self) -> Sequence[Entry]:
        return tuple(self.entries)

    def append(self, entry: Entry) -> None:
        self.entries.append(entry)


@dataclass
class Twin:
    """A platform in memory; `rate` users' requests a second arrive while its clock runs."""

    rate: float = 1000.0
    name: str = "twin"
    clock: float = 1_800_000_000.0
    behaviours: dict[str, Behaviour] = field(default_factory=dict)
    journal: _Journal = field(default_factory=_Journal)
    calls: list[str] = field(default_factory=list)  # every change, in order
    on_tick: Callable[[], object] = lambda: None  # called whenever time passes: faults and hand edits enter here
    load_error: str = ""  # why analysis load cannot be made
    tally_error: str = ""  # why users' requests cannot be counted
    observe_error: str = ""  # why slots and route cannot be seen
    slots: dict[str, _Slot] = field(default_factory=dict)
    current: Route = field(default_factory=lambda: Route(Weights(100, 0), "0"))
    held: Holder | None = None
    asked: int = 0

    @contextmanager
    def lock(self, holder: Holder) -> Iterator[int]:
        if self.held:
            raise refusal(self.held)
        self.held = holder
        try:
            yield max((entry.fence for entry in self.journal.entries), default=0) + 1
        finally:
            self.held = None

    def holder(self) -> Holder | None:
        return self.held

    def observe(self) -> Observed:
        if self.observe_error:
            raise ReleaseError(self.observe_error)
        return Observed({name: self._slot(name) for name in SLOTS}, self.current)

    def expand(self, command: Sequence[str]) -> str:
        self.calls.append(f"expand {' '.join(command)}")
        return "expanded"

    def deploy(self, slot: str, release: Release) -> None:
        self._refuse_users(slot)
        self.calls.append(f"deploy {release.version} on {slot}")
        found = self.slots.get(slot)
        if found and found.release.digest == release.digest and self._slot(slot).running:
            found.draining = False
        else:
            self.slots[slot] = _Slot(release, self.clock)

    def route(self, weights: Weights, expected: str, run: str, fence: int) -> str:
        if self.current.token != expected or self.current.fence > fence:
            raise RouteMoved(f"the route says {self.current.weights}; it was moved since it was read")
        self.calls.append(f"route {weights}")
        self.edit(weights, run, fence)
        return self.current.token

    def edit(self, weights: Weights, run: str = "", fence: int = 0) -> None:
        """Write the route without asking, as a hand does."""
        self.current = Route(weights, str(int(self.current.token) + 1), run, fence)

    def drain(self, slot: str, on: bool) -> None:
        self.calls.append(f"{'drain' if on else 'undrain'} {slot}")
        if slot not in self.slots:
            raise ReleaseError(f"{slot} does not run: nothing to drain")
        self.slots[slot].draining = on

    def retire(self, slot: str) -> None:
        self._refuse_users(slot)
        self.calls.append(f"retire {slot}")
        self.slots.pop(slot, None)

    def ask(self, request: Request, slot: str = "") -> Answer:
        name = slot or self._chosen()
        if not (self._slot(name).running and self._slot(name).ready):
            return Answer(503, name, "no healthy upstream")
        broken = request.path in self._behaviour(name).broken
        return Answer(500 if broken else request.expect, name)

    def tally(self) -> Mapping[str, Tally]:
        if self.tally_error:
            raise ReleaseError(self.tally_error)
        return {
            name: Tally(int(slot.requests), int(slot.failed + 1e-9), int(slot.slow + 1e-9))
            for name, slot in self.slots.items()
        }

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

    def now(self) -> float:
        return self.clock

    def sleep(self, seconds: float) -> None:
        self.clock += seconds
        for name, slot in self.slots.items():
            here = self.rate * seconds * self.current.weights.of(name) / 100
            does = self._behaviour(name)
            slot.requests += here
            slot.failed += here * (does.failed if self._slot(name).ready else 1.0)
            slot.slow += here * (1 - does.failed) * does.slow
        self.on_tick()

    def _behaviour(self, name: str) -> Behaviour:
        return self.behaviours.get(self.slots[name].release.version, Behaviour())

    def _slot(self, name: str) -> Slot:
        slot = self.slots.get(name)
        if slot is None:
            return Slot(name)
        does, release = self._behaviour(name), slot.release
        running = not does.crashes
        return Slot(
            name=name,
            version=release.version,
            digest=release.digest,
            says=(does.says or release.version) if running and not does.mute else "",
            running=running,
            ready=running and not slot.draining and self.clock >= slot.started + does.ready_s,
            capacity=1,
            schema=does.schema,
            log=f"{name}.log",
        )

    def _chosen(self) -> str:
        """The slots in turn, by their weights: the blue share of the first n requests is always within one of right."""
        weight = self.current.weights.blue
        self.asked += 1
        return "blue" if self.asked * weight // 100 > (self.asked - 1) * weight // 100 else "green"

    def _refuse_users(self, slot: str) -> None:
        if self._slot(slot).ready and self.current.weights.of(slot):
            raise Refused(f"{slot} has {self.current.weights.of(slot)} % of the users: move them away first")
