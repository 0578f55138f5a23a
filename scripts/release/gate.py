"""The gates at work: they watch users' traffic or send analysis load, and end as a verdict."""

from __future__ import annotations

from collections.abc import Callable

from scripts.release.errors import ReleaseError
from scripts.release.judge import Verdict, judge_analysis, judge_bake, judge_early, judge_hold, looks_in
from scripts.release.plan import Step
from scripts.release.run import Run
from scripts.release.slots import Load, Request, Slot, Tally, other
from slo.objective import Outcome

LOOK_S = 1.0
UNREADY_LOOKS = 3  # in a row: one late probe on a busy machine is not a verdict


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


def _watch(run: Run, step: Step, allowed: float, judge: Callable[[Tally, Tally], Verdict]) -> Verdict:
    """Look every second; judge at the end of the window, and once more when enough requests came or time is up."""
    platform, begun = run.platform, run.platform.now()
    before = platform.tally()
    first: Verdict | None = None
    unready = 0
    while True:
        platform.sleep(LOOK_S)
        slot = run.observe().slots[step.slot]
        unready = unready + 1 if (ill := _ill(run, slot)) else 0
        if not slot.running or unready == UNREADY_LOOKS:
            return Verdict(Outcome.FAIL, f"{slot.name} {ill}")
        now = platform.tally()
        old, new = (now[n].since(before.get(n, Tally())) if n in now else Tally() for n in _pair(step))
        if early := judge_early(old, new, allowed, looks_in(step.limit), run.file):
            return early
        elapsed = platform.now() - begun
        if first is None and elapsed >= step.seconds:
            first = judge(old, new)
            if first.outcome is not Outcome.INCONCLUSIVE:
                return first
        enough = first is not None and first.needed is not None and new.requests >= first.needed
        if enough or elapsed >= step.limit:
            return judge(old, new)


def _ill(run: Run, slot: Slot) -> str:
    """What is wrong with a slot that may still count no failure, such as one that lets every request wait."""
    if not slot.ready:
        return f"is not {'ready' if slot.running else 'running'} any more"
    probe = Request(path=run.file.settings.artefact.probes.traffic)
    answer = run.platform.ask(probe, slot.name)
    return "" if answer.status == probe.expect else f"answers {probe.path} with {answer.status or answer.body}"


def _pair(step: Step) -> tuple[str, str]:
    return other(step.slot), step.slot
