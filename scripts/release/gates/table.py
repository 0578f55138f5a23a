"""Every kind of gate. A gate judges one step of one run and answers with a verdict of four values.

It raises only what ends the run itself: the route moved, a person is asked, a signal came.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from scripts.release.errors import ReleaseError, Unusable
from scripts.release.file import ReleaseFile
from scripts.release.gates.analysis import analysis
from scripts.release.gates.approval import approval
from scripts.release.gates.command import command
from scripts.release.gates.comparison import comparison
from scripts.release.gates.smoke import smoke
from scripts.release.gates.traffic import bake, hold
from scripts.release.gates.verdict import settle
from scripts.release.judge import Verdict
from scripts.release.run import Run
from scripts.release.step import Kind, Step
from slo.objective import Outcome

Gate = Callable[[Run, Step], Verdict]

GATES: Final[Mapping[Kind, Gate]] = {
    Kind.SMOKE: smoke,
    Kind.COMPARISON: comparison,
    Kind.COMMAND: command,
    Kind.ANALYSIS: analysis,
    Kind.APPROVAL: approval,
    Kind.HOLD: hold,
    Kind.BAKE: bake,
}


def judge(run: Run, step: Step) -> str:
    """Ask the gate of a step. Raises GateFailed, GateOpen, or ReleaseError for one that could not judge."""
    try:
        verdict = GATES[step.kind](run, step)
    except ReleaseError as exc:
        if type(exc) is not ReleaseError:  # how a run ends, which is no verdict
            raise
        verdict = Verdict(Outcome.ERROR, str(exc))
    return settle(run, step, verdict)


def refuse_lacking(file: ReleaseFile, steps: Sequence[Step]) -> None:
    """No plan is begun whose gates would miss a variable or a program in the middle. Raises Unusable."""
    asks = any(step.kind in (Kind.COMPARISON, Kind.COMMAND) for step in steps)
    if asks and (lacks := file.lacking(os.environ)):
        raise Unusable(f"{lacks[0]}. Nothing was changed")
