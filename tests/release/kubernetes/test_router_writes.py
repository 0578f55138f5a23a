"""Writes of the route: what they hold on, what they refuse, and in which order they come."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from scripts.release.errors import Fenced, Refused, ReleaseError, RouteMoved, Unusable
from scripts.release.file import Settings, Whom
from scripts.release.kubernetes import httproute, service, swap
from scripts.release.kubernetes.alb import Alb
from scripts.release.kubernetes.client import Api
from scripts.release.kubernetes.gateway import Gateway
from scripts.release.kubernetes.ingress import Form as IngressForm
from scripts.release.kubernetes.router import Router
from scripts.release.kubernetes.service import Service
from scripts.release.route import Audience, Target, Weights
from slo import yamlfile
from tests.helm.render import render
from tests.release.conftest import FILE
from tests.release.kubernetes.apiserver import Server
from tests.release.kubernetes.routes import KEY, Object, Shop, install

BLUE, GREEN = Target.all_on("blue"), Target.all_on("green")
SHOP = Shop()
FORMS: dict[str, swap.Form] = {
    "service": service.Form("shop-space", "shop", "shop"),
    "gateway": httproute.Form("shop-space", "shop"),
    "alb": IngressForm("shop-space", "shop", 0),
}
ROUTERS: dict[str, Callable[[Api, Shop], Router]] = {"service": Service, "gateway": Gateway, "alb": Alb}


@pytest.fixture(params=ROUTERS)
def router(request: pytest.FixtureRequest, server: Server, twin_api: Api) -> Router:
    """A router over its chart's objects."""
    install(server, request.param, FORMS[request.param])
    return ROUTERS[request.param](twin_api, SHOP)


def path(router: Router) -> str:
    return FORMS[router.name].path


def test_a_write_is_read_back_with_its_run_and_number(router: Router) -> None:
    """The first one has the frame that Helm left as its precondition, the next one that of the first."""
    first = router.write(BLUE, router.read().token, "r1", 1)
    second = router.write(GREEN, first, "r2", 2)
    seen = router.read()

    assert (GREEN, second, "r2", 2) == (seen.target, seen.token, seen.run, seen.fence)


def test_a_route_that_moved_is_not_written(router: Router) -> None:
    """By another run or by hand: the token no longer holds."""
    token = router.read().token
    router.write(BLUE, token, "r1", 1)

    with pytest.raises(RouteMoved, match="it was moved since this run read it"):
        router.write(GREEN, token, "r2", 2)
    assert BLUE == router.read().target


def test_a_late_write_of_a_run_that_lost_its_lock_is_fenced(router: Router) -> None:
    """A number lower than the one on the object changes nothing, whatever its token."""
    token = router.write(BLUE, router.read().token, "r2", 2)

    with pytest.raises(Fenced, match="run 1 lost its lock to run 2"):
        router.write(GREEN, token, "r1", 1)
    assert BLUE == router.read().target


def test_a_write_whose_answer_is_lost_is_done_once(router: Router, server: Server) -> None:
    """The next look finds it there, under this run's name."""
    token = router.write(BLUE, router.read().token, "r1", 1)
    server.fault(f"PATCH {path(router)}", applied=True)
    after = router.write(GREEN, token, "r2", 2)

    assert (GREEN, after) == (router.read().target, router.read().token)


def noise(server: Server, at: str) -> None:
    """What others write to the object all the time: a status, a label."""
    server.objects[at] = {**server.objects[at], "status": {"seen": server.version}}
    server.version += 1
    server.objects[at]["metadata"] = {**server.objects[at]["metadata"], "resourceVersion": str(server.version)}


def test_what_others_write_beside_the_route_moves_nothing(router: Router, server: Server) -> None:
    """A status that comes between our read and our write is no other route."""
    token = router.read().token
    server.fault(f"PATCH {path(router)}", 409, then=lambda: noise(server, path(router)))
    router.write(GREEN, token, "r1", 1)

    assert GREEN == router.read().target


