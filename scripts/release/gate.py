"""The gates at work: they watch users' traffic or send analysis load, and end as a verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from scripts.release.errors import ReleaseError, RouteMoved
from scripts.release.judge import Verdict, judge_analysis, judge_bake, judge_early, judge_hold, looks_in
from scripts.release.route import other
from scripts.release.run import Run
from scripts.release.slots import Load, Request, Slot, Tally
from scripts.release.step import Stage, Step
from slo.objective import Outcome

Judge = Callable[[Tally, Tally], Verdict]  # of what the old and the new slot answered since the window began

LOOK_S = 1.0
ILL_LOOKS = 3  # in a row: one late probe on a busy machine is not a verdict


class GateFailed(Exception):  # noqa: N818 - a verdict that ends the way forward, not a mistake
    """The release is refused; the message is the reason, as a person reads it."""


class GateOpen(Exception):  # noqa: N818 - as above
    """The gate cannot decide; the message says what is missing."""


def settle(run: Run, step: Step, verdict: Verdict) -> str:
    """The words of a passed gate. Raises GateFailed, GateOpen, or ReleaseError for a gate that could not judge."""
    run.event("gate", f"{step.kind} of {step.slot}: {verdict.outcome}", verdict.words)
    run.verdicts.append(f"{step.kind}: {verdict.outcome}, {verdict.words}")
    match verdict.outcome:
        case Outcome.FAIL:
            raise GateFailed(verdict.words)
        case Outcome.INCONCLUSIVE:
            raise GateOpen(verdict.words)
        case Outcome.ERROR:
            raise ReleaseError(f"the {step.kind} gate could not judge: {verdict.words}")
    return verdict.words


def analysis_gate(run: Run, step: Step) -> str:
    """Bounded load through the preview route to both slots, judged route by route. None of it counts as users'."""
    analysis = run.file.settings.gates.analysis
    load = Load(analysis.profile, analysis.rate, analysis.duration, run.file.latency_ms, seed=run.fence)
    sample = run.platform.analyse(load)
    run.observe()
    return settle(run, step, judge_analysis(sample, other(step.slot), step.slot, run.file))


def hold_gate(run: Run, step: Step) -> str:
    """Users' traffic on both slots between two shifts."""

    def judge(old: Tally, new: Tally) -> Verdict:
        return judge_hold(old, new, run.file)

    return settle(run, step, _watch(run, step, run.file.failure_share, judge))


def bake_gate(run: Run, step: Step) -> str:
    """Users' traffic on the new slot after the last shift, and the checks through the users' route."""

    def judge(_: Tally, new: Tally) -> Verdict:
        return judge_bake(new, run.file)

    verdict = _watch(run, step, run.file.settings.bake.failure_share, judge)
    for check in run.file.settings.bake.checks:
        answer = run.platform.ask(check)
        if answer.status != check.expect:
            found = f"{check.method} {check.path}: expected {check.expect}, found {answer.status}: {answer.body[:200]}"
            verdict = Verdict(Outcome.FAIL, found)
    return settle(run, step, verdict)


def _watch(run: Run, step: Step, allowed: float, judge: Judge) -> Verdict:
    """Look every second; judge at the end of the window, and once more when enough requests came or time is up.

    A source of figures that is down is no verdict: the gate goes on looking, and is inconclusive in the end.
    """
    watch = _Watch(run, step, allowed, judge)
    while True:
        try:
            verdict = watch.look()
        except RouteMoved:
            raise
        except ReleaseError as exc:
            verdict = Verdict(Outcome.INCONCLUSIVE, str(exc)) if watch.over else None
        if verdict:
            return verdict
        run.platform.sleep(LOOK_S)


class _Watch:
    """One window of users' traffic."""

    def __init__(self, run: Run, step: Step, allowed: float, judge: Judge) -> None:
        self.run, self.step, self.allowed, self.judge = run, step, allowed, judge
        self.tally = run.platform.reads if step.stage is Stage.SHADOW else run.platform.tally
        self.limit = run.platform.now() + step.limit
        self.begun = 0.0
        self.before: Mapping[str, Tally] | None = None
        self.first: Verdict | None = None
        self.ill = 0

    @property
    def over(self) -> bool:
        """Whether the gate's time is up."""
        return self.run.platform.now() >= self.limit

    def look(self) -> Verdict | None:
        """A verdict, if there can be one by now."""
        slot = self.run.observe().slots[self.step.slot]
        ill = _ill(self.run, slot)
        self.ill = self.ill + 1 if ill else 0
        if not slot.running or self.ill == ILL_LOOKS:
            return Verdict(Outcome.FAIL, f"{slot.name} {ill}")
        now = self.tally()
        if self.before is None:  # the window opens with the first figures
            self.begun, self.before = self.run.platform.now(), now
            return None
        old, new = (now.get(n, Tally()).since(self.before.get(n, Tally())) for n in (other(slot.name), slot.name))
        if early := judge_early(old, new, self.allowed, looks_in(self.step.limit), self.run.file):
            return early
        if self.first is None and self.run.platform.now() - self.begun >= self.step.seconds:
            self.first = self.judge(old, new)
            if self.first.outcome is not Outcome.INCONCLUSIVE or self.over:
                return self.first
            self.run.event("note", f"{self.step.kind} of {slot.name} waits for requests", self.first.words)
            return None
        enough = self.first and self.first.needed is not None and new.requests >= self.first.needed
        return self.judge(old, new) if enough or self.over else None


def _ill(run: Run, slot: Slot) -> str:
    """What is wrong with a slot that may still count no failure, such as one that lets every request wait."""
    if not slot.ready:
        return f"is not {'ready' if slot.running else 'running'} any more"
    probe = Request(path=run.file.settings.artefact.probes.traffic)
    answer = run.platform.ask(probe, slot.name)
    return "" if answer.status == probe.expect else f"answers {probe.path} with {answer.status or answer.body}"
