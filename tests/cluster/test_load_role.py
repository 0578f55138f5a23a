"""Who starts load tests in a cluster has the Role of scripts/load_job/role.yaml: enough, and nothing more."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from loadtest.launch import RunConfig
from loadtest.profile import Journey, Profile
from scripts.cluster import images
from scripts.image.image import make
from scripts.load_job.manifests import Place
from scripts.load_job.run import launch_job
from scripts.release.kubernetes import client
from scripts.release.kubernetes.client import Api
from tests.cluster.sandbox import Sandbox, sandbox

pytestmark = pytest.mark.cluster

ROOT = Path(__file__).parents[2]
ROLE = ROOT / "scripts/load_job/role.yaml"
VERBS = {"POST": "create", "DELETE": "delete"}
FOR_LOST_ANSWERS = {("jobs", "get")}


def allowed() -> set[tuple[str, str]]:
    rules = yaml.safe_load(ROLE.read_text())["rules"]
    return {(resource, verb) for rule in rules for resource in rule["resources"] for verb in rule["verbs"]}


def right(method: str, path: str) -> tuple[str, str]:
    """What a request to something of a namespace needs: resource and verb."""
    resource, *name = path.partition("?")[0].split("/namespaces/")[1].split("/")[1:]
    under = "/".join([resource, *name[1:]])
    return under, VERBS.get(method, "get" if name else "list")


@pytest.fixture
def place(cluster: Path) -> Iterator[Sandbox]:
    """With a service that says "blue", and an account that has the Role."""
    with sandbox(cluster, "load-role") as made:
        made.apply(made.server("blue"), made.service("blue"), yaml.safe_load(ROLE.read_text()))
        made.run("create", "serviceaccount", "tester")
        made.run(
            *("create", "rolebinding", "tester", "--role=primetrade-load"),
            f"--serviceaccount={made.namespace}:tester",
        )
        made.ready("blue")
        yield made


@pytest.fixture
def kubeconfig(cluster: Path, place: Sandbox, tmp_path: Path) -> str:
    """The account's own."""
    found = yaml.safe_load(cluster.read_text())
    token = place.run("create", "token", "tester").strip()
    found["users"] = [{"name": each["name"], "user": {"token": token}} for each in found["users"]]
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(found))
    return str(path)


@pytest.fixture(scope="module")
def image(cluster: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The load generator's, by its digest."""
    there = [name for name in images.present(cluster.parent) if name.startswith("docker.io/local/task-load@")]
    if there:
        return there[0]
    archive = make(ROOT, tmp_path_factory.mktemp("image"), name="task-load").archive
    return next(name for name in images.load(cluster.parent, archive) if "@" in name)


def test_the_role_suffices_for_a_whole_run_which_uses_all_of_it(
    place: Sandbox, kubeconfig: str, image: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the real authorizer; what is there for answers that are lost is not used when none is."""
    asked = set()
    send = client._sent

    def watched(link: client.Connection, request: client._Request) -> client.Reply:
        asked.add(right(request.method, request.path))
        return send(link, request)

    monkeypatch.setattr(client, "_sent", watched)
    profile = Profile(name="shop", rate=50, steady_s=3, journeys=(Journey("GET /", "/"),))
    config = RunConfig(profile, f"http://blue.{place.namespace}", str(tmp_path / "out"))
    with launch_job(config, Place("", place.namespace, image), 2, Api.connect("", kubeconfig)) as run:
        assert () == run.wait().failures
    assert allowed() == asked | FOR_LOST_ANSWERS | {("events", "list")}  # events, where pods are not made


@pytest.mark.parametrize(
    ("verb", "what"),
    [
        ("get", "secrets"),
        ("list", "secrets"),
        ("create", "pods"),
        ("create", "pods/exec"),
        ("patch", "jobs"),
        ("list", "jobs"),
        ("get", "deployments"),
        ("update", "leases"),
    ],
)
def test_it_allows_nothing_else(place: Sandbox, verb: str, what: str) -> None:
    """By the real authorizer."""
    spec = {
        "user": f"system:serviceaccount:{place.namespace}:tester",
        "resourceAttributes": {"namespace": place.namespace, "verb": verb, **_named(what)},
    }
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
    said = place.kubectl.run("create", "--filename=-", "--output=json", given=json.dumps(review))
    assert not json.loads(said)["status"]["allowed"]


def _named(what: str) -> dict[str, str]:
    resource, _, under = what.partition("/")
    groups = {"jobs": "batch", "deployments": "apps", "leases": "coordination.k8s.io"}
    return {"group": groups.get(resource, ""), "resource": resource, "subresource": under}