def test_one_who_moves_the_route_between_read_and_write_wins(router: Router, server: Server) -> None:
    """The patch holds only on the object as it was read."""
    token = router.write(BLUE, router.read().token, "r1", 1)
    other = ROUTERS[router.name](router._api, SHOP)  # type: ignore[attr-defined]
    server.fault(f"PATCH {path(router)}", 409, then=lambda: other.write(GREEN, token, "r2", 2))

    with pytest.raises(RouteMoved):
        router.write(Target.all_on("blue"), token, "r2", 2)
    assert ("r2", GREEN) == (router.read().run, router.read().target)


def test_an_object_that_is_refused_is_not_tried_for_ever(router: Router, server: Server) -> None:
    """Nobody wrote in between: the server's words come up."""
    fault = server.fault(f"PATCH {path(router)}", 422, times=9)

    with pytest.raises(ReleaseError, match="a fault of the test"):
        router.write(GREEN, router.read().token, "r1", 1)
    assert fault.times == 8


def test_nobody_is_sent_to_a_slot_without_a_ready_pod(router: Router, server: Server) -> None:
    """A proxy would answer its share with errors; the way back to a slot that is up stays open."""
    token = router.write(GREEN, router.read().token, "r1", 1)
    for slot in ("blue", "green"):
        server.objects[f"/apis/discovery.k8s.io/v1/namespaces/shop-space/endpointslices/{slot}"]["endpoints"] = []

    with pytest.raises(Refused, match="Service shop-blue has no ready pod"):
        router.write(BLUE, token, "r2", 2)
    assert router.write(GREEN, token, "r2", 2)


def test_without_the_charts_object_it_says_what_to_install(twin_api: Api) -> None:
    """A name that is wrong is found at once."""
    for made in ROUTERS.values():
        with pytest.raises(ReleaseError, match=r"there is no .* shop: install the chart"):
            made(twin_api, SHOP).read()


def test_users_move_before_the_preview(server: Server, twin_api: Api) -> None:
    """kube-proxy takes over once a second what changes: the users' write is the first one of a switch."""
    install(server, "service", FORMS["service"])
    Service(twin_api, SHOP).write(GREEN, Service(twin_api, SHOP).read().token, "r1", 1)
    patched = [line.rpartition("/")[2] for line in server.asked if line.startswith("PATCH")]

    assert ["shop", "shop-preview"] == patched


def test_a_preview_left_behind_is_mended_by_the_next_write(server: Server, twin_api: Api) -> None:
    """The users' switch counts, whether the second write came or not."""
    install(server, "service", FORMS["service"])
    router, preview = Service(twin_api, SHOP), FORMS["service"].path + "-preview"
    server.fault(f"PATCH {preview}", 403)
    token = router.write(GREEN, router.read().token, "r1", 1)

    assert "selector" not in server.objects[preview]["spec"]
    router.write(GREEN, token, "r2", 2)
    assert server.objects[preview]["spec"]["selector"]["slot"] == "blue"


def test_what_a_router_cannot_do_is_no_write(server: Server, twin_api: Api) -> None:
    """A share of the users is not rounded to all of them."""
    install(server, "service", FORMS["service"])

    with pytest.raises(Unusable, match="weights: a Service has one selector"):
        Service(twin_api, SHOP).write(Target(Weights(75, 25)), Service(twin_api, SHOP).read().token, "r1", 1)
    assert not [line for line in server.asked if line.startswith("PATCH")]


def settings(tmp_path: Path, **more: Any) -> Settings:
    (tmp_path / "release.yaml").write_text(FILE)
    return msgspec.structs.replace(yamlfile.load(tmp_path / "release.yaml", Settings), **more)


@pytest.fixture
def region(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of AWS, which nobody asks."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")


@pytest.mark.usefixtures("region")
@pytest.mark.parametrize(
    ("driver", "keys"),
    [
        ("service", ["steps: 5, 50", "steps: shadow", "steps: audience", "sticky"]),
        ("gateway", ["sticky", "audience.cookies"]),
        ("alb", ["steps: shadow", "audience.cookies", "audience.headers"]),
    ],
)
def test_a_plan_that_a_router_cannot_carry_out_is_refused_with_the_keys(
    driver: str, keys: list[str], tmp_path: Path, server: Server, twin_api: Api
) -> None:
    """Before anything happens, each with the reason; what it can do is let through."""
    install(server, driver, FORMS[driver])
    router, at = ROUTERS[driver](twin_api, SHOP), FORMS[driver].path
    server.objects[at].pop("status", None)
    whom = Whom(share=1, headers={"a": "1", "b": "1"}, cookies={"c": "1"})
    asked = settings(tmp_path, steps=("shadow", "audience", 5, 50, 100), sticky=True, audience=whom)

    told = router.refusals(asked)
    assert len(keys) == len(told) == sum(line.startswith(f"{key}: ") for key, line in zip(keys, told, strict=True))
    assert [] == router.refusals(settings(tmp_path, steps=(100,)))


