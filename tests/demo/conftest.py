"""A demo that went well, and the twin that its stories are told over."""

from pathlib import Path

import msgspec
import pytest

from loadtest.judge import judge
from scripts.demo.run import SHORTER, Demo
from scripts.demo.story import Played
from scripts.release.engine import Caller, deploy
from scripts.release.file import ReleaseFile, read_release_file
from scripts.release.route import Target, Weights
from scripts.release.twin import Twin
from slo.objective import Outcome
from slo.reader import read_targets
from tests.report.example import recording

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def demo() -> Demo:
    """One that went well."""
    result = judge(recording(), read_targets(ROOT / "slo.yaml"))
    result = msgspec.structs.replace(result, valid=True, outcome=Outcome.PASS)
    return Demo(result, (Played("an act", 0, 1, as_told=True, words=""),), 0, 0, proves=True, report=Path(), parting=())


@pytest.fixture(params=sorted(SHORTER))
def file(request: pytest.FixtureRequest) -> ReleaseFile:
    """The real release.yaml as each profile shortens it."""
    return read_release_file(ROOT / "release.yaml", SHORTER[request.param])


@pytest.fixture
def twin(file: ReleaseFile) -> Twin:
    """1.0.0 is live."""
    twin = Twin()
    twin.edit(Target(Weights(0, 100)))
    deploy(twin, file, "1.0.0", Caller("tester"))
    return twin
