"""The comparison gate: the same reads to both slots on the preview route, whose answers must agree."""

from __future__ import annotations

import os

from scripts.release.comparison import judge_comparison
from scripts.release.diff import Reply
from scripts.release.judge import Verdict
from scripts.release.route import other
from scripts.release.run import Run
from scripts.release.slots import Request
from scripts.release.step import Step
from slo.watch import GATES


def comparison(run: Run, step: Step) -> Verdict:
    """Status, content type, body, and the time until the answer was there."""
    setting = run.file.settings.gates.comparison
    assert setting is not None
    now = run.platform.now

    def ask(request: Request, slot: str) -> tuple[Reply, float]:
        asked = now()
        answer = run.platform.ask(request, slot)
        return Reply(answer.status, answer.content_type, answer.body.encode()), (now() - asked) * 1000

    arms = other(step.slot), step.slot
    found = judge_comparison(setting, arms, ask, os.environ, run.file.settings.gates.compare.error_rate / GATES)
    run.observe()  # the route may have moved meanwhile
    return Verdict(found.outcome, found.words)
