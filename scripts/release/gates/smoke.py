"""The smoke gate: a few requests on the preview route, each with the status that its answer must have."""

from __future__ import annotations

from scripts.release.judge import Verdict
from scripts.release.route import other
from scripts.release.run import Run
from scripts.release.slots import Answer, Request
from scripts.release.step import Step
from slo.objective import Outcome

SHOWN = 200  # letters of a body in words


def smoke(run: Run, step: Step) -> Verdict:
    """Refuse the first answer that is not as expected. Where the old slot gives it too, the release is not to blame."""
    requests = run.file.settings.gates.smoke
    for request in requests:
        answer = run.platform.ask(request, step.slot)
        if answer.status == request.expect:
            continue
        words = unexpected(request, answer, step.slot)
        old = run.observe().slots[other(step.slot)]
        if old.running and run.platform.ask(request, old.name).status == answer.status:
            return Verdict(Outcome.INCONCLUSIVE, f"{words}; so does {old.name}: the release is not to blame")
        return Verdict(Outcome.FAIL, words)
    return Verdict(Outcome.PASS, f"{len(requests)} requests answered as expected")


def unexpected(request: Request, answer: Answer, slot: str) -> str:
    """What was asked, of whom, and what came instead."""
    found = f"found {answer.status}" if answer.status else "no answer"
    return f"{request.method} {request.path} on {slot}: expected {request.expect}, {found}: {answer.body[:SHOWN]}"
