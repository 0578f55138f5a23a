"""What becomes of a gate's verdict: it is told, and the release passes, is refused, or is left where it is."""

from __future__ import annotations

from scripts.release.errors import ReleaseError
from scripts.release.judge import Verdict
from scripts.release.run import Run
from scripts.release.step import Step
from slo.objective import Outcome


class GateFailed(Exception):  # noqa: N818 - a verdict that ends the way forward, not a mistake
    """The release is refused; the message is the reason, as a person reads it."""


class GateOpen(Exception):  # noqa: N818 - as above
    """The gate cannot decide; the message says what is missing."""


def settle(run: Run, step: Step, verdict: Verdict) -> str:
    """The words of a passed gate. Raises GateFailed, GateOpen, or ReleaseError for a gate that could not judge."""
    gate = f"{step.kind} {step.name}".strip()
    run.event("gate", f"{gate} of {step.slot}: {verdict.outcome}", verdict.words)
    run.verdicts.append(f"{gate}: {verdict.outcome}, {verdict.words}")
    match verdict.outcome:
        case Outcome.FAIL:
            raise GateFailed(verdict.words)
        case Outcome.INCONCLUSIVE:
            raise GateOpen(verdict.words)
        case Outcome.ERROR:
            raise ReleaseError(f"the {gate} gate could not judge: {verdict.words}")
    return verdict.words
