"""What the chart router refuses, and that Helm moves no user; no line of the guards is without its case."""

from __future__ import annotations

import json
import re

import helm_python
import pytest

from tests.helm.cluster import RefusedError, rendered
from tests.helm.render import HELM, Object, laid, only, render
from tests.helm.test_slot_guards import spoken

GATEWAY: Object = {"driver": "gateway", "gateway": {"parents": {"public": {}}}}
ALB: Object = {"driver": "alb"}
DRIVERS: dict[str, Object] = {"service": {"driver": "service"}, "gateway": GATEWAY, "alb": ALB}
NLB = "service.beta.kubernetes.io/aws-load-balancer-nlb-target-type"
BEYOND = "weights, audience, mirror and preview.key: the driver service has one selector"
POD_IPS = "service.annotations ask for a load balancer that sends to pod IPs"

REFUSED: list[tuple[Object, str, str]] = [
    ({}, "shop-blue", "release shop-blue ends like a slot's"),
    ({"activeSlot": "blue", "weights": {"blue": 50, "green": 50}}, "", BEYOND),
    ({"activeSlot": "blue", "audience": {"slot": "green", "headers": {"x": "1"}}}, "", BEYOND),
    ({"activeSlot": "blue", "mirror": "green"}, "", BEYOND),
    ({"preview": {"key": "0123456789abcdef"}}, "", BEYOND),
    ({**ALB, "activeSlot": "blue", "mirror": "green"}, "", "mirror: an ALB copies no requests"),
    ({**ALB, "activeSlot": "blue", "audience": {"slot": "green", "headers": {"a": "1", "b": "1"}}}, "", "name one"),
    ({"allowSwitch": True}, "", "a route is asked for and activeSlot is empty"),
    ({**GATEWAY, "weights": {"blue": 100}}, "", "a route is asked for and activeSlot is empty"),
    ({**GATEWAY, "activeSlot": "blue", "weights": {"blue": 50, "green": 49}}, "", "must be 100 together"),
    ({**GATEWAY, "activeSlot": "blue", "weights": {"blue": 0, "green": 0}}, "", "must be 100 together"),
    ({**GATEWAY, "activeSlot": "blue", "weights": {"green": 100}}, "", "weights give activeSlot blue no user"),
    ({**GATEWAY, "activeSlot": "blue", "audience": {"slot": "green"}}, "", "audience needs a slot and headers"),
    ({**GATEWAY, "activeSlot": "blue", "audience": {"headers": {"x": "1"}}}, "", "audience needs a slot and headers"),
    ({**GATEWAY, "activeSlot": "blue", "mirror": "blue"}, "", "mirror: slot blue has users"),
    (
        {**GATEWAY, "activeSlot": "blue", "weights": {"blue": 90, "green": 10}, "mirror": "green"},
        "",
        "mirror: slot green has users",
    ),
    ({"driver": "gateway"}, "", "driver gateway needs gateway.parents"),
    (laid(ALB, {"alb": {"deregistrationDelaySeconds": 30}}), "", "is not less than alb.slotGraceSeconds 30"),
    (laid(ALB, {"alb": {"annotations": {"alb.ingress.kubernetes.io/actions.shop": "{}"}}}), "", "is the route"),
    ({"service": {"type": "LoadBalancer", "annotations": {NLB: "ip"}}}, "", POD_IPS),
    ({"service": {"type": "LoadBalancer", "annotations": {"cloud.google.com/neg": "{}"}}}, "", POD_IPS),
    (laid(ALB, {"tests": {"enabled": True}}), "", "tests.enabled: the driver alb has no active Service"),
    ({"tests": {"enabled": True}}, "", "tests.enabled needs tests.image"),
]
ELSEWHERE = (
    "slot green has the users and the values ask for another route (activeSlot blue): Helm moves nobody; "
    "take activeSlot out, or use the release engine, or set allowSwitch"
)
UNDER_WAY = "a release is under way (blue 75 %, green 25 %): finish or abort it first"
OTHER_DRIVER = (
    "the users come by the driver service and this would take its route away for alb: "
    "finish on the old driver first, or set allowSwitch"
)
NOBODY = "no route is there yet and activeSlot is empty: name the slot that the first users get"
NOT_READY = "slot blue has no pod that is ready and would get 100 % of the users"
BOUND = (
    "TargetGroupBinding nlb sends to the pods of Service shop: when the selector moves it takes the old pods off "
    "before it has the new ones; take the driver alb"
)


