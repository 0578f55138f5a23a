"""Rights that lack, as `doctor` names them: by the router and by what the values ask for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import pytest

from scripts.release.file import Kubernetes
from scripts.release.kubernetes import findings
from scripts.release.kubernetes.client import Api
from scripts.release.kubernetes.findings import Place
from scripts.release.kubernetes.helm import Helm
from scripts.release.kubernetes.objects import Objects
from scripts.release.kubernetes.routers import router_of
from scripts.release.slots import Finding
from tests.helm.render import laid, only, render
from tests.release.kubernetes.objects import Object

VALUES: dict[str, Object] = {
    "service": {"driver": "service"},
    "gateway": {"driver": "gateway", "gateway": {"parents": {"public": {}}}},
    "alb": {"driver": "alb"},
}
ROUTE: Object = {"spec": {"parentRefs": [{"name": "public"}, {"name": "edge", "namespace": "other"}]}}
EVERYTHING = """
autoscaling: {driver: keda}
networkPolicy: {enabled: true}
serviceMonitor: {enabled: true}
externalSecret: {enabled: true}
"""


class Reviewing:
    """A stand-in for an API server that says what a Role allows, and has nothing but the route."""

    def __init__(self, rules: list[Object]) -> None:
        self.rules = rules

    def get(self, path: str) -> Object | None:
        return ROUTE if "httproutes" in path else None

    def list(self, path: str, labels: str = "") -> list[Object]:
        return []

    def create(self, path: str, body: Mapping[str, Any]) -> Object:
        asked = body["spec"]["resourceAttributes"]
        assert asked["namespace"] == "shop-space"
        resource = "/".join(filter(None, (asked["resource"], asked.get("subresource", ""))))
        allowed = any(
            asked["group"] in rule["apiGroups"]
            and resource in rule["resources"]
            and asked["verb"] in rule["verbs"]
            and asked.get("name", "") in rule.get("resourceNames", [asked.get("name", "")])
            for rule in self.rules
        )
        return {"status": {"allowed": allowed}}


def told(router: str, rules: list[Object], folder: Path, values: str = "") -> list[Finding]:
    (folder / "values.yaml").write_text(values or "{}")
    settings = Kubernetes(namespace="shop-space", app="shop", router=router, values=("values.yaml",))  # type: ignore[arg-type]
    api = cast(Api, Reviewing(rules))
    objects, made = Objects(api, "shop-space", "shop"), Helm(api, settings, folder)
    place = Place(api, settings, objects, router_of(api, settings), made, lambda: None, folder)
    return [*findings._rights(place)]


def rules(router: str, **allow: bool) -> list[Object]:
    chart = render("router", laid(VALUES[router], {"deployer": {"enabled": True, "allow": allow}}))
    found: list[Object] = only(chart, "Role")["rules"]
    return found


def fewer(found: list[Object]) -> Iterator[tuple[str, list[Object]]]:
    """Each right of the rules, and the rules without it."""
    for number, rule in enumerate(found):
        for resource in rule["resources"]:
            for verb in rule["verbs"]:
                others = [{**rule, "resources": [each for each in rule["resources"] if each != resource]}]
                less = {**rule, "resources": [resource], "verbs": [each for each in rule["verbs"] if each != verb]}
                group = rule["apiGroups"][0]
                yield (
                    f"{verb} {resource}{f'.{group}' if group else ''}",
                    [*found[:number], *others, less, *found[number + 1 :]],
                )


@pytest.mark.parametrize("router", VALUES)
def test_a_role_of_the_chart_lacks_nothing(router: str, tmp_path: Path) -> None:
    assert [] == told(router, rules(router), tmp_path)


@pytest.mark.parametrize("router", VALUES)
def test_every_right_that_is_taken_away_is_named(router: str, tmp_path: Path) -> None:
    """Patching the route, renewing the lock, writing Events; an autoscaler where the values have one."""
    for right, left in fewer(rules(router, keda=True, serviceMonitors=True, externalSecrets=True)):
        (found,) = told(router, left, tmp_path, EVERYTHING.replace("keda", "hpa" if "autoscal" in right else "keda"))
        assert found.what == f"this account may not {right} in the namespace shop-space"


def test_what_no_values_ask_for_is_not_missed(tmp_path: Path) -> None:
    """And what they do is turned on in the router's chart."""
    (found,) = told("service", rules("service"), tmp_path, EVERYTHING)
    assert "create scaledobjects.keda.sh" in found.what
    assert found.mend.endswith(
        "--set deployer.enabled=true --set deployer.allow.keda=true --set deployer.allow.serviceMonitors=true "
        "--set deployer.allow.externalSecrets=true"
    )
    plain = [rule for rule in rules("service") if rule["resources"] != ["horizontalpodautoscalers"]]
    assert [] == told("service", plain, tmp_path)
