"""The router `alb` over a fake of the controller and of ELB: done is what ELB says, and nothing before."""

from __future__ import annotations

import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scripts.release.errors import ReleaseError, Unusable
from scripts.release.kubernetes.alb import Alb
from scripts.release.kubernetes.client import Api
from scripts.release.kubernetes.elb import Boto, Rule, rule_of
from scripts.release.kubernetes.ingress import Form
from scripts.release.route import Audience, Target, Weights
from tests.release.kubernetes.apiserver import Server
from tests.release.kubernetes.fake_alb import INGRESS, FakeAlb
from tests.release.kubernetes.routes import KEY, Shop, frame, install

BLUE, GREEN = Target.all_on("blue"), Target.all_on("green")
QUARTER = Target(Weights(75, 25), sticky="slot-7")
BETA = Target(Weights(100, 0), "green", Audience({"x-beta": "yes"}))
TARGETS = [BLUE, GREEN, QUARTER, BETA]
FAULTS = ["throttled", "failing", "mended", "pods"]
USUAL = 20  # moments in which the fake gets everything done


class Place:
    """A router over the fake, with both slots up."""

    def __init__(self, server: Server, api: Api) -> None:
        install(server, "alb", Form("shop-space", "shop", 0))
        self.server = server
        self.fake = FakeAlb(server)
        for slot in ("blue", "green"):
            self.fake.pods(f"shop-{slot}", f"{slot}-1", f"{slot}-2")
        self.clock = 1000.0
        self.router = Alb(api, Shop(), lambda: self.fake, lambda: self.clock)

    def write(self, target: Target, fence: int = 1) -> None:
        self.clock += 1000  # a cookie of the last release is dead by now
        self.router.write(target, self.router.read().token, "r1", fence)


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


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
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


def test_before_the_first_route_there_is_no_load_balancer(place: Place) -> None:
    """The controller finds no action for the paths that Helm installed."""
    place.fake.tick(USUAL)
    assert any("FailedBuildModel" in event for event in place.fake.events)
    with pytest.raises(ReleaseError, match="has no load balancer yet"):
        place.router.edge()

    place.write(BLUE)
    assert "the Ingress has no load balancer yet: its events say why" == place.router.missing(BLUE)
    place.fake.tick(USUAL)
    assert "http://k8s-fake-shop.elb.example.org" == place.router.edge()


def test_targets_that_are_not_healthy_yet_are_waited_for(place: Place) -> None:
    """The old pods are taken off before the new ones are there: a rule that is right is not enough."""
    place.write(GREEN)
    place.fake.tick(USUAL)
    place.fake.pods("shop-green", "green-3")
    place.fake.tick()

    assert "the targets of green are {'draining': 2}" == place.router.missing(GREEN)
    place.fake.tick()
    assert "the targets of green are {'initial': 1}" == place.router.missing(GREEN)
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


def test_without_boto3_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only who routes by an ALB needs it."""
    monkeypatch.setitem(sys.modules, "boto3", None)

    with pytest.raises(Unusable, match="pip install boto3"):
        Boto()


def test_a_rule_is_read_as_elb_describes_it() -> None:
    """Conditions on headers in lower case, weights by target group; what does not forward is no rule of ours."""
    described = {
        "Conditions": [
            {"Field": "path-pattern", "PathPatternConfig": {"Values": ["/*"]}},
            {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "X-Beta", "Values": ["yes"]}},
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

    assert Rule({"x-beta": ("yes",)}, {"a": 75, "b": 25}, sticky=True) == rule_of(described)
    assert rule_of({"Conditions": [], "Actions": [{"Type": "fixed-response"}]}) is None