def route(driver: str, blue: int, **more: object) -> Object:
    """The routing object of a driver as the release engine leaves it in the cluster."""
    values = {**DRIVERS[driver], "activeSlot": "blue" if blue else "green", "allowSwitch": True, **more}
    if driver != "service":
        values["weights"] = {"blue": blue, "green": 100 - blue}
    kind = {"service": "Service", "gateway": "HTTPRoute", "alb": "Ingress"}[driver]
    found = next(each for each in render("router", values) if each["kind"] == kind)
    found["metadata"]["labels"]["app.kubernetes.io/managed-by"] = "Helm"
    found["metadata"].setdefault("annotations", {}).update(
        {"meta.helm.sh/release-name": "shop", "meta.helm.sh/release-namespace": "shop-space"}
    )
    return found


def deployment(slot: str, ready: int) -> Object:
    return {"kind": "Deployment", "metadata": {"name": f"shop-{slot}"}, "status": {"readyReplicas": ready}}


def shares(found: list[Object]) -> dict[str, int] | None:
    """Percent of the users by slot, as the routing object among them says; None if it says nothing."""
    first = next(each for each in found if each["metadata"]["name"] == "shop" and each["kind"] != "ServiceAccount")
    if first["kind"] == "Service":
        slot = first["spec"].get("selector", {}).get("slot")
        return {"blue": 100 * (slot == "blue"), "green": 100 * (slot == "green")} if slot else None
    if first["kind"] == "HTTPRoute":
        rules = {rule["name"]: rule for rule in first["spec"].get("rules", [])}
        parts = rules["users"]["backendRefs"] if rules else []
        return {part["name"].removeprefix("shop-"): part["weight"] for part in parts} or None
    action = first["metadata"]["annotations"].get("alb.ingress.kubernetes.io/actions.shop")
    groups = json.loads(action)["forwardConfig"]["targetGroups"] if action else []
    return {group["serviceName"].removeprefix("shop-"): group["weight"] for group in groups} or None


def refusal(values: Object, name: str = "") -> str:
    with pytest.raises(helm_python.HelmRenderError) as refused:
        render("router", values, name)
    return str(refused.value)


def refused_by(values: Object, present: list[Object]) -> str:
    with pytest.raises(RefusedError) as refused:
        rendered("router", values, present)
    return str(refused.value)


@pytest.mark.parametrize(("values", "name", "words"), REFUSED)
def test_the_chart_refuses(values: Object, name: str, words: str) -> None:
    """A combination that would hurt is refused with the reason."""
    assert words in refusal(values, name)


@pytest.mark.parametrize("driver", DRIVERS)
def test_helm_moves_no_user(driver: str) -> None:
    """Without a word on it the slot that is live stays live; with the wrong word nothing is written."""
    present = [route(driver, 0)]

    assert {"blue": 0, "green": 100} == shares(rendered("router", DRIVERS[driver], present))
    assert {"blue": 0, "green": 100} == shares(rendered("router", {**DRIVERS[driver], "activeSlot": "green"}, present))
    assert ELSEWHERE in refused_by({**DRIVERS[driver], "activeSlot": "blue"}, present)


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("active", ["", "blue", "green"])
def test_without_a_cluster_the_route_is_left_out(driver: str, active: str) -> None:
    """A GitOps sync with stale values takes no route back, whatever they say."""
    assert shares(render("router", {**DRIVERS[driver], "activeSlot": active})) is None


@pytest.mark.parametrize("driver", DRIVERS)
def test_the_first_install_names_the_first_slot(driver: str) -> None:
    """A cluster that answers and has no route gets the one of the values, which must say which."""
    assert {"blue": 0, "green": 100} == shares(rendered("router", {**DRIVERS[driver], "activeSlot": "green"}, []))
    assert NOBODY in refused_by(DRIVERS[driver], [])


