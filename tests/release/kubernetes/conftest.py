"""An API server for every test: its twin in this process, and for tests marked `cluster` the real one."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.release.kubernetes.client import Api
from tests.cluster.conftest import cluster  # noqa: F401 - a fixture
from tests.release.kubernetes.apiserver import Server, serving


@pytest.fixture
def server() -> Iterator[Server]:
    """The twin of an API server."""
    with serving(Server()) as twin:
        yield twin


@pytest.fixture
def kubeconfig_for(tmp_path: Path) -> Callable[..., str]:
    """Writes a kubeconfig with one context, `shop`, and returns its path."""

    def write(url: str, **user: Any) -> str:
        path = tmp_path / "kubeconfig"
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "shop",
            "contexts": [{"name": "shop", "context": {"cluster": "shop", "user": "ann"}}],
            "clusters": [{"name": "shop", "cluster": {"server": url}}],
            "users": [{"name": "ann", "user": user or {"token": "right"}}],
        }
        path.write_text(yaml.safe_dump(content))
        return str(path)

    return write


@pytest.fixture
def twin_api(server: Server, kubeconfig_for: Callable[..., str]) -> Api:
    """A client of the twin."""
    return Api.connect("", kubeconfig_for(server.url))


@pytest.fixture(params=["twin", pytest.param("cluster", marks=pytest.mark.cluster)])
def credentials(request: pytest.FixtureRequest) -> str:
    """A kubeconfig for the twin, and the one of the real API server."""
    if request.param == "cluster":
        return str(request.getfixturevalue("cluster"))
    return str(request.getfixturevalue("kubeconfig_for")(request.getfixturevalue("server").url))


@pytest.fixture
def api(credentials: str) -> Api:
    """A client of the twin, and one of the real API server."""
    return Api.connect("", credentials)


@pytest.fixture
def namespace(api: Api) -> Iterator[str]:
    """A namespace of the test's own."""
    name = f"test-{secrets.token_hex(4)}"
    api.create("/api/v1/namespaces", {"metadata": {"name": name}})
    yield name
    api.delete(f"/api/v1/namespaces/{name}")
