"""A run that stands before a gate, for tests that ask one gate alone."""

from __future__ import annotations

from scripts.release.file import ReleaseFile
from scripts.release.gates.table import GATES
from scripts.release.judge import Verdict
from scripts.release.run import OnEvent, Run
from scripts.release.step import Step
from scripts.release.twin import Twin


def run_of(twin: Twin, file: ReleaseFile, on_event: OnEvent = lambda at, kind, label, detail: None) -> Run:
    """A deploy of 1.1.0."""
    return Run(
        platform=twin,
        file=file,
        verb="deploy",
        id="r9",
        fence=9,
        actor="ann",
        reason="",
        on_event=on_event,
        on_step=lambda step: None,
        token=twin.current.token,
        version="1.1.0",
        release=file.release("1.1.0", {}).digest,
    )


def judged(twin: Twin, file: ReleaseFile, step: Step) -> tuple[Verdict, float]:
    """What the gate of this step finds, and after how many seconds."""
    begun = twin.clock
    return GATES[step.kind](run_of(twin, file), step), twin.clock - begun
