"""The Role of pull requests, on a twin of the API server that refuses whatever it does not give."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.addons.application import LOOKS
from infra.components.identity import APP
from scripts.release import engine
from scripts.release.engine import Options
from scripts.release.file import ReleaseFile, read_release_file
from scripts.release.kubernetes.client import Api
from scripts.release.kubernetes.platform import Kubernetes
from scripts.release.slots import Release
from tests.release.kubernetes.apiserver import Object, Refused, Server, serving
from tests.release.kubernetes.bed import RELEASE
from tests.release.kubernetes.fake_alb import SLICES
from tests.release.kubernetes.objects import deployment, pod, slices
from tests.release.kubernetes.test_router_alb import Place, live
from tests.release.texts import PROFILE, TARGETS

SPACE = "namespaces/shop-space"
ASKED = re.compile(rf"/(?:api|apis/([^/]+))/[^/]+/{SPACE}/([^/]+)(?:/([^/]+))?(/proxy|/log)?")
RUNNING = Release("1.0.0", (), {}, "local/shop:1.0.0", {"ports": {"admin": 9090}})
LEASE = {"metadata": {"name": "shop-rollout"}, "spec": {"leaseTransitions": 1}}


@dataclass
class Guarded(Server):
    """Once it is `guarded`, it knows one Role; the application is called shop there."""

    guarded: bool = False
    allowed: set[tuple[str, str, str]] = field(default_factory=set)  # group, kind and verb that were asked and given
    refused: list[str] = field(default_factory=list)

    def answer(self, method: str, path: str, kind: str, body: Any) -> Object:
        """Carry a request out, if the Role gives it. Raises Refused."""
        found = ASKED.match(path)
        if self.guarded and found:
            group, part, name, sub = (each or "" for each in found.groups())
            verb = method if method != "GET" else "get" if name else "list"
            right = (group, part + sub, verb)
            if not any(given(rule, right, name) for rule in LOOKS):
                self.refused.append(f"{method} {path}")
                raise Refused(403, f"{path} is forbidden")
            self.allowed.add(right)
        return super().answer(method, path, kind, body)


def given(rule: tuple[str, list[str], list[str], list[str]], right: tuple[str, str, str], name: str) -> bool:
    """Whether a rule gives the right to an object of this name."""
    group, kinds, verbs, names = rule
    named = not names or name in [each.replace(APP, "shop") for each in names]
    return right[0] == group and right[1] in kinds and right[2] in verbs and named


@contextmanager
def shop(folder: Path) -> Iterator[tuple[Guarded, Kubernetes, ReleaseFile]]:
    """Behind the fake of a load balancer 1.0.0 is live in blue; then the Role begins to count."""
    with serving(Guarded()) as server:
        assert isinstance(server, Guarded)
        config = {
            "current-context": "shop",
            "contexts": [{"name": "shop", "context": {"cluster": "shop", "user": "ann"}}],
            "clusters": [{"name": "shop", "cluster": {"server": server.url}}],
            "users": [{"name": "ann", "user": {"token": server.token}}],
        }
        (folder / "kubeconfig").write_text(yaml.safe_dump(config))
        api = Api.connect("", str(folder / "kubeconfig"))
        place = live(Place(server, api))
        runs(server)
        file = release_file(folder)
        platform = Kubernetes(folder, file, api)
        platform.router = place.router
        server.guarded = True
        yield server, platform, file


def runs(server: Server) -> None:
    """What blue is made of, and the Lease of a run that has ended."""
    made = deployment(RUNNING, replicas=1)
    made["metadata"] |= {"name": "shop-blue"}
    one = pod("blue-1", RUNNING)
    one["metadata"] |= {"labels": {"slot": "blue"}}
    server.answer("POST", f"/apis/apps/v1/{SPACE}/deployments", "", made)
    server.answer("POST", f"/api/v1/{SPACE}/pods", "", one)
    server.answer("POST", f"/apis/coordination.k8s.io/v1/{SPACE}/leases", "", LEASE)
    server.objects[f"{SLICES}/blue"] |= slices("blue-1")[0]


def release_file(folder: Path) -> ReleaseFile:
    for name, text in (("slo.yaml", TARGETS), ("values.yaml", "{}"), ("analysis.yaml", PROFILE)):
        (folder / name).write_text(text)
    words = {"router": "alb", "edge": "http://127.0.0.1:1", "prometheus": "", "steps": "[100]", "chart": "chart"}
    text = RELEASE.format(profile=folder / "analysis.yaml", namespace="shop-space", image="local/shop", **words)
    (folder / "release.yaml").write_text(text)
    return read_release_file(folder / "release.yaml")


def test_a_pull_request_can_plan_a_release_by_the_role(tmp_path: Path) -> None:
    """Every question of `release plan` is answered, the one for who is at work too."""
    with shop(tmp_path) as (server, platform, file):
        steps = engine.preview_plan(platform, file, "1.1.0", Options())
        assert engine.look(platform).active.version == "1.0.0"
    assert steps
    assert [] == server.refused
    assert {("coordination.k8s.io", "leases", "get"), ("", "pods/proxy", "get")} <= server.allowed


@pytest.mark.parametrize("path", ["secrets/shop", "pods/blue-1/log", "leases/another"])
def test_the_twin_gives_nothing_else(tmp_path: Path, path: str) -> None:
    """So that the test above can fail."""
    with shop(tmp_path) as (server, _, _), pytest.raises(Refused):
        server.answer("GET", f"/api/v1/{SPACE}/{path}", "", None)