def test_a_selector_behind_pod_ips_is_refused_before_anything_happens(
    tmp_path: Path, server: Server, twin_api: Api
) -> None:
    """What the load balancer controller bound is asked of the cluster."""
    install(server, "service", FORMS["service"])
    bindings = "/apis/elbv2.k8s.aws/v1beta1/namespaces/shop-space/targetgroupbindings"
    server.answer("POST", bindings, "", {"metadata": {"name": "nlb"}, "spec": {"serviceRef": {"name": "shop"}}})
    (told,) = Service(twin_api, SHOP).refusals(settings(tmp_path, steps=(100,)))

    assert "TargetGroupBinding nlb sends to the pods of Service shop" in told


def slot_service(server: Server, slot: str, **spec: Any) -> None:
    found = {"metadata": {"name": f"shop-{slot}"}, "spec": {"clusterIP": "10.0.0.9", "ports": [{"port": 80}], **spec}}
    server.answer("POST", "/api/v1/namespaces/shop-space/services", "", found)


def test_a_service_is_reached_by_its_cluster_ip_or_its_load_balancer(server: Server, twin_api: Api) -> None:
    """And a slot by its own Service, whose selector never changes."""
    install(server, "service", FORMS["service"])
    slot_service(server, "green")
    active = server.objects[FORMS["service"].path]
    active["spec"]["clusterIP"] = "10.0.0.1"

    assert "http://10.0.0.1:80" == Service(twin_api, SHOP).edge()
    active["status"] = {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}
    assert "http://192.0.2.1:80" == Service(twin_api, SHOP).edge()
    assert "https://shop.example.org" == Service(twin_api, SHOP._replace(edge="https://shop.example.org")).edge()
    assert ("http://10.0.0.9:80", {}) == Service(twin_api, SHOP).preview("green")
    with pytest.raises(ReleaseError, match="nothing was deployed on blue"):
        Service(twin_api, SHOP).preview("blue")


def ports(server: Server, driver: str) -> set[tuple[str, int]]:
    """What the routing object sends to, whatever the weight."""
    found = server.objects[FORMS[driver].path]
    if driver == "gateway":
        refs = [each for rule in found["spec"]["rules"] for each in rule["backendRefs"]]
        refs += [
            each["requestMirror"]["backendRef"] for rule in found["spec"]["rules"] for each in rule.get("filters", ())
        ]
        return {(each["name"], each["port"]) for each in refs}
    notes = found["metadata"]["annotations"]
    actions = [json.loads(notes[f"alb.ingress.kubernetes.io/actions.shop{more}"]) for more in ("", "-audience")]
    groups = [each for action in actions for each in action["forwardConfig"]["targetGroups"]]
    return {(each["serviceName"], int(each["servicePort"])) for each in groups}


@pytest.mark.parametrize("driver", ["gateway", "alb"])
def test_each_slot_keeps_the_port_of_its_own_service(driver: str, server: Server, twin_api: Api) -> None:
    """The chart's new port is that of the next release: to the live slot it leads nobody, there or back."""
    install(server, driver, FORMS[driver])
    slot_service(server, "blue", ports=[{"name": "admin", "port": 9090}, {"name": "traffic", "port": 80}])
    slot_service(server, "green", ports=[{"name": "traffic", "port": 8080}, {"name": "admin", "port": 9090}])
    server.objects[FORMS[driver].path]["metadata"]["annotations"]["primetrade/port"] = "8080"
    router = ROUTERS[driver](twin_api, SHOP)

    token = router.read().token
    more = [] if driver == "alb" else [Target(BLUE.weights, mirror="green")]
    for number, target in enumerate([*more, Target(Weights(75, 25)), GREEN, BLUE]):
        token = router.write(target, token, "r1", number + 1)
        assert {("shop-blue", 80), ("shop-green", 8080)} == ports(server, driver)


