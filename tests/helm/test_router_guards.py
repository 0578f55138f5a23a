"""What the chart router refuses, and that Helm moves no user; no line of the guards is without its case."""

from __future__ import annotations

import re
from pathlib import Path

import helm_python
import pytest

from scripts.release.kubernetes.rights import ASKED, rights, wanted
from tests.helm.cluster import RefusedError, rendered
from tests.helm.render import CASES, HELM, Object, case_values, laid, loaded, objects, only, render
from tests.helm.test_slot_guards import spoken

GATEWAY: Object = {"driver": "gateway", "gateway": {"parents": {"public": {}}}}
ALB: Object = {"driver": "alb"}
DRIVERS: dict[str, Object] = {"service": {"driver": "service"}, "gateway": GATEWAY, "alb": ALB}
KINDS = {"service": "Service", "gateway": "HTTPRoute", "alb": "Ingress"}
NLB = "service.beta.kubernetes.io/aws-load-balancer-"
KEY = "k" * 32
POD_IPS = "service.annotations ask for a load balancer that sends to pod IPs"

REFUSED: list[tuple[Object, str, str]] = [
    ({}, "shop-blue", "release shop-blue ends like a slot's"),
    ({}, "shop-preview", "release shop-preview ends like a slot's"),
    ({"preview": {"key": "0123456789abcdef"}}, "", "preview.key: the driver service asks for no headers"),
    ({"driver": "gateway"}, "", "driver gateway needs gateway.parents"),
    (ALB, "s" * 39, "is longer than 38 characters"),
    (laid(ALB, {"alb": {"deregistrationDelaySeconds": 30}}), "", "is not less than alb.slotGraceSeconds 30"),
    (laid(ALB, {"alb": {"annotations": {"alb.ingress.kubernetes.io/actions.shop": "{}"}}}), "", "is the route"),
    (laid(ALB, {"alb": {"hostnames": {"a": False}}}), "", "alb.hostnames turns every name off"),
    (laid(GATEWAY, {"gateway": {"hostnames": {"a": False}}}), "", "gateway.hostnames turns every name off"),
    ({"service": {"annotations": {f"{NLB}nlb-target-type": "ip"}}}, "", POD_IPS),
    ({"service": {"annotations": {f"{NLB}type": "nlb-ip"}}}, "", POD_IPS),
    ({"service": {"annotations": {"cloud.google.com/neg": '{"exposed_ports": {"80": {}}}'}}}, "", POD_IPS),
    ({"alb": {"originKeys": [KEY]}}, "", "alb.originKeys: the driver service asks for no key"),
    (laid(ALB, {"tests": {"enabled": True}}), "", "tests.enabled: the driver alb has no active Service"),
    ({"tests": {"enabled": True}}, "", "tests.enabled needs tests.image"),
]
OTHER_DRIVER = (
    "the users come by the driver service, and Helm would take its route away: they would have none until the next "
    "release; set allowDriverChange if that is meant"
)
BOUND = (
    "TargetGroupBinding nlb sends to the pods of Service shop: when the selector moves it takes the old pods off "
    "before it has the new ones; take the driver alb"
)
OWNED = {
    "name": "shop",
    "labels": {"app.kubernetes.io/managed-by": "Helm"},
    "annotations": {"meta.helm.sh/release-name": "shop", "meta.helm.sh/release-namespace": "shop-space"},
}
SERVICE: Object = {"kind": "Service", "metadata": OWNED, "spec": {"selector": {"slot": "blue"}}}


def refusal(values: Object, name: str = "") -> str:
    with pytest.raises(helm_python.HelmRenderError) as refused:
        render("router", values, name)
    return str(refused.value)


def refused_by(values: Object, present: list[Object]) -> str:
    with pytest.raises(RefusedError) as refused:
        rendered("router", values, present)
    return str(refused.value)


def route(found: list[Object], kind: str) -> Object:
    """What the routing object says of where users go; what they must bring is no such thing."""
    (shop,) = [each for each in found if each["kind"] == kind and each["metadata"]["name"] == "shop"]
    said = {key: shop["spec"][key] for key in ("selector", "rules") if key in shop["spec"] and kind != "Ingress"}
    said_of = re.compile(r"actions\.shop\b|conditions\.shop-")
    notes = {key: text for key, text in shop["metadata"].get("annotations", {}).items() if said_of.search(key)}
    return said | {key: text for key, text in notes.items() if "-preview-" not in key}


