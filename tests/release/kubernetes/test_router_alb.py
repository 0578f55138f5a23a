"""The router `alb` over a fake of the controller and of ELB: done is what ELB says, and nothing before."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scripts.release.errors import Refused, ReleaseError, Unusable
from scripts.release.file import Settings
from scripts.release.kubernetes import settling
from scripts.release.kubernetes.alb import CHANGE_S, FIRST_S, Alb
from scripts.release.kubernetes.client import Api
from scripts.release.kubernetes.elb import SOURCE, Boto, Later, Rule, rule_of
from scripts.release.kubernetes.ingress import PREFIX, Form
from scripts.release.route import Audience, Target, Weights
from scripts.release.slots import Answer, Request
from slo import yamlfile
from tests.helm.render import only, render
from tests.release.conftest import FILE
from tests.release.kubernetes.apiserver import Server
from tests.release.kubernetes.fake_alb import INGRESS, SERVICES, FakeAlb
from tests.release.kubernetes.routes import KEY, Shop, frame, install

BLUE, GREEN = Target.all_on("blue"), Target.all_on("green")
QUARTER = Target(Weights(75, 25), sticky="slot-7")
BETA = Target(Weights(100, 0), "green", Audience({"x-beta": "yes"}))
TARGETS = [BLUE, GREEN, QUARTER, BETA]
FAULTS = ["throttled", "failing", "mended", "pods"]
OLD, NEW = "old-" * 8, "new-" * 8
USUAL = 20  # moments in which the fake gets everything done


class Place:
    """A router over the fake, with both slots up."""

    def __init__(self, server: Server, api: Api, *slots: str) -> None:
        install(server, "alb", Form("shop-space", "shop", 0))
        self.server = server
        self.fake = FakeAlb(server)
        for slot in slots or ("blue", "green"):
            self.fake.pods(f"shop-{slot}", f"{slot}-1", f"{slot}-2")
        self.clock, self.slept = 1000.0, 0
        self.router = Alb(api, Shop(), lambda: self.fake, lambda: self.clock)

    def write(self, target: Target, fence: int = 1) -> None:
        self.clock += 1000  # a cookie of the last release is dead by now
        self.router.write(target, self.router.read().token, "r1", fence)

    def tick(self) -> None:
        self.fake.tick()

    def ticking(self) -> SimpleNamespace:
        """A clock whose every pause is a moment of the fake's, and lasts two seconds."""
        self.slept = 0

        def sleep(seconds: float) -> None:
            self.slept += 1
            self.tick()

        return SimpleNamespace(monotonic=lambda: 2.0 * self.slept, sleep=sleep)


@pytest.fixture
def place(server: Server, twin_api: Api) -> Place:
    return Place(server, twin_api)


@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_a_write_is_applied_once_elb_has_it(place: Place, target: Target) -> None:
    """Not when it is written, and not while the controller is at it."""
    place.write(target)

    assert not place.router.applied(target)
    place.fake.tick(USUAL)
    assert "" == place.router.missing(target)
    assert {"blue" if target.weights.blue > 20 else "green"} == {place.fake.serves(20)}


