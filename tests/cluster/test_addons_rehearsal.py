"""A rehearsal whose objects a real API server makes: it judges them, and has nothing of them afterwards."""

from __future__ import annotations

import gc
import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes
import pytest
from click.testing import CliRunner
from pulumi_kubernetes.apiextensions import CustomResource

from infra.errors import ConfigError
from infra.plan.run import record
from infra.rehearsal.change import Change, Setting
from infra.rehearsal.process import Command
from infra.rehearsal.run import Report, rehearse
from infra.rehearsal.story import Scene
from infra.rehearsal.subject import Subject
from infra.rehearsal.world import Fault
from scripts import tools
from scripts.apiserver import MANAGER, ApiServer
from scripts.cluster.addons.kubectl import Kubectl
from scripts.commands.infra import command
from scripts.commands.infra_rehearse import ENGINE
from scripts.exits import Exit

pytestmark = [
    pytest.mark.cluster,
    # The SDK leaves its event loop open where an engine ends before the program that it runs.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
FAULT = (Fault.TIMEOUT, 2)


class Addons:
    """A small program like ours, in a namespace of its own."""

    def __init__(self, kubeconfig: Path, **data: Any) -> None:
        self.space, self.data = f"rehearsal-{secrets.token_hex(3)}", data
        self.kubectl, self.server = Kubectl(kubeconfig), ApiServer(str(kubeconfig))
        self.managers: list[str] = []

    def program(self) -> None:
        """A chart, a kind that only a chart brings, and plain objects."""
        at = kubernetes.Provider("cluster", kubeconfig="{}", cluster_identifier="c")
        inside = pulumi.ResourceOptions(provider=at)
        chart = kubernetes.helm.v3.Release("chart", name="chart", chart="chart", version="1", opts=inside)
        late = pulumi.ResourceOptions(provider=at, depends_on=[chart])
        CustomResource("pool", "karpenter.sh/v1", "NodePool", metadata={"name": self.space}, spec={}, opts=late)
        space = kubernetes.core.v1.Namespace("space", metadata={"name": self.space}, opts=inside)
        core, after = kubernetes.core.v1, pulumi.ResourceOptions(provider=at, depends_on=[space])
        core.ConfigMap("map", metadata={"name": "map", "namespace": self.space}, data=self.data, opts=after)
        core.Secret("secret", metadata={"name": "secret", "namespace": self.space}, string_data={"a": "b"}, opts=after)
        core.ServiceAccount("account", metadata={"name": "account", "namespace": self.space}, opts=after)
        kubernetes.storage.v1.StorageClass(
            "disks", metadata={"name": self.space}, provisioner="ebs.csi.aws.com", opts=inside
        )

    def rehearse(self, fault: tuple[Fault, int] | None = None) -> Report:
        graph = record(self.program, "canary", "test", {})
        subject = Subject(
            program="addons",
            stack="test",
            project="canary",
            run=self.program,
            package="kubernetes",
            region="us-east-1",
            setting=Setting({}),
            change=Change("nothing", Setting({})),
            secrets=(),
            graph=graph,
        )
        cli = Command(tools.tool("pulumi"), tools.version("pulumi", ENGINE))
        return rehearse(subject, cli, self.server, fault, show=self.look, hear=lambda words: None)

    def look(self, scene: Scene) -> None:
        if scene.name == "same":
            found = self.kubectl.get("configmap", "map", f"--namespace={self.space}", "--show-managed-fields")
            self.managers = [f"{each['manager']} {each['operation']}" for each in found["metadata"]["managedFields"]]

    @property
    def left(self) -> list[Any]:
        """What the cluster has of it now."""
        return [each for each in (self.kubectl.get(kind, self.space) for kind in ("namespace", "storageclass")) if each]


@pytest.fixture(autouse=True)
def _swept() -> Iterator[None]:
    """Let what the SDK has left behind be found here, not in somebody else's test."""
    yield
    gc.collect()


@pytest.fixture
def addons(cluster: Path) -> Iterator[Addons]:
    made = Addons(cluster, color="blue")
    yield made
    for kind in ("namespace", "storageclass"):
        made.kubectl.run("delete", kind, made.space, "--ignore-not-found", "--wait=false")


def wrong(report: Report) -> list[str]:
    return [words for scene in report.scenes for words in scene.wrong]


def test_a_server_makes_the_objects_and_has_none_of_them_afterwards(addons: Addons) -> None:
    """Server-side applied under a name of its own, though `up` had to go on; charts and their kinds are listed."""
    report = addons.rehearse(FAULT)
    assert [] == wrong(report)
    assert ["preview", "up", "up again", "same", "change", "destroy"] == [scene.name for scene in report.scenes]
    kinds = ["ConfigMap map", f"Namespace {addons.space}", "Secret secret", "ServiceAccount account"]
    assert (*kinds, f"StorageClass {addons.space}") == report.asked
    assert ((f"NodePool {addons.space}",), ("chart 1",)) == (report.unasked, report.charts)
    assert f"{MANAGER} Apply" in addons.managers
    assert [] == addons.left


def test_what_production_has_in_its_cluster_is_accepted(cluster: Path) -> None:
    """By the command; what its charts bring is asked of nobody."""
    asked = ["rehearse", "prod", "--program", "addons", "--kubeconfig", str(cluster), "--json"]
    done = CliRunner().invoke(command, asked)
    report = json.loads(done.stdout)
    assert [] == [words for scene in report["scenes"] for words in scene["wrong"]]
    roles = ["Role task-api-reviewer", "RoleBinding deployers", "RoleBinding reviewers"]
    assert ["Namespace task-api", *roles, "StorageClass gp3"] == report["asked"]
    assert {"ExternalSecret task-api", "NodePool spot"} <= {*report["unasked"]}
    assert ApiServer(str(cluster)).where == report["server"]
    assert Kubectl(cluster).get("namespace", "task-api") is None
    assert Kubectl(cluster).get("storageclass", "gp3") is None
    assert Exit.DONE == done.exit_code


def test_what_the_server_refuses_goes_wrong_and_leaves_nothing(addons: Addons) -> None:
    """With the server's own words."""
    addons.data = {"no good key": "blue"}
    assert any("a valid config key must consist of" in words for words in wrong(addons.rehearse()))
    assert [] == addons.left


def test_a_namespace_that_is_there_is_refused_and_stays(addons: Addons) -> None:
    """Before anything is made."""
    addons.kubectl.run("create", "namespace", addons.space)
    with pytest.raises(ConfigError, match=f"has Namespace {addons.space} already"):
        addons.rehearse()
    assert ["Namespace"] == [each["kind"] for each in addons.left]
