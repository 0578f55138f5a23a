"""A twin that can be hurt at any of its calls, and that writes down what the engine does to users.

Its calls are counted; a trap set beforehand springs at one of them: a kill, a lost reply, a second actor, a hand.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import msgspec

from scripts.release.journal import Entry
from scripts.release.route import SLOTS, Target, other
from scripts.release.slots import Observed, Release, Slot
from scripts.release.twin import Behaviour, Twin

CHANGES: Final = frozenset({"expand", "deploy", "scale", "route", "drain", "retire", "append"})
BORNE_S: Final = 3.0  # so long a version that turns bad serves its share before it does


class Killed(BaseException):
    """Ends a run without a word, as SIGKILL does; the kernel then frees its lock."""


class Trap(NamedTuple):
    """What happens at the n-th call: before it, or once it had its effect and before its reply."""

    number: int
    springs: Callable[[], object]
    after: bool = False
    changes: bool = True  # only calls that change something are counted


def _told(name: str) -> Any:
    """The twin's method of that name, with the trap before and behind it."""
    act = getattr(Twin, name)

    def call(self: Faulty, *args: Any, **named: Any) -> Any:
        with self.called(name):
            return act(self, *args, **named)

    return call


@dataclass
class Faulty(Twin):
    """The twin with faults. `turns` names versions that go bad once they bear so many percent of the users."""

    trap: Trap | None = None
    reached: int = 0  # calls since the trap was set
    turns: dict[str, int] = field(default_factory=dict)
    died: set[str] = field(default_factory=set)  # slots whose process ended by itself
    dipped: set[str] = field(default_factory=set)  # slots that run and are not ready
    borne: dict[str, float] = field(default_factory=dict)  # slot → seconds under its share
    wronged: list[str] = field(default_factory=list)  # what the engine did to users and should not have
    told: Observed | None = None  # what an engine saw last

    def __post_init__(self) -> None:
        journal = self.journal
        self.journal = _Journal(self, journal)  # type: ignore[assignment]

    expand, scale, drain, retire = (_told(name) for name in ("expand", "scale", "drain", "retire"))
    ask, tally, reads, analyse = (_told(name) for name in ("ask", "tally", "reads", "analyse"))

    @contextmanager
    def called(self, name: str) -> Iterator[None]:
        """Spring the trap where this is its call."""
        self._reach(name, after=False)
        yield
        self._reach(name, after=True)

    def _reach(self, name: str, *, after: bool) -> None:
        if self.trap is None or (self.trap.changes and name not in CHANGES) or self.trap.after is not after:
            return
        self.reached += 1
        if self.reached == self.trap.number:
            springs, self.trap = self.trap.springs, None
            springs()

    def set_trap(self, trap: Trap | None) -> None:
        self.trap, self.reached = trap, 0

    def observe(self) -> Observed:
        with self.called("observe"):
            self.told = super().observe()
        return self.told

    def deploy(self, slot: str, release: Release, replicas: int, fence: int) -> None:
        before = self.slots.get(slot)
        with self.called("deploy"):
            super().deploy(slot, release, replicas, fence)
            if self.slots[slot] is not before:  # a new process
                for faults in (self.died, self.dipped):
                    faults.discard(slot)
                self.borne.pop(slot, None)

    def route(self, target: Target, expected: str, run: str, fence: int) -> str:
        with self.called("route"):
            earlier = self.current.target
            token = super().route(target, expected, run, fence)
            self.wronged += _wrong(earlier, target, self.told)
        return token

    def sleep(self, seconds: float) -> None:
        with self.called("sleep"):
            super().sleep(seconds)
            for name, slot in self.slots.items():
                share = self.turns.get(slot.release.version)
                if share and self.current.weights.of(name) >= share:
                    self.borne[name] = self.borne.get(name, 0) + seconds

    def breaks(self, what: str) -> None:
        """A fault by its name: of a slot ("blue dies", "green dips"), or of what the engine asks."""
        match what.split():
            case [slot, fault]:
                getattr(self, fault)(slot)
            case ["figures"]:
                self.tally_error = "no figures: the admin port does not answer"
            case ["blind"]:
                self.observe_error = "the admin port does not answer"
            case ["load"]:
                self.load_error = "no load: no tokens"
            case ["few"]:
                self.rate = 1
            case ["hours"]:
                self.clock += 6 * 3600

    def mend(self) -> None:
        """What was broken works again; slots that died stay dead."""
        self.tally_error = self.observe_error = self.load_error = ""
        self.dipped.clear()
        self.rate = 1000

    def dies(self, name: str) -> None:
        """The process of a slot ends by itself."""
        if name in self.slots:
            self.died.add(name)

    def dips(self, name: str) -> None:
        """A slot runs and is not ready, until it is taken off the list."""
        self.dipped.add(name)

    def clone(self) -> Faulty:
        """The same service once more, with no trap: what happens to it does not happen here."""
        names = {each.name for each in dataclasses.fields(Faulty)} - {"journal", "trap", "slots"}
        found = Faulty(**{name: copy.copy(getattr(self, name)) for name in names})
        found.slots = {name: _copied(slot) for name, slot in self.slots.items()}
        found.journal.entries.extend(self.journal.entries)
        return found

    def _behaviour(self, name: str) -> Behaviour:
        return Behaviour(failed=0.05) if self.borne.get(name, 0) > BORNE_S else super()._behaviour(name)

    def _slot(self, name: str) -> Slot:
        found = super()._slot(name)
        if name in self.died:
            return msgspec.structs.replace(found, says="", running=False, ready=False, capacity=0, schema=None)
        return msgspec.structs.replace(found, ready=found.ready and name not in self.dipped)

    def _answers(self, name: str) -> bool:
        return super()._answers(name) and name not in self.died | self.dipped


class _Journal:
    def __init__(self, twin: Faulty, inner: Any) -> None:
        self.twin, self.inner = twin, inner

    @property
    def entries(self) -> list[Entry]:
        return self.inner.entries

    def read(self) -> Sequence[Entry]:
        with self.twin.called("read"):
            return self.inner.read()

    def append(self, entry: Entry) -> None:
        with self.twin.called("append"):
            self.inner.append(entry)


def _copied(slot: Any) -> Any:
    counts = {name: copy.copy(getattr(slot, name)) for name in ("users", "reads")}
    return dataclasses.replace(slot, **counts)


def _wrong(before: Target, after: Target, told: Observed | None) -> list[str]:
    """Users sent to a slot that, as far as the engine was told, could not answer them.

    All of them to a slot that has some already is a way back: what they leave is worse, where that one answers or
    neither does.
    """
    gains = {name for name in SLOTS if after.has_users(name) and not before.has_users(name)}
    if after.sole is None:
        gains |= {name for name in SLOTS if after.weights.of(name) > before.weights.of(name)}
    wrong = [name for name in gains if told and not told.slots[name].ready]
    wrong += [
        name for name in SLOTS if told and after.weights.of(name) > before.weights.of(name) and _silent(told, name)
    ]
    return [f"{after} was written while {name} was not ready" for name in wrong]


def _silent(told: Observed, name: str) -> bool:
    """Whether only the other slot answers anybody."""
    return not told.slots[name].serving and told.slots[other(name)].serving > 0