def test_the_audience_goes_where_it_is_sent_and_nobody_else(place: Place) -> None:
    """By its header, and after the way back like everybody."""
    place.write(BETA)
    place.fake.tick(USUAL)
    assert ["green", "blue"] == [place.fake.serves(20, x_beta="yes"), place.fake.serves(20, x_beta="no")]

    place.write(BLUE)
    place.fake.tick(USUAL)
    assert {"blue"} == {place.fake.serves(draw, x_beta="yes") for draw in range(100)}


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(
    acts=st.lists(
        st.one_of(
            st.sampled_from(TARGETS), st.integers(1, 6), st.sampled_from(["throttled", "failing", "mended", "pods"])
        ),
        max_size=12,
    )
)
def test_applied_never_says_so_too_early(server: Server, twin_api: Api, acts: list[Target | int | str]) -> None:
    """Whatever comes in whichever order, users are where the target says once it is said to be applied."""
    server.objects.clear()
    place, target, generations = Place(server, twin_api), BLUE, 0
    for act in [BLUE, USUAL, *acts]:
        match act:
            case Target():
                place.write(act)
                target = act
            case int():
                place.fake.tick(act)
            case "throttled":
                place.fake.throttled = 1
            case "pods":
                generations += 1
                place.fake.pods("shop-green", f"green-{generations}")
            case _:
                place.fake.failing = "AccessDenied" if act == "failing" else ""
        if place.router.applied(target):
            blue = [place.fake.serves(draw) for draw in range(100)].count("blue")
            green = [place.fake.serves(draw) for draw in range(100)].count("green")
            assert (target.weights.blue, target.weights.green) == (blue, green)
            assert target.first in ("", place.fake.serves(0, x_beta="yes"))


def test_while_elb_answers_nothing_nothing_is_applied(place: Place) -> None:
    """Too many questions are no verdict: the next one may be answered."""
    place.write(GREEN)
    place.fake.tick(USUAL)
    place.fake.throttled = 1

    assert "Rate exceeded" in place.router.missing(GREEN)
    assert place.router.applied(GREEN)


def test_a_controller_that_gets_nothing_done_leaves_users_where_they_are(place: Place) -> None:
    """What is missing names the rule as it still is."""
    place.write(BLUE)
    place.fake.tick(USUAL)
    place.fake.failing = "AccessDenied: ModifyRule"
    place.write(GREEN)
    place.fake.tick(USUAL)

    assert "rule of the users still says {'blue': 100, 'green': 0}" in place.router.missing(GREEN)
    assert {"blue"} == {place.fake.serves(draw) for draw in range(100)}
    assert any("AccessDenied" in event for event in place.fake.events)


def test_before_the_first_route_the_load_balancer_answers_503(place: Place) -> None:
    """The controller makes it all the same, in minutes, and finds no action for the paths that Helm installed."""
    with pytest.raises(ReleaseError, match="has no load balancer yet"):
        place.router.edge()
    assert FIRST_S == place.router.settles_s()
    place.write(BLUE)
    assert "the Ingress has no load balancer yet: its events say why" == place.router.missing(BLUE)

    place.fake.tick(USUAL)
    assert "http://k8s-fake-shop.elb.example.org" == place.router.edge()
    assert CHANGE_S == place.router.settles_s()


def test_the_first_release_waits_for_the_load_balancer(server: Server, twin_api: Api) -> None:
    """With one slot deployed and the other never: the controller makes no rule of a Service that is not there."""
    place = Place(server, twin_api, "blue")
    place.fake.making = 60
    place.router.frame()
    assert not settling.prepare(place.router, BLUE)
    place.write(BLUE)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(settling, "time", place.ticking())
        settling.settle(place.router, BLUE, 5.0, Request("/"), lambda probe: Answer(200, "blue"))
    assert place.slept > place.fake.making
    assert place.fake.events == []
    assert {"blue"} == {place.fake.serves(draw) for draw in range(100)}


def test_without_the_other_slots_service_the_controller_does_nothing(server: Server, twin_api: Api) -> None:
    """What the fake must keep, and why a slot that was never deployed has a Service."""
    place = Place(server, twin_api, "blue")
    place.write(BLUE)
    del server.objects[f"{SERVICES}/shop-green"]
    place.fake.tick(USUAL)
    assert 'FailedBuildModel: Service "shop-green" not found' in place.fake.events
    place.router.frame()
    place.fake.tick(USUAL)
    assert place.router.applied(BLUE)


