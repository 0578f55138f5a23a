"""The gates over traffic: users', copies of their reads, or the audience's, looked at once a second.

Every look adds a block to a test that may be looked at as often as one likes (`slo.watch`): it refuses at any look, and
passes at the end of the window or later, never because time is up. Figures that cannot be relied on pass nothing
either, and what became of the slot is seen without them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Protocol

from scripts.release.gates.figures import Counts, Figures
from scripts.release.gates.health import Health
from scripts.release.gates.smoke import unexpected
from scripts.release.judge import Verdict
from scripts.release.route import other
from scripts.release.run import Run
from scripts.release.slots import Tally
from scripts.release.step import Stage, Step
from slo import watch
from slo.objective import Outcome
from slo.sequential import Sample
from slo.watch import Block, Finding, Measure

LOOK_S = 1.0


class _Test(Protocol):
    """What is made of the figures."""

    slots: tuple[str, ...]

    def open(self, figures: Counts) -> None: ...

    def add(self, block: Counts) -> None: ...

    @property
    def finding(self) -> Finding: ...


def hold(run: Run, step: Step) -> Verdict:
    """The new slot against the old one between two moves of the route."""
    return _watched(run, step, _Hold(run, step))


def bake(run: Run, step: Step) -> Verdict:
    """The new slot with all users, against the share that may fail; then the checks through the users' route."""
    verdict = _watched(run, step, _Bake(run, step))
    if verdict.outcome is Outcome.FAIL:
        return verdict
    for check in run.file.settings.bake.checks:
        answer = run.platform.ask(check)
        if answer.status != check.expect:
            return Verdict(Outcome.FAIL, unexpected(check, answer, answer.slot or "the users' route"))
    return verdict


class _Hold:
    """Evidence against the release is the run's, from gate to gate; evidence for it is this gate's own."""

    def __init__(self, run: Run, step: Step) -> None:
        self.run = run
        self.slots: tuple[str, ...] = (other(step.slot), step.slot)
        self.late_ms: float | None = None

    def open(self, figures: Counts) -> None:
        file = self.run.file
        compare = file.settings.gates.compare
        self.late_ms = watch.kept_ms(figures[self.slots[0]].within)
        claims = watch.Claims(compare.margin, file.failure_share, compare.error_rate, compare.error_rate)
        earlier = self.run.evidence
        self.run.evidence = earlier.again(self.late_ms) if earlier else watch.Hold.open(claims, self.late_ms)

    def add(self, block: Counts) -> None:
        old, new = (block[name] for name in self.slots)
        assert self.run.evidence is not None
        self.run.evidence = self.run.evidence.add(_block(old, new, self.late_ms))

    @property
    def finding(self) -> Finding:
        assert self.run.evidence is not None
        return self.run.evidence.finding


class _Bake:
    def __init__(self, run: Run, step: Step) -> None:
        settings = run.file.settings
        self.slots: tuple[str, ...] = (step.slot,)
        rate = settings.gates.compare.error_rate
        self.test = watch.Bake.open(settings.bake.failure_share, rate, rate)

    def open(self, figures: Counts) -> None:
        """Nothing depends on what was before."""

    def add(self, block: Counts) -> None:
        self.test = self.test.add(_failed(block[self.slots[0]]))

    @property
    def finding(self) -> Finding:
        return self.test.finding


def _watched(run: Run, step: Step, test: _Test) -> Verdict:
    watched = _Watch(run, step, test)
    while True:
        if verdict := watched.look():
            return verdict
        run.platform.sleep(watched.pause())


class _Watch:
    """One window."""

    def __init__(self, run: Run, step: Step, test: _Test) -> None:
        self.run, self.step, self.test = run, step, test
        read = run.platform.reads if step.stage is Stage.SHADOW else run.platform.tally
        self.figures = Figures(read, test.slots, latency=len(test.slots) > 1)
        self.health = Health(run, step.slot)
        self.due = run.platform.now()  # the next look
        self.limit = min(self.due + step.limit, run.until)
        self.begun = math.inf
        self.told = False

    def pause(self) -> float:
        """Seconds until the next look: one a second, whatever the looks themselves take."""
        now = self.run.platform.now()
        self.due = min(max(self.due + LOOK_S, now), now + LOOK_S)
        return self.due - now

    def look(self) -> Verdict | None:
        """A verdict, if there can be one by now."""
        if refused := self.health.look():
            return refused
        now = self.run.platform.now()
        block = self.figures.look(now)
        if self.begun == math.inf and self.figures.first:
            self.begun = now
            self.test.open(self.figures.first)
        if block:
            self.test.add(block)
        found = self.test.finding if self.begun < math.inf else Finding(Outcome.INCONCLUSIVE, "nothing was judged")
        if found.outcome is Outcome.FAIL:
            return Verdict(found.outcome, found.words, found.needed)
        trouble = "; ".join(words for words in (self.health.trouble, self.figures.trouble) if words)
        return self._settled(found, trouble, whole=now - self.begun >= self.step.seconds, over=now >= self.limit)

    def _settled(self, found: Finding, trouble: str, *, whole: bool, over: bool) -> Verdict | None:
        """A window that is whole may pass, one whose time is up may not: then it says what is missing."""
        if whole and found.outcome is Outcome.PASS and not trouble:
            return Verdict(found.outcome, found.words, found.needed)
        words = f"{trouble}; so far: {found.words}" if trouble else found.words
        if over:
            return Verdict(Outcome.INCONCLUSIVE, words, found.needed)
        if whole and not self.told:
            self.told = True
            self.run.event("note", f"{self.step.kind} of {self.step.slot} goes on", words)
        return None


def _block(old: Tally, new: Tally, late_ms: float | None) -> Block:
    """What the test is fed; without a measure that a slot does not tell."""
    found = {Measure.FAILED: (_failed(old), _failed(new))}
    if old.slow is not None and new.slow is not None:
        found[Measure.SLOW] = _slow(old), _slow(new)
    was, now = old.within or {}, new.within or {}
    if late_ms is not None and late_ms in was and late_ms in now:
        found[Measure.LATE] = _over(was, late_ms), _over(now, late_ms)
    return found


def _failed(tally: Tally) -> Sample:
    return Sample(min(tally.failed, tally.requests), tally.requests)


def _slow(tally: Tally) -> Sample:
    """The edge counts the answers and the slot the slow ones, at two moments: no more are slow than there are."""
    good = tally.requests - _failed(tally).bad
    return Sample(min(tally.slow or 0, good), good)


def _over(within: Mapping[float, int], bound: float) -> Sample:
    return Sample(max(0, within[math.inf] - within[bound]), max(0, within[math.inf]))
