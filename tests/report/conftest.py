"""The example run, judged by the repository's own targets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from loadtest.judge import judge
from loadtest.recording import Recording
from loadtest.result import Result
from slo.objective import Targets
from slo.reader import read_targets
from tests.report import example


@pytest.fixture(scope="session")
def targets() -> Targets:
    return read_targets(Path(__file__).parents[2] / "slo.yaml")


@pytest.fixture(scope="session")
def judged(targets: Targets) -> Callable[[Recording], Result]:
    """A function from a recording to its result, with the example's events, usage, facts and machine."""

    def run(recording: Recording) -> Result:
        return judge(
            recording,
            targets,
            events=example.EVENTS,
            usage=example.USAGE,
            facts=example.FACTS,
            machine=example.MACHINE,
            title="Task API: three releases under load",
        )

    return run


@pytest.fixture(scope="session")
def result(judged: Callable[[Recording], Result]) -> Result:
    """A valid run that meets every target."""
    return judged(example.recording())
