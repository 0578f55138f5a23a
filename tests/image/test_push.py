"""An image in a registry has the digest that it has here."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest

from scripts.image.daemon import find, run
from scripts.image.errors import ImageError
from scripts.image.image import Made
from scripts.image.push import is_here, push
from scripts.local.ports import free_port

START_S = 20.0


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    """A real registry, on loopback."""
    port = free_port()
    settings = tmp_path / "registry.yml"
    settings.write_text(
        f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {tmp_path / 'data'}}}}}\n"
        f"http: {{addr: '127.0.0.1:{port}'}}\n"
    )
    argv = [find("docker-registry", "docker-registry"), "serve", str(settings)]
    with (tmp_path / "log").open("wb") as log, subprocess.Popen(argv, stdout=log, stderr=log) as process:
        try:
            _wait(port)
            yield f"127.0.0.1:{port}"
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("repository", "here"),
    [
        ("localhost/task-api", True),
        ("localhost:5000/task-api", True),
        ("127.0.0.1:5000/task-api", True),
        ("[::1]:5000/task-api", True),
        ("localhost-x.corp/task-api", False),
        ("127.0.0.1.corp:5000/task-api", False),
        ("registry.corp/localhost/task-api", False),
    ],
)
def test_a_certificate_is_asked_for_but_on_this_machine(repository: str, here: bool) -> None:
    """By the whole name of the host."""
    assert here == is_here(repository)


@pytest.mark.cluster
def test_a_pushed_image_has_its_digest(made: Made, registry: str) -> None:
    """What is returned names what a node would fetch."""
    pushed = push(made.archive, f"{registry}/task-api")
    assert f"{registry}/task-api@{made.digest}" == pushed
    look = [find("skopeo", "skopeo"), "inspect", "--tls-verify=false", "--format={{.Digest}}"]
    assert made.digest == run([*look, f"docker://{pushed}"], START_S).strip()


@pytest.mark.cluster
def test_no_registry_is_an_error_that_names_it(made: Made) -> None:
    """Nothing listens there."""
    address = f"127.0.0.1:{free_port()}"
    with pytest.raises(ImageError, match=address):
        push(made.archive, f"{address}/task-api")


def _wait(port: int) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        connection = HTTPConnection("127.0.0.1", port, timeout=1)
        try:
            connection.request("GET", "/v2/")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.1)
        finally:
            connection.close()
    raise AssertionError("the registry did not start")
