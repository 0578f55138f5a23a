"""The analysis gate: bounded load through the preview route to both slots, judged route by route."""

from __future__ import annotations

from scripts.release.judge import Verdict, judge_analysis
from scripts.release.route import other
from scripts.release.run import Run
from scripts.release.slots import Load
from scripts.release.step import Step


def analysis(run: Run, step: Step) -> Verdict:
    """None of its requests counts as a user's."""
    setting = run.file.settings.gates.analysis
    load = Load(setting.profile, setting.rate, setting.duration, run.file.latency_ms, seed=run.fence)
    sample = run.platform.analyse(load)
    run.observe()  # the route may have moved meanwhile
    return judge_analysis(sample, other(step.slot), step.slot, run.file)