def test_helm_takes_over_the_service_of_a_slot_that_was_not_deployed(server: Server, twin_api: Api) -> None:
    """By Helm's own marks; it selects the pods of its slot and has the port of the chart."""
    Place(server, twin_api, "blue").router.frame()
    made = server.objects[f"{SERVICES}/shop-green"]
    rendered = only(
        render("slot", {"version": "1", "image": {"repository": "a", "tag": "1"}, "slot": "green"}), "Service"
    )
    assert made["spec"]["selector"] == rendered["spec"]["selector"]
    assert made["spec"]["ports"] == rendered["spec"]["ports"]
    assert made["metadata"]["labels"].items() <= rendered["metadata"]["labels"].items()
    assert made["metadata"]["annotations"] == {
        "meta.helm.sh/release-name": "shop-green",
        "meta.helm.sh/release-namespace": "shop-space",
    }


def live(place: Place, target: Target = BLUE) -> Place:
    place.write(target)
    place.fake.tick(USUAL)
    assert place.router.applied(target)
    return place


def test_nobody_is_sent_to_pods_that_the_load_balancer_does_not_know_yet(place: Place) -> None:
    """Kubernetes says that they are ready long before; with weight 0 they are registered and asked all the same."""
    live(place)
    place.fake.pods("shop-green", "green-3", "green-4")
    seen = []
    for _ in range(3):
        seen.append(place.router.unready(GREEN))
        place.fake.tick()
    assert [
        "the load balancer finds the pods of green 2 not registered",
        "the load balancer finds the pods of green 2 not registered",
        "the load balancer finds the pods of green 2 initial",
    ] == seen
    assert "" == place.router.unready(GREEN) == place.router.unready(QUARTER) == place.router.unready(BETA)


def test_the_write_waits_for_them(place: Place) -> None:
    """And is refused with the reason where they never come."""
    live(place)
    place.fake.pods("shop-green", "green-3")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(settling, "time", place.ticking())
        assert settling.prepare(place.router, GREEN)
        assert 3 == place.slept
        place.fake.pods("shop-green", "green-3", "green-4")
        patched.setattr(place, "tick", lambda: None)
        with pytest.raises(
            Refused, match=r"nobody was moved, since after 18\d s the load balancer finds the pods of green"
        ):
            settling.prepare(place.router, GREEN)
    assert BLUE == place.router.read().target


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(acts=st.lists(st.one_of(st.sampled_from(["deploy", *TARGETS]), st.integers(1, 4)), max_size=10))
def test_no_user_meets_pods_that_are_not_known_yet(
    server: Server, twin_api: Api, acts: list[str | int | Target]
) -> None:
    """Whatever is deployed beside them, and however soon they are moved then; at every moment in between."""
    server.objects.clear()
    place, target = live(Place(server, twin_api)), BLUE
    place.fake.lag, place.fake.checking = 0, 6  # a rule is changed sooner than a target is found healthy

    def pass_on(moments: int) -> None:
        for _ in range(moments):
            place.fake.tick()
            assert {"blue", "green"} >= {
                place.fake.serves(draw, **sent) for draw in (0, 50, 99) for sent in ({}, {"x_beta": "yes"})
            }

    for number, act in enumerate(acts):
        match act:
            case Target():
                while place.router.unready(act):
                    pass_on(1)
                place.write(act)
                target = act
                pass_on(USUAL)  # the engine waits for it, too
            case int():
                pass_on(act)
            case _:
                for slot in {"blue", "green"} - {slot for slot in ("blue", "green") if target.has_users(slot)}:
                    place.fake.pods(f"shop-{slot}", f"{slot}-a{number}", f"{slot}-b{number}")


def test_the_way_back_waits_for_nothing(place: Place) -> None:
    """The old slot's pods are there; one that is unhealthy gets no requests, and AWS may not answer at all."""
    live(place, GREEN)
    assert "" == place.router.unready(BLUE)
    place.fake._targets["shop-blue"]["blue-1"] = "unhealthy"
    assert "" == place.router.unready(BLUE)
    place.fake._targets["shop-blue"]["blue-2"] = "unhealthy"
    assert "the load balancer finds the pods of blue 2 unhealthy" == place.router.unready(BLUE)
    place.fake.broken = "Unable to locate credentials"
    assert "" == place.router.unready(BLUE)


