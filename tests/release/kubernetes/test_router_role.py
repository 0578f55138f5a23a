"""The deployer's Role on a real API server: enough for the routers and for Helm, and no more; pods are not needed."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.release.kubernetes.client import Api, Forbidden
from scripts.release.kubernetes.helm import install_words
from scripts.release.route import Target
from scripts.tools import tool
from tests.helm.render import CASES, HELM, case_values, laid
from tests.release.kubernetes.routes import CLUSTER, Shop
from tests.release.kubernetes.test_router_cluster import Site, site
from tests.release.kubernetes.test_router_writes import ROUTERS

__all__ = ["site"]  # a fixture
pytestmark = pytest.mark.cluster
OURS = ("minimal", "task-api", "green-hpa", "locked-down", "task-api-migration")  # cases without other operators' kinds


@pytest.fixture
def deployer(site: Site, tmp_path: Path) -> Path:
    """The kubeconfig of the ServiceAccount that the chart makes."""
    site.install(deployer={"enabled": True})
    path = f"/api/v1/namespaces/{site.namespace}/serviceaccounts/shop-deployer/token"
    token = site.api.create(path, {"metadata": {"name": ""}, "spec": {"expirationSeconds": 3600}})
    found = yaml.safe_load(CLUSTER.read_text())
    found["users"] = [{"name": user["name"], "user": {"token": token["status"]["token"]}} for user in found["users"]]
    (tmp_path / "deployer").write_text(yaml.safe_dump(found))
    return tmp_path / "deployer"


def helm(kubeconfig: Path, site: Site, words: list[str], values: dict[str, Any]) -> None:
    argv = [str(tool("helm")), *words, f"--namespace={site.namespace}", f"--kubeconfig={kubeconfig}"]
    done = subprocess.run(argv, input=json.dumps(values), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_a_router_does_all_it_does_by_the_role(site: Site, deployer: Path, tmp_path: Path) -> None:
    """Read, write, and ask what is missing and where the slots are."""
    router = ROUTERS[site.driver](Api.connect("", str(deployer)), Shop(site.namespace, edge="http://shop"))
    router.write(Target.all_on("green"), router.read().token, "r1", 1)

    assert Target.all_on("green") == router.read().target
    if site.driver == "gateway":
        assert "Gateway public has not looked at HTTPRoute shop" in router.missing(Target.all_on("green"))
        assert "x-route-key" in router.preview("blue")[1]


def test_helm_installs_changes_and_takes_away_a_slot_by_the_role(site: Site, deployer: Path) -> None:
    """With every kind that Kubernetes itself has, and the migration."""
    cases = {case.name.removesuffix("-values.yaml"): case for case in CASES if case.parent.parent.name == "slot"}
    for case in OURS:
        values = laid(case_values(cases[case]), {"serviceMonitor": {"enabled": False}})
        name = "shop-expand" if values.get("render") == "migration" else f"shop-{values.get('slot', 'blue')}"
        for _ in range(2):
            helm(deployer, site, install_words(name, str(HELM / "slot")), values)
    for name in ("shop-blue", "shop-green", "shop-expand"):
        helm(deployer, site, ["uninstall", name], {})


def test_helm_takes_over_what_the_router_has_made_for_a_slot(site: Site, deployer: Path) -> None:
    """Behind a load balancer a slot has a Service before it is deployed, and after it was taken away."""
    api, name = Api.connect("", str(deployer)), "shop-green"
    router, at = ROUTERS[site.driver](api, Shop(site.namespace)), f"/api/v1/namespaces/{site.namespace}/services/{name}"
    (case,) = [case for case in CASES if case.name == "minimal-values.yaml"]
    for _ in range(2):
        router.frame()
        assert (api.get(at) is not None) == (site.driver == "alb")
        helm(deployer, site, install_words(name, str(HELM / "slot")), laid(case_values(case), {"slot": "green"}))
        made = api.get(at)
        assert made
        assert [each["name"] for each in made["spec"]["ports"]] == ["traffic"]
        assert made["metadata"]["labels"]["helm.sh/chart"].startswith("slot-")
        helm(deployer, site, ["uninstall", name], {})
        assert api.get(at) is None


def test_what_the_role_does_not_say_is_refused(site: Site, deployer: Path) -> None:
    """Other namespaces, other routes, roles, and pods made by hand."""
    api, space = Api.connect("", str(deployer)), f"namespaces/{site.namespace}"

    for path in (
        "/api/v1/namespaces/kube-system/secrets",
        "/api/v1/nodes",
        f"/apis/rbac.authorization.k8s.io/v1/{space}/roles",
        f"/apis/networking.k8s.io/v1/{space}/ingresses",
    ):
        with pytest.raises(Forbidden):
            api.list(path)
    with pytest.raises(Forbidden):
        api.create(f"/api/v1/{space}/pods", {"metadata": {"name": "one"}})
    with pytest.raises(Forbidden):
        api.delete(site.path.replace("/services/", "/httproutes/") if site.driver != "service" else f"/api/v1/{space}")
