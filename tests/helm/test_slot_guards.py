"""What the chart slot refuses, each with the words that say why; no line of the guards is without its case."""

from __future__ import annotations

import re

import helm_python
import pytest

from tests.helm.cluster import RefusedError, rendered
from tests.helm.render import HELM, Object, laid, only, render

GOOD: Object = {"version": "1.0.0", "image": {"repository": "local/shop", "tag": "1.0.0"}}
MIGRATION: Object = {"render": "migration", "migration": {"releaseId": "r1", "command": ["migrate"]}}
STORE: Object = {"enabled": True, "store": {"name": "aws"}, "keys": {"TOKEN": {"key": "shop"}}}

REFUSED: list[tuple[Object, str, str]] = [
    ({"image": {"repository": ""}}, "", "image.repository is empty"),
    ({"image": {"tag": ""}}, "", "neither digest nor tag"),
    ({"version": ""}, "", "version is empty"),
    ({"secret": "mine", "externalSecret": STORE}, "", "secret and externalSecret.enabled: only one"),
    ({"externalSecret": {"enabled": True}}, "", "externalSecret.enabled needs"),
    ({"config": {"TOKEN": "t"}, "externalSecret": STORE}, "", "TOKEN is in config and in externalSecret.keys"),
    ({}, "shop", "release shop is not named after slot blue"),
    ({"slot": "green"}, "shop-blue", "release shop-blue is not named after slot green"),
    ({"ports": {"admin": 8080}}, "", "ports.traffic and ports.admin are both 8080"),
    ({"probes": {"liveness": {"port": "admin"}}}, "", "probes.liveness asks the admin port and ports.admin is 0"),
    ({"probes": {"readiness": {"enabled": False}}}, "", "probes.readiness is off"),
    ({"serviceMonitor": {"enabled": True, "port": "admin"}}, "", "serviceMonitor.port is admin and ports.admin is 0"),
    ({"shutdown": {"graceSeconds": 23}}, "", "shutdown.graceSeconds is 23: requests would be cut"),
    ({"minReadySeconds": 300}, "", "minReadySeconds 300 is not less than progressDeadlineSeconds 300"),
    ({"replicas": 2, "autoscaling": {"driver": "hpa"}}, "", "replicas is set and autoscaling.driver is hpa"),
    ({"autoscaling": {"driver": "hpa", "minReplicas": 11}}, "", "autoscaling.minReplicas 11 is more than maxReplicas"),
    ({"autoscaling": {"driver": "hpa", "cpuPercent": 0}}, "", "autoscaling.driver is hpa and nothing is measured"),
    ({"autoscaling": {"driver": "hpa"}, "resources": {"requests": {"cpu": None}}}, "", "which is not set"),
    ({"autoscaling": {"driver": "keda"}}, "", "autoscaling.driver is keda and autoscaling.triggers is empty"),
    ({"pdb": {"minAvailable": 1}}, "", "pdb.minAvailable and pdb.maxUnavailable are both set"),
    ({"pdb": {"maxUnavailable": None}}, "", "pdb.minAvailable and pdb.maxUnavailable are both null"),
    ({"pdb": {"maxUnavailable": None, "minAvailable": 2}}, "", "no node could ever be drained"),
    (MIGRATION, "shop-blue", "render is migration and release shop-blue is not named APP-expand"),
    ({**MIGRATION, "migration": {"command": ["migrate"]}}, "", "migration.releaseId is empty"),
    ({**MIGRATION, "migration": {"releaseId": "r1"}}, "", "migration.command is empty"),
    (laid(MIGRATION, {"migration": {"releaseId": "r" * 32}}), f"{'s' * 40}-expand", "more than 63 characters"),
]

REPLACED = "slot blue has users and this would replace their pods: release to the other slot, or set allowLiveChange"
FEWER = "slot blue has users on 2 pods and this would make it 1: set replicas to what runs, or set allowLiveChange"


def live_by(driver: str, weight: int = 100) -> Object:
    """The routing object that sends users to blue."""
    metadata: Object = {"name": "shop"}
    if driver == "service":
        return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"selector": {"slot": "blue"}}}
    if driver == "gateway":
        rules = [
            {"name": "preview-blue", "backendRefs": [{"name": "shop-blue"}]},
            {"name": "users", "backendRefs": [{"name": "shop-blue", "weight": weight}, {"name": "shop-green"}]},
        ]
        return {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "HTTPRoute",
            "metadata": metadata,
            "spec": {"rules": rules},
        }
    groups = f'[{{"serviceName": "shop-blue", "weight": {weight}}}, {{"serviceName": "shop-green"}}]'
    action = f'{{"type": "forward", "forwardConfig": {{"targetGroups": {groups}}}}}'
    metadata["annotations"] = {"alb.ingress.kubernetes.io/actions.shop": action}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": metadata}