def test_a_plan_is_refused_where_aws_cannot_be_asked(place: Place, tmp_path: Path) -> None:
    """What is in force could not be seen in the middle of it; too many questions are no reason."""
    (tmp_path / "release.yaml").write_text(FILE)
    asked = yamlfile.load(tmp_path / "release.yaml", Settings)
    live(place)
    assert [] == place.router.refusals(asked)
    place.fake.throttled = 1
    assert [] == place.router.refusals(asked)
    place.fake.broken = "Unable to locate credentials"
    assert ["what is in force cannot be seen: AWS: Unable to locate credentials"] == place.router.refusals(asked)


def test_targets_that_are_not_healthy_yet_are_waited_for(place: Place) -> None:
    """The old pods are taken off before the new ones are there: a rule that is right is not enough."""
    place.write(GREEN)
    place.fake.tick(USUAL)
    place.fake.pods("shop-green", "green-3")
    place.fake.tick()

    assert "the targets of green are 2 draining" == place.router.missing(GREEN)
    place.fake.tick()
    assert "the targets of green are 1 initial" == place.router.missing(GREEN)
    place.fake.tick()
    assert place.router.applied(GREEN)


def test_a_hand_on_the_ingress_is_seen(place: Place) -> None:
    """What ELB has is no more what was written."""
    place.write(BLUE)
    place.fake.tick(USUAL)
    place.write(GREEN)

    assert "Ingress shop says blue 0 %, green 100 %" == place.router.missing(BLUE)


def test_a_slot_is_previewed_by_headers_where_the_chart_has_a_key(place: Place) -> None:
    """The controller's rule for it comes before everybody's."""
    place.server.objects[INGRESS] = frame("alb", preview={"key": KEY})
    place.write(BLUE)
    place.fake.tick(USUAL)
    address, headers = place.router.preview("green")

    assert {"x-route-key": KEY, "x-route-slot": "green"} == headers
    assert place.router.edge() == address
    assert {"green"} == {place.fake.serves(draw, x_route_key=KEY, x_route_slot="green") for draw in range(100)}


def upgrade(place: Place, *keys: str, **values: Any) -> None:
    """Helm's upgrade to other keys: what no manifest says stays."""
    live, new = place.server.objects[INGRESS], frame("alb", alb={"originKeys": keys, **values})
    notes = {key: text for key, text in live["metadata"]["annotations"].items() if key != f"{PREFIX}conditions.shop"}
    metadata = {**live["metadata"], "annotations": notes | new["metadata"]["annotations"]}
    place.server.answer("PUT", INGRESS, "", {**live, "spec": new["spec"], "metadata": metadata})


def test_who_brings_no_key_gets_nothing(place: Place) -> None:
    """Neither a user nor one of the audience; the health check asks without."""
    upgrade(place, OLD)
    live(place, BETA)
    serves = place.fake.serves
    assert ["404", "404"] == [serves(0), serves(0, x_origin_key=NEW)]
    assert ["404", "404"] == [serves(0, x_beta="yes"), serves(0, x_beta="yes", x_origin_key=NEW)]
    assert "404" == serves(0, "/health/x")
    assert "blue" == serves(0, "/health") == serves(0, x_origin_key=OLD) == serves(0, x_origin_key=OLD, x_beta="no")
    assert "green" == serves(0, x_origin_key=OLD, x_beta="yes") == serves(0, "/health", x_origin_key=OLD, x_beta="yes")


