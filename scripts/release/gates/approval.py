"""The approval gate: a person says yes, or the release waits where it is; it never passes by itself."""

from __future__ import annotations

from scripts.release.errors import Awaiting
from scripts.release.judge import Verdict
from scripts.release.memory import remember
from scripts.release.run import Run, utc
from scripts.release.step import Step
from slo.objective import Outcome


def approval(run: Run, step: Step) -> Verdict:
    """Pass where this release was approved for this point. Raises Awaiting; asking again does not give more time."""
    memory = remember(run.platform.journal.read())
    if (run.release, step.name) in memory.approved:
        return Verdict(Outcome.PASS, f"{run.version} is approved for {step.name}")
    waits = memory.waiting
    asked = waits is not None and (waits.release, waits.name) == (run.release, step.name)
    until = waits.until if waits and asked else run.platform.now() + step.limit
    raise Awaiting(
        f"{run.version} waits for a person before {step.name}: `primetrade release approve --reason WHY` lets it go "
        f"on, `primetrade release abort` takes it back; so does the next command after {utc(until)}, unapproved"
    )