def audience_by_alb() -> Object:
    """No user but those singled out is sent to blue."""
    ingress = live_by("alb", weight=0)
    groups = '[{"serviceName": "shop-blue", "weight": 100}]'
    action = f'{{"type": "forward", "forwardConfig": {{"targetGroups": {groups}}}}}'
    ingress["metadata"]["annotations"]["alb.ingress.kubernetes.io/actions.shop-audience"] = action
    return ingress


def running(**values: object) -> Object:
    """The Deployment of blue as an installation with these values left it."""
    deployment = only(render("slot", {**GOOD, **values}), "Deployment")
    # As Helm marks what is its own, or it would not take it over.
    deployment["metadata"]["labels"]["app.kubernetes.io/managed-by"] = "Helm"
    deployment["metadata"]["annotations"] |= {
        "meta.helm.sh/release-name": "shop-blue",
        "meta.helm.sh/release-namespace": "shop-space",
    }
    return deployment


def spoken(line: str, words: str) -> bool:
    """Whether the words are what a format of `printf` says."""
    return bool(re.search(".+".join(re.escape(part) for part in re.split(r"%%|%[sd]", line)), words))


def refusal(values: Object, name: str = "") -> str:
    with pytest.raises(helm_python.HelmRenderError) as refused:
        render("slot", laid(GOOD, values), name)
    return str(refused.value)


@pytest.mark.parametrize(("values", "name", "words"), REFUSED, ids=[words for _, _, words in REFUSED])
def test_the_chart_refuses(values: Object, name: str, words: str) -> None:
    """A combination that would hurt is refused with the reason."""
    assert words in refusal(values, name)


@pytest.mark.parametrize("driver", ["service", "gateway", "alb"])
def test_a_slot_with_users_keeps_its_pods(driver: str) -> None:
    """Whatever routes, the pods that users are on are not replaced by another version, nor made fewer."""
    present = [live_by(driver), running()]

    with pytest.raises(RefusedError, match=REPLACED):
        rendered("slot", {**GOOD, "version": "2.0.0"}, present)
    with pytest.raises(RefusedError, match=FEWER):
        rendered("slot", {**GOOD, "replicas": 1}, present)


def test_an_audience_holds_a_slot_back_too() -> None:
    """Users who were singled out are users."""
    with pytest.raises(RefusedError, match=REPLACED):
        rendered("slot", {**GOOD, "version": "2.0.0"}, [audience_by_alb(), running()])


@pytest.mark.parametrize("driver", ["service", "gateway", "alb"])
def test_what_changes_no_pod_is_let_through(driver: str) -> None:
    """The same values again, or another Service annotation, replace nothing."""
    again = rendered("slot", {**GOOD, "service": {"annotations": {"team": "shop"}}}, [live_by(driver), running()])

    assert only(again, "Service")["metadata"]["annotations"] == {"team": "shop"}


@pytest.mark.parametrize(
    ("values", "present"),
    [
        ({"allowLiveChange": True}, [live_by("service"), running()]),
        ({}, [live_by("gateway", weight=0), running()]),
        ({}, [live_by("alb", weight=0), running()]),
        ({}, [live_by("service")]),
        ({}, []),
    ],
    ids=["asked for", "gateway weight 0", "alb weight 0", "nothing runs", "nothing is there"],
)
def test_a_slot_without_users_takes_another_version(values: Object, present: list[Object]) -> None:
    """Only users hold a slot back; a preview route makes none."""
    new = rendered("slot", {**GOOD, "version": "2.0.0", **values}, present)

    assert only(new, "Deployment")["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/version"] == "2.0.0"


def test_a_cluster_without_gateway_api_is_asked_for_none() -> None:
    """A kind that is not installed is no error."""
    assert only(rendered("slot", GOOD, [], custom=False), "Deployment")


def test_every_guard_has_its_case() -> None:
    """Each `fail` of the guards says something that a test above expects."""
    lines = re.findall(r'fail \(?(?:printf )?"([^"]+)"', (HELM / "slot/templates/_guards.tpl").read_text())
    told = [*(refusal(values, name) for values, name, _ in REFUSED), REPLACED, FEWER]

    assert len(lines) > 20
    assert [] == [line for line in lines if not any(spoken(line, words) for words in told)]