@pytest.mark.parametrize("driver", ["gateway", "alb"])
def test_nothing_is_written_while_a_release_is_under_way(driver: str) -> None:
    """Shares, an audience and copies belong to the release engine until it is done."""
    audience = {"slot": "green", "headers": {"x-beta": "yes"}}

    assert UNDER_WAY in refused_by(DRIVERS[driver], [route(driver, 75)])
    assert "a release is under way" in refused_by(DRIVERS[driver], [route(driver, 100, audience=audience)])


def test_copies_are_a_release_under_way() -> None:
    """A mirror is not taken away by an upgrade of the chart."""
    assert "a release is under way" in refused_by(GATEWAY, [route("gateway", 100, mirror="green")])


@pytest.mark.parametrize("driver", ["gateway", "alb"])
def test_a_preview_is_no_release_under_way(driver: str) -> None:
    """The routes to try a slot are always there; an upgrade of the chart may bring or take them."""
    key = {"preview": {"key": "0123456789abcdef"}}

    assert {"blue": 100, "green": 0} == shares(rendered("router", DRIVERS[driver], [route(driver, 100, **key)]))
    assert {"blue": 100, "green": 0} == shares(rendered("router", {**DRIVERS[driver], **key}, [route(driver, 100)]))


@pytest.mark.parametrize("driver", DRIVERS)
def test_allow_switch_moves_users_to_a_slot_that_is_ready(driver: str) -> None:
    """Who asks for it in so many words gets it, but no slot without a ready pod gets users."""
    asked = {**DRIVERS[driver], "activeSlot": "blue", "allowSwitch": True}
    present = [route(driver, 0)]

    assert {"blue": 100, "green": 0} == shares(rendered("router", asked, [*present, deployment("blue", 2)]))
    assert NOT_READY in refused_by(asked, [*present, deployment("blue", 0)])
    assert NOT_READY in refused_by(asked, present)


def test_another_driver_does_not_take_the_users_route_away() -> None:
    """Helm would delete the old routing object in the same upgrade."""
    assert OTHER_DRIVER in refused_by({**ALB, "activeSlot": "blue"}, [route("service", 100)])


def test_a_selector_is_refused_where_a_load_balancer_knows_its_pods() -> None:
    """A TargetGroupBinding on the active Service takes the old pods off before it has the new ones."""
    bound = {"kind": "TargetGroupBinding", "metadata": {"name": "nlb"}, "spec": {"serviceRef": {"name": "shop"}}}
    elsewhere = {**bound, "spec": {"serviceRef": {"name": "shop-blue"}}}

    assert BOUND in refused_by({"activeSlot": "blue"}, [bound])
    assert rendered("router", {"activeSlot": "blue"}, [elsewhere])


def test_a_cluster_without_gateway_api_is_asked_for_none() -> None:
    """A kind that is not installed is no error."""
    assert {"blue": 100, "green": 0} == shares(rendered("router", {"activeSlot": "blue"}, [], custom=False))


def test_the_active_service_has_a_test_of_its_own() -> None:
    """`helm test` asks it as a user would."""
    image = "local/shop@sha256:" + "0" * 64
    pod = only(render("router", {"tests": {"enabled": True, "image": image, "path": "/health"}}), "Pod")

    assert {"name": "TARGET", "value": "http://shop:80/health"} in pod["spec"]["containers"][0]["env"]


def test_every_guard_has_its_case() -> None:
    """Each `fail` of the guards says something that a test above expects."""
    lines = re.findall(r'fail \(?(?:printf )?"([^"]+)"', (HELM / "router/templates/_guards.tpl").read_text())
    asked = [ELSEWHERE, UNDER_WAY, OTHER_DRIVER, NOBODY, NOT_READY, BOUND]
    told = [*(refusal(values, name) for values, name, _ in REFUSED), *asked]

    assert len(lines) > 15
    assert [] == [line for line in lines if not any(spoken(line, words) for words in told)]
