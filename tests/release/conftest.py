"""A release file, and a twin on which 1.0.0 is live in blue."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from scripts.cluster import images
from scripts.image.image import make
from scripts.local.slots import SlotSpec
from scripts.local.state import State
from scripts.release.engine import Caller, deploy
from scripts.release.file import ReleaseFile, read_release_file
from scripts.release.gates import figures
from scripts.release.kubernetes.platform import Kubernetes
from scripts.release.local import Local
from scripts.release.route import Target, Weights
from scripts.release.twin import Twin
from tests.cluster.conftest import cluster  # noqa: F401 - a fixture
from tests.release.kubernetes.bed import Bed, bed
from tests.release.prompt import Prompt
from tests.release.texts import PROFILE, TARGETS

ROOT = Path(__file__).parents[2]
FILE = """
version: 1
service: shop
platform: local
artefact: {command: ["shop"]}
schema: {min: 1, max: 3, expand: ["migrate"]}
steps: [5, 50, 100]
hold: {duration: 10s, limit: 60s}
gates:
  smoke: [{path: /health}, {path: /cart, expect: 401}]
  analysis: {profile: analysis, rate: 200, duration: 10s}
  compare: {margin: 0.02}
bake: {duration: 20s, limit: 60s, failure_share: 0.005, checks: [{path: /cart, expect: 401}]}
warm: 30m
timeouts: {ready: 30s, verify: 5s, drain: 5s}
"""


@pytest.fixture
def file_at(tmp_path: Path) -> Callable[..., Path]:
    """Writes a release.yaml, and the targets it names, and returns its path."""

    def write(text: str = FILE) -> Path:
        (tmp_path / "slo.yaml").write_text(TARGETS)
        path = tmp_path / "release.yaml"
        path.write_text(text)
        return path

    return write


@pytest.fixture
def file(file_at: Callable[..., Path]) -> ReleaseFile:
    return read_release_file(file_at())


@pytest.fixture
def caller() -> Caller:
    return Caller("ann@laptop", "ticket 7")


@pytest.fixture
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A twin's figures are there at once; the thread that reads them may come late on a busy machine."""
    monkeypatch.setattr(figures, "WAIT_S", 60.0)


@pytest.fixture
def empty(_patient: None) -> Twin:
    """A twin on which nothing runs."""
    return Twin()


@pytest.fixture
def twin(empty: Twin, file: ReleaseFile, caller: Caller) -> Twin:
    """1.0.0 has all users on blue, and the journal says so."""
    empty.edit(Target(Weights(0, 100)))
    deploy(empty, file, "1.0.0", caller)
    empty.calls.clear()
    return empty


@pytest.fixture
def prompt(
    twin: Twin, file: ReleaseFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Prompt:
    """A shell beside that release file."""
    return Prompt(twin, file.path, tmp_path / "home", monkeypatch, capsys)


# Short windows and wide margins: what is tested is the order of things, not the statistics.
PROCESSES = """
version: 1
service: shop
platform: local
artefact: {{command: {command}}}
schema: {{min: 1, max: 3, expand: ["{{python}}", "-c", "print('level 3')"]}}
steps: [50, 100]
hold: {{duration: 1s, limit: 30s}}
gates:
  smoke: [{{path: /health}}]
  analysis: {{profile: {profile}, rate: 200, duration: 1s}}
  compare: {{margin: 0.05, latency_ms: 2000}}
bake: {{duration: 1s, limit: 30s, failure_share: 0.02, checks: [{{path: /health}}]}}
warm: 30m
timeouts: {{ready: 20s, verify: 10s, drain: 10s}}
"""


@pytest.fixture
def processes_file(tmp_path: Path, file_at: Callable[..., Path], artefact: Callable[..., SlotSpec]) -> ReleaseFile:
    """A release.yaml for the slots' twin as a process."""
    profile = tmp_path / "analysis.yaml"
    profile.write_text(PROFILE)
    command = msgspec.json.encode(artefact("1.0.0").command).decode()
    return read_release_file(file_at(PROCESSES.format(command=command, profile=profile)))


@pytest.fixture
def local(edge: State, processes_file: ReleaseFile) -> Local:
    """A local system with 1.0.0 in blue, and no journal yet."""
    return Local(Path(edge.home), processes_file)


@pytest.fixture(scope="session")
def python_image(cluster: Path, tmp_path_factory: pytest.TempPathFactory) -> str:  # noqa: F811 - asked for
    """An image with Python on the node: that of the task API."""
    there = sorted(name for name in images.present(cluster.parent) if name.startswith("docker.io/local/task-api:"))
    if there:
        return there[0]
    return images.load(cluster.parent, make(ROOT, tmp_path_factory.mktemp("image")).archive)[0]


@pytest.fixture(scope="session")
def service_bed(
    cluster: Path,  # noqa: F811 - asked for
    python_image: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Bed]:
    """An application behind a Service."""
    with bed(cluster, tmp_path_factory.mktemp("service"), python_image, "service") as made:
        yield made


@pytest.fixture(scope="session")
def gateway_bed(
    cluster: Path,  # noqa: F811 - asked for
    python_image: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Bed]:
    """An application behind a Gateway of its own."""
    with bed(cluster, tmp_path_factory.mktemp("gateway"), python_image, "gateway") as made:
        yield made


@pytest.fixture
def gateway_file(gateway_bed: Bed) -> ReleaseFile:
    return gateway_bed.file("[50, 100]")


@pytest.fixture
def gateway_platform(gateway_bed: Bed, gateway_file: ReleaseFile) -> Kubernetes:
    """1.0.0 in blue, nothing in green, and no journal."""
    return gateway_bed.anew(gateway_file)
