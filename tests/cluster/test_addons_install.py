"""Installing: what is so already is left alone, what is not ready is explained, and who may run here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.cluster import addons
from scripts.cluster.addons.readiness import Addon, wait
from scripts.cluster.errors import ClusterError
from tests.cluster.sandbox import Sandbox, sandbox

pytestmark = pytest.mark.cluster

KINDS = (
    *("serviceaccounts", "configmaps", "secrets", "services", "deployments", "statefulsets", "pods"),
    *("roles", "rolebindings", "persistentvolumeclaims", "gateways", "envoyproxies"),
    *("apiservices", "customresourcedefinitions", "persistentvolumes", "gatewayclasses"),  # of no namespace
)
OURS = {"kube-system", "monitoring", "data", "envoy-gateway-system", ""}
OWNER = "gateway.envoyproxy.io/owning-gateway-namespace"


@pytest.fixture
def place(cluster: Path) -> Iterator[Sandbox]:
    with sandbox(cluster, "addons-install") as made:
        yield made


def written(place: Sandbox) -> dict[tuple[str, ...], tuple[str, int | str]]:
    """Every object of ours: which one it is, and which version of what was asked for."""
    every = [
        item["metadata"] | {"kind": item["kind"]} for item in place.kubectl.list(",".join(KINDS), "--all-namespaces")
    ]
    return {
        (each["kind"], each.get("namespace", ""), each["name"]): (
            each["uid"],
            each.get("generation") or each["resourceVersion"],
        )
        for each in every
        # What Envoy Gateway makes for the Gateways of others stands in its own namespace.
        if {each.get("namespace", ""), each.get("labels", {}).get(OWNER, "")} <= OURS
        if "deletionTimestamp" not in each
    }


def test_twice_changes_nothing(place: Sandbox, cluster: Path) -> None:
    """Installed again, no object is written and no pod is another."""
    home = cluster.parent
    addons.install(home, cluster, print)
    before = written(place)
    addons.install(home, cluster, print)
    assert before == written(place)
    assert ("StatefulSet", "data", "postgresql") in before


def test_reason(place: Sandbox) -> None:
    """What is not ready in time is named with the cluster's own reason."""
    absent = place.deployment("absent", "valkey")
    absent["spec"]["template"]["spec"]["containers"][0]["image"] = "docker.io/local/absent:1"
    bare = place.deployment("bare", "valkey")
    del bare["spec"]["template"]["spec"]["securityContext"]
    ends = place.deployment("ends", "valkey", "--port", "nonsense")
    # Otherwise it is ready as long as its process has not ended yet.
    ends["spec"]["template"]["spec"]["containers"][0]["readinessProbe"] = {"tcpSocket": {"port": 6379}}
    place.apply(absent, bare, ends)
    waiting = [Addon(name.title(), "deployment", name, place.namespace) for name in ("absent", "bare", "ends")]
    with pytest.raises(ClusterError) as caught:
        wait(place.kubectl, waiting, 25, print)
    said = dict(line.strip().split(": ", 1) for line in str(caught.value).splitlines() if line.startswith("  "))
    assert "ErrImageNeverPull" in said["Absent"]
    assert 'violates PodSecurity "restricted' in said["Bare"]
    assert "main ended with 1" in said["Ends"]


def test_restricted(place: Sandbox) -> None:
    """A namespace under `restricted` takes pods that keep to it, and refuses a bare one with every reason."""
    place.apply(place.server("blue"))
    place.ready("blue")
    with pytest.raises(ClusterError) as caught:
        place.run("run", "bare", f"--image={place.images['valkey']}")
    for missing in ("allowPrivilegeEscalation", "unrestricted capabilities", "runAsNonRoot", "seccompProfile"):
        assert missing in str(caught.value)


def test_names(place: Sandbox) -> None:
    """A pod finds a Service by its short and its long name, and hears at once that another does not exist."""
    ask = ("exec", "postgresql-0", "--namespace=data", "--")
    for name in ("postgresql", "postgresql.data", "postgresql.data.svc.cluster.local"):
        assert "accepting connections" in place.kubectl.run(*ask, "pg_isready", f"--host={name}")
    with pytest.raises(ClusterError, match="could not translate host name"):
        place.kubectl.run(*ask, "psql", "--host=absent.data")