def test_a_preview_of_the_keyless_path_is_one_of_its_slot(place: Place) -> None:
    """The smoke test asks the new slot for its health: the users' must not answer."""
    place.server.objects[INGRESS] = frame("alb", preview={"key": KEY}, alb={"originKeys": [OLD]})
    live(place)
    _, headers = place.router.preview("green")
    sent = {name.replace("-", "_"): value for name, value in headers.items()}
    assert ["green", "green", "blue"] == [
        place.fake.serves(0, "/health", **sent),
        place.fake.serves(0, "/", **sent),
        place.fake.serves(0, "/health"),
    ]


def test_a_whole_release_keeps_the_key_and_the_health_check(place: Place) -> None:
    """By steps and back, at every moment in between; the health check goes where the users go."""
    upgrade(place, OLD, NEW, hostnames={"shop.example": True})
    live(place)
    for target in [BETA, QUARTER, GREEN, BLUE]:
        place.write(target)
        for _ in range(USUAL):
            place.tick()
            answers = {place.fake.serves(draw, x_origin_key=NEW, x_beta="yes") for draw in range(100)}
            assert {"blue", "green"} >= answers | {place.fake.serves(draw, "/health") for draw in range(100)}
            assert {"404"} == {place.fake.serves(0), place.fake.serves(0, x_beta="yes")}
            if place.router.applied(target):
                break
        for path, sent in (("/", {"x_origin_key": OLD}), ("/health", {})):
            found = [place.fake.serves(draw, path, **sent) for draw in range(100)]
            assert (target.weights.blue, target.weights.green) == (found.count("blue"), found.count("green"))
    assert [] == place.fake.events


def test_a_rotation_moves_nobody(place: Place) -> None:
    """Helm writes the keys and no route; at no moment is a request without an answer that has the key of its time."""
    upgrade(place, OLD)
    live(place, GREEN)
    route = place.router.read()
    for keys, sent in (((OLD, NEW), OLD), ((NEW, OLD), NEW), ((NEW,), NEW)):
        upgrade(place, *keys)
        assert route == place.router.read()
        for _ in range(USUAL):
            place.tick()
            assert "green" == place.fake.serves(0, x_origin_key=sent)
        assert [key in keys for key in (OLD, NEW)] == [
            place.fake.serves(0, x_origin_key=key) == "green" for key in (OLD, NEW)
        ]


@pytest.mark.parametrize("whom", [{}, {"x_route_audience": "nobody"}, {"x_beta": "yes"}])
def test_a_key_holds_as_soon_as_the_chart_has_it(place: Place, whom: dict[str, str]) -> None:
    """No release has to come first: neither for the first key, nor for the end of one that leaked."""
    live(place)
    for keys, leaked in (((OLD,), {}), ((NEW,), {"x_origin_key": OLD})):
        upgrade(place, *keys)
        assert "the load balancer has no rule of the users as written yet" == place.router.missing(BLUE)
        place.fake.tick(USUAL)
        assert "" == place.router.missing(BLUE)
        assert ["404", "blue"] == [place.fake.serves(0, **whom, **leaked), place.fake.serves(0, "/health")]
        assert "blue" == place.fake.serves(0, x_origin_key=keys[0], **whom)


def test_an_audience_whose_key_ended_is_among_the_users(place: Place) -> None:
    """Until the next step, which writes the key of the chart."""
    upgrade(place, OLD)
    live(place, BETA)
    upgrade(place, NEW)
    place.fake.tick(USUAL)
    assert "" == place.router.missing(BETA)
    assert "blue" == place.fake.serves(0, x_origin_key=NEW, x_beta="yes")
    live(place, BETA)
    assert "green" == place.fake.serves(0, x_origin_key=NEW, x_beta="yes")


def test_a_plan_is_refused_where_the_engines_own_requests_bring_no_key(
    server: Server, twin_api: Api, tmp_path: Path
) -> None:
    """They go where users' do, through what sends it."""
    (tmp_path / "release.yaml").write_text(FILE)
    asked = yamlfile.load(tmp_path / "release.yaml", Settings)
    place = Place(server, twin_api)
    upgrade(place, OLD)
    live(place)
    (told,) = place.router.refusals(asked)
    assert "kubernetes.edge: the load balancer asks for a key (alb.originKeys)" in told
    assert [] == Alb(twin_api, Shop(edge="https://shop.example"), lambda: place.fake).refusals(asked)