@pytest.mark.parametrize(("values", "name", "words"), REFUSED)
def test_the_chart_refuses(values: Object, name: str, words: str) -> None:
    """A combination that would hurt is refused with the reason."""
    assert words in refusal(values, name)


@pytest.mark.parametrize("case", [case for case in CASES if case.parent.parent.name == "router"], ids=lambda c: c.stem)
def test_no_manifest_says_where_users_go(case: Path) -> None:
    """What Helm does not write, it cannot take back: neither by an upgrade nor by a rollback nor by a GitOps sync."""
    values = case_values(case)
    kind = KINDS[values.get("driver", "service")]

    assert {} == route(render("router", values), kind)


@pytest.mark.parametrize("driver", DRIVERS)
def test_no_manifest_says_it_when_a_cluster_answers_either(driver: str) -> None:
    """The first install has no route yet; the release engine writes it with the first release."""
    assert {} == route(rendered("router", DRIVERS[driver], []), KINDS[driver])


def test_a_preview_asks_for_key_and_slot_whatever_the_method() -> None:
    """A match with a method beats one with headers, and the users' reads have one."""
    preview = next(
        each
        for each in render("router", {**GATEWAY, "preview": {"key": "0123456789abcdef"}})
        if each["metadata"]["name"] == "shop-preview"
    )
    matches = {rule["name"]: rule["matches"] for rule in preview["spec"]["rules"]}

    assert ["GET", "HEAD", None] == [match.get("method") for match in matches["preview-green"]]
    assert {("0123456789abcdef", "green")} == {
        tuple(header["value"] for header in match["headers"]) for match in matches["preview-green"]
    }


@pytest.mark.parametrize("keys", [["k" * 31], ["k" * 129], ["*" * 32], [KEY, KEY], [KEY, "l" * 32, "m" * 32], KEY])
def test_a_key_that_could_be_guessed_or_not_be_asked_for_is_refused(keys: object) -> None:
    """32 to 128 letters, digits, - and _; two at most, since a rule has room for five values with host and audience."""
    with pytest.raises(helm_python.HelmError, match="originKeys"):
        render("router", laid(ALB, {"alb": {"originKeys": keys}}))


@pytest.mark.parametrize("path", ["/", "/*", "health", "/a?"])
def test_the_keyless_path_is_one_path(path: str) -> None:
    """A wildcard would let everybody in."""
    with pytest.raises(helm_python.HelmError, match="keylessPath"):
        render("router", laid(ALB, {"alb": {"keylessPath": path}}))


def test_without_keys_there_is_no_keyless_path() -> None:
    """With them it is ranked behind every other, by its type."""
    paths = [
        only(render("router", laid(ALB, {"alb": alb})), "Ingress")["spec"]["rules"][0]["http"]["paths"]
        for alb in ({}, {"originKeys": [KEY], "keylessPath": "/well"})
    ]
    assert [["shop-audience", "shop"], ["shop-audience", "shop", "shop-health"]] == [
        [each["backend"]["service"]["name"] for each in found] for found in paths
    ]
    assert ("/well", "ImplementationSpecific") == (paths[1][-1]["path"], paths[1][-1]["pathType"])


def test_values_of_a_chart_without_a_keyless_path_leave_one() -> None:
    """`helm upgrade --reuse-values` takes no new default, and an Ingress path that is empty takes every request."""
    reused = {**ALB, "alb": {"originKeys": [KEY], "keylessPath": None}}
    texts = loaded("router").render(reused, name="shop", namespace="shop-space")

    assert "/health" == only(objects(texts), "Ingress")["spec"]["rules"][0]["http"]["paths"][-1]["path"]


def test_another_driver_does_not_take_the_users_route_away() -> None:
    """Helm would delete the old routing object in the same upgrade."""
    assert OTHER_DRIVER in refused_by(ALB, [SERVICE])
    assert rendered("router", {**ALB, "allowDriverChange": True}, [SERVICE])


def named_shop(kind: str, notes: dict[str, str]) -> Object:
    """An Ingress or HTTPRoute of the application's name."""
    return {"kind": kind, "metadata": {"name": "shop", "annotations": notes}, "spec": {}}