@pytest.mark.parametrize("driver", ["gateway", "alb"])
def test_the_charts_port_counts_where_a_service_has_it_or_is_not_there(
    driver: str, server: Server, twin_api: Api
) -> None:
    """A Service may have others beside it; the slot of the next release may have none yet."""
    install(server, driver, FORMS[driver])
    slot_service(server, "blue", ports=[{"name": "traffic", "port": 8080}, {"name": "old", "port": 80}])
    router = ROUTERS[driver](twin_api, SHOP)
    router.write(BLUE, router.read().token, "r1", 1)

    assert {("shop-blue", 80), ("shop-green", 80)} == ports(server, driver)


def preview_route() -> Object:
    values = {"driver": "gateway", "gateway": {"parents": {"public": {}}}, "preview": {"key": KEY}}
    return next(each for each in render("router", values) if each["metadata"]["name"] == "shop-preview")


def gateway_object(**status: Any) -> Object:
    listeners = [{"name": "http", "protocol": "HTTP", "port": 8080}]
    return {"metadata": {"name": "public"}, "spec": {"listeners": listeners}, "status": status}


def test_a_gateway_is_reached_by_its_address_and_a_slot_by_the_preview_headers(server: Server, twin_api: Api) -> None:
    """Where the chart has a key; otherwise by the slot's own Service."""
    install(server, "gateway", FORMS["gateway"])
    slot_service(server, "green")
    router, root = Gateway(twin_api, SHOP), "/apis/gateway.networking.k8s.io/v1/namespaces/shop-space"

    with pytest.raises(ReleaseError, match="there is no Gateway public"):
        router.edge()
    server.answer("POST", f"{root}/gateways", "", gateway_object())
    with pytest.raises(ReleaseError, match="has no address yet"):
        router.edge()
    server.objects[f"{root}/gateways/public"] = gateway_object(addresses=[{"value": "10.0.0.2"}])
    assert "http://10.0.0.2:8080" == router.edge()
    assert ("http://10.0.0.9:80", {}) == router.preview("green")
    server.answer("POST", f"{root}/httproutes", "", preview_route())
    assert ("http://10.0.0.2:8080", {"x-route-key": KEY, "x-route-slot": "blue"}) == router.preview("blue")


def test_a_gateway_that_the_role_may_not_read_is_named_in_release_yaml(server: Server, twin_api: Api) -> None:
    """One in another namespace is out of the Role's reach."""
    install(server, "gateway", FORMS["gateway"])
    server.fault("GET /apis/gateway.networking.k8s.io/v1/namespaces/shop-space/gateways", 403)

    with pytest.raises(ReleaseError, match=r"or say kubernetes\.edge in release\.yaml"):
        Gateway(twin_api, SHOP).edge()


def test_a_route_is_applied_when_its_gateway_says_so(server: Server, twin_api: Api) -> None:
    """Not before, and not when it says another target."""
    install(server, "gateway", FORMS["gateway"])
    router, at = Gateway(twin_api, SHOP), FORMS["gateway"].path
    router.write(GREEN, router.read().token, "r1", 1)

    assert "HTTPRoute shop says blue 0 %, green 100 %" == router.missing(BLUE)
    assert not router.applied(GREEN)
    said = [{"type": kind, "status": "True", "observedGeneration": 1} for kind in ("Accepted", "ResolvedRefs")]
    server.objects[at]["status"] = {"parents": [{"parentRef": {"name": "public"}, "conditions": said}]}
    assert router.applied(GREEN)


def test_a_cookie_audience_of_envoy_gateway_is_written(server: Server, twin_api: Api) -> None:
    """By a regular expression that finds one cookie among others."""
    install(server, "gateway", FORMS["gateway"])
    target = Target(Weights(100, 0), "green", Audience(cookies={"beta": "yes.1"}))
    Gateway(twin_api, SHOP).write(target, Gateway(twin_api, SHOP).read().token, "r1", 1)
    *_, audience = server.objects[FORMS["gateway"].path]["spec"]["rules"]

    assert r"^(.*; *)?beta=yes\.1(;.*)?$" == audience["matches"][0]["headers"][0]["value"]
    assert target == Gateway(twin_api, SHOP).read().target