def test_without_boto3_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only who routes by an ALB needs it."""
    monkeypatch.setitem(sys.modules, "boto3", None)

    with pytest.raises(Unusable, match=r"make \.venv/\.dev` installs boto3"):
        Boto()


class Pages:
    """A stand-in for boto3's client of ELB, with one load balancer and one target group."""

    def __init__(self, state: str) -> None:
        self.balancer = {"LoadBalancerArn": "l", "DNSName": "Shop.elb", "State": {"Code": state}}

    def get_paginator(self, call: str) -> SimpleNamespace:
        forward = {"Type": "forward", "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": "a", "Weight": 1}]}}
        pages = {
            "describe_load_balancers": {"LoadBalancers": [self.balancer]},
            "describe_listeners": {"Listeners": [{"ListenerArn": "n"}]},
            "describe_rules": {"Rules": [{"Conditions": [], "Actions": [forward]}]},
        }
        return SimpleNamespace(paginate=lambda **asked: [pages[call]])

    def describe_target_health(self, TargetGroupArn: str) -> dict[str, object]:  # noqa: N803 - boto3's name
        return {"TargetHealthDescriptions": [{"Target": {"Id": "10.0.0.1"}, "TargetHealth": {"State": "initial"}}]}


def test_a_load_balancer_that_is_being_made_has_nothing_in_force(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its rules are there before it answers anybody."""
    monkeypatch.setattr("boto3.client", lambda name, config: Pages("provisioning"))
    with pytest.raises(Later, match=r"still making the load balancer shop\.elb"):
        Boto().rules("shop.elb")
    monkeypatch.setattr("boto3.client", lambda name, config: Pages("active"))
    assert [Rule({}, {"a": 1})] == list(Boto().rules("shop.elb"))
    assert {"10.0.0.1": "initial"} == Boto().health("a")
    with pytest.raises(ReleaseError, match=r"AWS has no load balancer other\.elb"):
        Boto().rules("other.elb")


def test_without_a_region_it_says_which_to_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """By the name that boto3 reads."""
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(Unusable, match="set AWS_DEFAULT_REGION and credentials"):
        Boto()
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    Boto()


def test_an_aws_that_does_not_answer_holds_nothing_up_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before a write of the route it is asked, also on the way back: seconds, not boto3's own minutes."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    config = Boto()._client.meta.config
    assert (3, 10) == (config.connect_timeout, config.read_timeout)
    assert 2 == config.retries["total_max_attempts"]


def test_a_rule_is_read_as_elb_describes_it() -> None:
    """Conditions on headers in lower case and on addresses, weights by target group; none that does not forward."""
    described = {
        "Conditions": [
            {"Field": "path-pattern", "PathPatternConfig": {"Values": ["/*"]}},
            {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "X-Beta", "Values": ["yes", "always"]}},
            {"Field": "source-ip", "SourceIpConfig": {"Values": ["192.0.2.1/32"]}},
        ],
        "Actions": [
            {
                "Type": "forward",
                "ForwardConfig": {
                    "TargetGroups": [{"TargetGroupArn": "a", "Weight": 75}, {"TargetGroupArn": "b", "Weight": 25}],
                    "TargetGroupStickinessConfig": {"Enabled": True, "DurationSeconds": 600},
                },
            }
        ],
    }

    headers = {"x-beta": ("always", "yes"), SOURCE: ("192.0.2.1/32",)}
    assert Rule(headers, {"a": 75, "b": 25}, sticky=True) == rule_of(described)
    assert rule_of({"Conditions": [], "Actions": [{"Type": "fixed-response"}]}) is None