@pytest.mark.parametrize(("kind", "driver"), [("HTTPRoute", "gateway"), ("Ingress", "alb")])
@pytest.mark.parametrize("notes", [{"primetrade/port": "80"}, {"primetrade/run": "1a2b3c4d"}, OWNED["annotations"]])
def test_a_route_is_ours_by_what_stands_on_it(kind: str, driver: str, notes: dict[str, str]) -> None:
    """This chart's, the release engine's, or by Helm's own mark."""
    assert f"the users come by the driver {driver}" in refused_by({}, [named_shop(kind, notes)])


@pytest.mark.parametrize("kind", ["HTTPRoute", "Ingress"])
@pytest.mark.parametrize("notes", [{}, {"meta.helm.sh/release-name": "front"}])
def test_a_route_of_somebody_else_may_have_the_same_name(kind: str, notes: dict[str, str]) -> None:
    """An nginx Ingress before the active Service is common, and Helm does not take it away."""
    assert rendered("router", {}, [named_shop(kind, notes)])


def test_the_same_driver_is_no_other() -> None:
    """An upgrade of the chart is let through, whoever has the users."""
    assert rendered("router", {}, [SERVICE])


def test_a_selector_is_refused_where_a_load_balancer_knows_its_pods() -> None:
    """A TargetGroupBinding on the active Service takes the old pods off before it has the new ones."""
    bound = {"kind": "TargetGroupBinding", "metadata": {"name": "nlb"}, "spec": {"serviceRef": {"name": "shop"}}}
    elsewhere = {**bound, "spec": {"serviceRef": {"name": "shop-blue"}}}

    assert BOUND in refused_by({}, [bound])
    assert rendered("router", {}, [elsewhere])


def test_a_cluster_without_gateway_api_is_asked_for_none() -> None:
    """A kind that is not installed is no error."""
    assert rendered("router", {}, [], custom=False)


def test_the_active_service_has_a_test_of_its_own() -> None:
    """`helm test` asks it as a user would."""
    image = "local/shop@sha256:" + "0" * 64
    pod = only(render("router", {"tests": {"enabled": True, "image": image, "path": "/health"}}), "Pod")

    assert {"name": "TARGET", "value": "http://shop:80/health"} in pod["spec"]["containers"][0]["env"]


@pytest.mark.parametrize("driver", DRIVERS)
def test_the_role_has_the_rights_that_the_engine_needs_and_no_more(driver: str) -> None:
    """What the doctor asks for is what the chart gives, with every kind that a slot's values can ask for."""
    allow = {"keda": True, "serviceMonitors": True, "externalSecrets": True}
    role = only(render("router", laid(DRIVERS[driver], {"deployer": {"enabled": True, "allow": allow}})), "Role")
    given = {
        (group, resource, verb, name)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
        for name in rule.get("resourceNames", [""])
    }
    needed = rights("shop", driver, {*ASKED}, {"public"} if driver == "gateway" else set())
    asked = [(right.group, right.resource, verb, right.name) for right in needed for verb in right.verbs]
    assert given == {*asked}
    assert len(asked) == len({*asked})


def test_what_values_ask_for_takes_a_right_of_its_own() -> None:
    """Every kind that the slot chart makes in any of its cases is among them."""
    cases = [case_values(case) for case in CASES if case.parent.parent.name == "slot"]
    assert {*ASKED} == {name for values in cases for name in wanted(values)}
    needed = {right.resource for right in rights("shop", "service", {*ASKED}, set())}
    made = {each["kind"] for values in cases for each in render("slot", values)} - {"Pod"}  # of `helm test`
    assert set() == {
        plural for kind in made if (plural := kind.lower().replace("policy", "policie") + "s") not in needed
    }


def test_every_guard_has_its_case() -> None:
    """Each `fail` of the guards says something that a test above expects."""
    lines = re.findall(r'fail \(?(?:printf )?"([^"]+)"', (HELM / "router/templates/_guards.tpl").read_text())
    told = [*(refusal(values, name) for values, name, _ in REFUSED), OTHER_DRIVER, BOUND]

    assert len(lines) > 8
    assert [] == [line for line in lines if not any(spoken(line, words) for words in told)]
