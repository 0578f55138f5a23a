"""The image runs for real, without Kubernetes, as the chart runs it: not root, no folder that it may write to."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable, Iterator
from http.client import HTTPConnection

import pytest

from scripts.image.daemon import Docker, daemon
from scripts.image.image import Made
from scripts.local.ports import free_port

pytestmark = pytest.mark.cluster

START_S = 60.0
AS_THE_CHART = (
    *("--network=host", "--user=10001:10001", "--read-only", "--cap-drop=ALL"),
    "--security-opt=no-new-privileges",
)


@pytest.fixture(scope="module")
def docker(made: Made) -> Iterator[Docker]:
    """A daemon that has the image from its archive."""
    with daemon() as running:
        running.run(["load", f"--input={made.archive}"], START_S)
        yield running


@pytest.fixture(scope="module")
def name(made: Made) -> str:
    return f"{made.repository}:{made.tag}"


@pytest.fixture
def database_url(new_database: Callable[..., str]) -> str:
    """An empty database."""
    return new_database()


def test_it_migrates_an_empty_database(docker: Docker, name: str, database_url: str) -> None:
    """The migration Job's command brings the schema up, and says the level last."""
    argv = ["run", "--rm", *AS_THE_CHART, f"--env=DATABASE_URL={database_url}", name]
    said = docker.run([*argv, "python3", "-m", "app.migrate"], START_S)
    assert said.strip().splitlines()[-1].startswith("schema level ")


def test_it_serves_as_a_user_without_rights(
    docker: Docker, made: Made, name: str, database_url: str, redis_url: str
) -> None:
    """Started by the image's own command it is live, ready, says its version, and ends at SIGTERM with 0."""
    port, admin = free_port(), free_port()
    settings = {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "JWT_KEYS": json.dumps({"one": "k" * 32}),
        "CURSOR_KEY": "c" * 32,
        "ADMIN_TOKEN": "t" * 16,
        "PORT": str(port),
        "ADMIN_PORT": str(admin),
    }
    words = [f"--env={key}={value}" for key, value in settings.items()]
    docker.run(["run", "--rm", *AS_THE_CHART, *words, name, "python3", "-m", "app.migrate"], START_S)
    container = docker.run(["run", "--detach", *AS_THE_CHART, *words, name], START_S).strip()
    try:
        assert _answer(admin, "/readyz") == 200, docker.run(["logs", container], START_S)
        assert _answer(admin, "/livez") == 200
        assert _answer(port, "/health") == 200
        with urllib.request.urlopen(f"http://127.0.0.1:{admin}/version", timeout=5) as response:
            assert json.load(response)["version"] == made.tag
        assert (
            docker.run(["exec", container, "python3", "-c", "import os; print(os.getuid())"], START_S).strip()
            == "10001"
        )
        docker.run(["stop", "--time=30", container], START_S)
        assert docker.run(["inspect", "--format", "{{.State.ExitCode}}", container], START_S).strip() == "0"
    finally:
        docker.run(["rm", "--force", container], START_S)


def test_the_application_parses_requests_in_c(docker: Docker, name: str) -> None:
    """What has no wheel was compiled, and neither a compiler nor an installer came along."""
    code = "import gunicorn_h1c, shutil; print([shutil.which(each) for each in ('gcc', 'pip', 'pip3')])"
    said = docker.run(["run", "--rm", *AS_THE_CHART, name, "python3", "-c", code], START_S)
    assert said.strip() == "[None, None, None]"


def _answer(port: int, path: str) -> int:
    """The status once it is 200, or the last one after START_S; 0 for no answer."""
    deadline, status = time.monotonic() + START_S, 0
    while status != 200 and time.monotonic() < deadline:
        connection = HTTPConnection("127.0.0.1", port, timeout=2)
        try:
            connection.request("GET", path)
            status = connection.getresponse().status
        except OSError:
            time.sleep(0.1)
        finally:
            connection.close()
    return status
