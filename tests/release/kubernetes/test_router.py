"""The routing objects in Kubernetes' words and in ours, without a cluster."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.release.errors import NeedsPerson, Refused, Unusable
from scripts.release.kubernetes import gateway, httproute, ingress, service, swap
from scripts.release.kubernetes.router import needs
from scripts.release.route import Audience, Target, Weights
from tests.release.kubernetes import apiserver
from tests.release.kubernetes.routes import KINDS, Object, frame, patched, targets

FORMS: dict[str, swap.Form] = {
    "service": service.Form("shop-space", "shop", "shop"),
    "gateway": httproute.Form("shop-space", "shop"),
    "alb": ingress.Form("shop-space", "shop", now=1000.0),
}
LACKS = {"service": {"weights", "audience", "mirror", "sticky"}, "gateway": {"sticky"}, "alb": {"mirror"}}
FRAMES = {driver: frame(driver) for driver in FORMS}
BLUE, GREEN = Target.all_on("blue"), Target.all_on("green")
BETA = Audience({"x-beta": "yes"})
BEFORE = [BLUE, GREEN, Target(Weights(75, 25), "green", BETA), Target(BLUE.weights, mirror="green")]


def written(driver: str, target: Target, found: Object | None = None, run: str = "r1", fence: int = 7) -> Object:
    found = FRAMES[driver] if found is None else found
    return patched(found, swap.patch(FORMS[driver], found, swap.Wanted(target, "", run, fence)))


@pytest.mark.parametrize("driver", FORMS)
def test_what_helm_installs_is_a_route_that_nobody_wrote(driver: str) -> None:
    """The chart's object says nothing of users, and the first write is of another token."""
    seen = swap.route_of(FORMS[driver], FRAMES[driver])

    assert FORMS[driver].target(FRAMES[driver]) is None
    assert (BLUE, "", 0) == (seen.target, seen.run, seen.fence)
    assert seen.token != swap.route_of(FORMS[driver], written(driver, BLUE)).token


@pytest.mark.parametrize("driver", FORMS)
@given(target=targets(), before=st.sampled_from(BEFORE))
def test_what_is_written_is_read(driver: str, target: Target, before: Target) -> None:
    """Every target comes back as it was, whatever stood there before, or is refused by name."""
    form = FORMS[driver]
    odd = driver == "alb" and (target.audience.cookies or len(target.audience.headers) > 1)
    lacks = needs(target) & LACKS[driver]
    found = FRAMES[driver] if needs(before) & LACKS[driver] else written(driver, before)

    if lacks or odd:
        with pytest.raises(Unusable) as refused:
            written(driver, target, found)
        assert all(f"{name}: " in str(refused.value) for name in lacks)
        assert lacks or "audience." in str(refused.value)
    else:
        route = swap.route_of(form, written(driver, target, found, "r2", 8))
        assert (target, "r2", 8) == (route.target, route.run, route.fence)


@pytest.mark.parametrize("driver", FORMS)
@given(which=st.integers(0, 3))
def test_every_write_has_a_token_of_its_own(driver: str, which: int) -> None:
    """Another target, run or number is another token."""
    target, run, fence = [(BLUE, "r1", 7), (GREEN, "r1", 7), (BLUE, "r2", 7), (BLUE, "r1", 8)][which]
    token = swap.route_of(FORMS[driver], written(driver, target, None, run, fence)).token

    assert (which == 0) == (token == swap.route_of(FORMS[driver], written(driver, BLUE)).token)


@pytest.mark.parametrize("driver", FORMS)
def test_a_write_holds_only_on_what_was_read(driver: str) -> None:
    """Anything that happens to the object in between makes the patch fail as a whole."""
    ops = swap.patch(FORMS[driver], FRAMES[driver], swap.Wanted(GREEN, "", "r1", 7))
    moved = msgspec.convert(FRAMES[driver], dict) | {"metadata": FRAMES[driver]["metadata"] | {"resourceVersion": "2"}}

    with pytest.raises(apiserver.Refused) as refused:
        patched(moved, ops)
    assert refused.value.status == 422
    assert patched(moved, ops[1:])  # without its precondition it would


def test_the_rules_are_the_same_three_whatever_the_target() -> None:
    """A cluster of Envoy's is named by its rule's place: none comes, goes or changes its meaning in a switch."""
    every = [BLUE, GREEN, Target(Weights(75, 25), "green", BETA), msgspec.structs.replace(BLUE, mirror="green")]
    rules = [written("gateway", target)["spec"]["rules"] for target in every]

    assert {("users", "reads", "audience")} == {tuple(rule["name"] for rule in found) for found in rules}
    assert {("shop-blue", "shop-green")} == {
        tuple(each["name"] for each in rule["backendRefs"]) for found in rules for rule in found
    }
    assert not any("filters" in each for found in rules for rule in found for each in rule["backendRefs"])


def test_only_reads_are_copied() -> None:
    """A copy of a write would be done twice."""
    rules = written("gateway", msgspec.structs.replace(BLUE, mirror="green"))["spec"]["rules"]
    copying = [rule for rule in rules if rule.get("filters")]

    assert [["GET", "HEAD"]] == [[match["method"] for match in rule["matches"]] for rule in copying]


def test_the_audience_has_its_reads_too() -> None:
    """A match with a method beats one with headers: the audience is asked for with each method and without."""
    *_, audience = written("gateway", Target(Weights(100, 0), "green", BETA))["spec"]["rules"]

    assert ["GET", "HEAD", None] == [match.get("method") for match in audience["matches"]]
    assert [0, 100] == [each["weight"] for each in audience["backendRefs"]]


def test_without_an_audience_its_rule_has_everybodys_weights() -> None:
    """Whoever sends the header that stands for nobody is a user like others."""
    for driver in ("gateway", "alb"):
        found = written(driver, Target(Weights(30, 70)))
        assert Target(Weights(30, 70)) == FORMS[driver].target(found)
    *_, audience = written("gateway", Target(Weights(30, 70)))["spec"]["rules"]

    assert [30, 70] == [each["weight"] for each in audience["backendRefs"]]


@pytest.mark.parametrize(
    ("weights", "read"),
    [((3, 1), Weights(75, 25)), ((1, None), Weights(50, 50)), ((0, 5), Weights(0, 100))],
)
def test_weights_of_another_scale_are_percents_all_the_same(weights: tuple[int, int | None], read: Weights) -> None:
    """Gateway API's weights have no sum, and one that is left out is 1."""
    found = written("gateway", BLUE)
    for rule in found["spec"]["rules"]:
        for each, weight in zip(rule["backendRefs"], weights, strict=True):
            each["weight"] = weight
            if weight is None:
                del each["weight"]

    assert Target(read) == FORMS["gateway"].target(found)


def edited(driver: str, part: str, value: object) -> Object:
    found = written(driver, BLUE)
    match part:
        case "selector":
            found["spec"]["selector"] = value
        case "weights":
            for each in found["spec"]["rules"][0]["backendRefs"]:
                each["weight"] = value
        case "backend":
            found["spec"]["rules"][1]["backendRefs"][0]["name"] = value
        case "rules":
            found["spec"]["rules"] = value
        case _:
            found["metadata"]["annotations"][part] = value
    return found


ACTION = "alb.ingress.kubernetes.io/actions.shop"
EDITS: list[tuple[str, str, object, str]] = [
    ("service", "selector", {}, "selects nothing, which names no slot"),
    ("service", "selector", {"app.kubernetes.io/name": "shop"}, "which names no slot"),
    ("service", "selector", {"slot": "red"}, "kubectl -n shop-space set selector service shop"),
    ("gateway", "weights", 0, "are no whole percents"),
    ("gateway", "weights", 50, "sends users to blue 50 %, green 50 % and reads to blue 100 %, green 0 %"),
    ("gateway", "backend", "other", "sends to Service other, which is no slot"),
    ("gateway", "rules", [{"backendRefs": [{"name": "shop-blue"}]}], "has the rules (no name)"),
    ("gateway", "rules", [], "has the rules none"),
    ("alb", ACTION, "{", "lacks a part of the route"),
    ("alb", ACTION, '{"type":"fixed-response"}', "lacks a part of the route"),
    ("alb", ACTION, '{"forwardConfig":{"targetGroups":[]}}', "no percents of both slots"),
    ("alb", f"{ACTION}-audience", "[]", "lacks a part of the route"),
    ("alb", ACTION.replace("actions", "conditions") + "-audience", "[]", "takes everybody for the audience"),
    ("alb", ACTION.replace("actions", "conditions") + "-audience", '[{"field":"path-pattern"}]', "are none of ours"),
]


@pytest.mark.parametrize(("driver", "part", "value", "words"), EDITS)
def test_an_edit_that_says_no_route_needs_a_person(driver: str, part: str, value: object, words: str) -> None:
    """What users get then is no target of ours, and which was meant nobody can tell."""
    with pytest.raises(NeedsPerson, match="somebody edited it") as refused:
        FORMS[driver].target(edited(driver, part, value))
    assert words in str(refused.value)


def test_what_users_must_bring_is_read_or_refused() -> None:
    """It is the chart's word; the audience must bring it, too."""
    form = ingress.Form("shop-space", "shop", now=1000.0)
    keyed = frame("alb", alb={"originKeys": ["z" * 32, "a" * 32]})
    users, audience = form.asked(written("alb", Target(Weights(100, 0), "green", BETA), keyed))

    assert {"x-origin-key": ("a" * 32, "z" * 32)} == users
    assert {**users, "x-beta": ("yes",)} == audience
    with pytest.raises(NeedsPerson, match=r"has conditions\.shop that are none of ours"):
        form.asked(edited("alb", ACTION.replace("actions", "conditions"), "{"))


@pytest.mark.parametrize("driver", ["gateway", "alb"])
def test_an_edit_of_weights_alone_is_a_route(driver: str) -> None:
    """The engine sees where the users are, and that no run of its own sent them there."""
    found = written(driver, BLUE)
    if driver == "gateway":
        for rule in found["spec"]["rules"]:
            rule["backendRefs"][0]["weight"], rule["backendRefs"][1]["weight"] = 90, 10
    else:
        notes = found["metadata"]["annotations"]
        notes[ACTION] = notes[ACTION].replace('"weight":100', '"weight":90').replace('"weight":0', '"weight":10')
    seen = swap.route_of(FORMS[driver], found)

    assert Target(Weights(90, 10)) == seen.target
    assert seen.token != swap.route_of(FORMS[driver], written(driver, BLUE)).token


UNSAYABLE: list[tuple[str, Audience, str]] = [
    ("gateway", Audience({"x beta": "yes"}), "audience.headers.x beta"),
    ("gateway", Audience({"x-beta": "a\nb"}), "audience.headers.x-beta"),
    ("gateway", Audience({"x-route-audience": "nobody"}), "stands for no audience"),
    ("gateway", Audience({f"x-{n}": "1" for n in range(22)}), "more than 21"),
    ("gateway", Audience(cookies={"a=b": "1"}), "audience.cookies.a=b"),
    ("gateway", Audience(cookies={"a": "1;2"}), "audience.cookies.a"),
    ("alb", Audience({"x-beta": "*"}), "no * and ?"),
    ("alb", Audience({"x-beta": "y" * 129}), "40 and 128 characters"),
    ("alb", Audience({"a": "1", "b": "1"}), "name one"),
    ("alb", Audience(cookies={"a": "1"}), "an ALB's rule finds no single cookie"),
    ("alb", Audience({"X-Origin-Key": "mine"}), "the load balancer's own key"),
]


@pytest.mark.parametrize(("driver", "audience", "words"), UNSAYABLE)
def test_an_audience_that_cannot_be_matched_is_refused_by_name(driver: str, audience: Audience, words: str) -> None:
    """Nothing is written that would match other people, or nobody."""
    with pytest.raises(Unusable, match="audience") as refused:
        written(driver, Target(Weights(100, 0), "green", audience))
    assert words in str(refused.value)


def test_cookies_need_a_controller_that_is_known_to_find_them() -> None:
    """HTTPRoute has no match for a cookie; a regular expression on the header is up to the implementation."""
    target = Target(Weights(100, 0), "green", Audience(cookies={"beta": "yes"}))
    other = FRAMES["gateway"] | {"status": {"parents": [{"controllerName": "example.org/other"}]}}

    with pytest.raises(Unusable, match=r"audience\.cookies: .* example\.org/other"):
        written("gateway", target, other)
    with pytest.raises(Unusable, match="no controller yet"):
        written("gateway", target, FRAMES["gateway"] | {"status": {}})


@pytest.mark.parametrize("driver", ["gateway", "alb"])
def test_an_object_that_is_not_the_charts_is_refused(driver: str) -> None:
    """Port and timeout are the chart's to say, never guessed."""
    found = frame(driver)
    del found["metadata"]["annotations"]["primetrade/port"]

    with pytest.raises(NeedsPerson, match="primetrade/port"):
        written(driver, BLUE, found)


def test_a_cookie_of_the_last_release_chooses_no_slot_in_the_next() -> None:
    """An ALB's cookie has one name for all: the next sticky release waits until the last cookie is dead."""
    sticky = Target(Weights(95, 5), sticky="slot-7")
    during = written("alb", sticky)
    back = written("alb", BLUE, during)
    later = ingress.Form("shop-space", "shop", now=1000.0 + ingress.COOKIE_S + 1)
    again = swap.Wanted(Target(Weights(95, 5), sticky="slot-8"), "", "r2", 8)

    assert '"durationSeconds":600' in during["metadata"]["annotations"][ACTION]
    assert "targetGroupStickinessConfig" not in back["metadata"]["annotations"][ACTION]
    assert Target(Weights(75, 25), sticky="slot-7") == FORMS["alb"].target(
        written("alb", Target(Weights(75, 25), sticky="slot-7"), during)
    )
    with pytest.raises(Refused, match="cookies of the last release live 600 s more"):
        swap.patch(FORMS["alb"], back, again)
    assert again.target == later.target(patched(back, swap.patch(later, back, again)))


SELECTED: Object = {"metadata": {"name": "shop", "annotations": {}}, "spec": {}}
BALANCERS: list[tuple[dict[str, str], list[str]]] = [
    ({"service.beta.kubernetes.io/aws-load-balancer-nlb-target-type": "ip"}, ["aws-load-balancer-nlb-target-type"]),
    ({"service.beta.kubernetes.io/aws-load-balancer-nlb-target-type": "instance"}, []),
    ({"service.beta.kubernetes.io/aws-load-balancer-type": "nlb-ip"}, ["aws-load-balancer-type"]),
    ({"cloud.google.com/neg-status": "{}"}, ["neg-status"]),
    ({"cloud.google.com/neg": '{"exposed_ports":{"80":{}}}'}, ["cloud.google.com/neg"]),
    ({"cloud.google.com/neg": '{"ingress":true}'}, []),
]


@pytest.mark.parametrize(("notes", "words"), BALANCERS)
def test_a_selector_is_refused_behind_a_balancer_that_knows_pods(notes: dict[str, str], words: list[str]) -> None:
    """Such a balancer takes the old pods off before it has the new ones; one that knows nodes does not."""
    told = service.pod_balancers({"metadata": {"name": "shop", "annotations": notes}, "spec": {}}, None)

    assert len(words) == len(told)
    assert all(
        word in line and "take the router alb or gateway" in line for word, line in zip(words, told, strict=True)
    )


def test_a_target_group_bound_to_the_active_service_is_named() -> None:
    """One that is bound to a slot's own Service is no reason."""
    bindings = {
        "items": [
            {"metadata": {"name": name}, "spec": {"serviceRef": {"name": name}}} for name in ("shop", "shop-blue")
        ]
    }
    (told,) = service.pod_balancers(SELECTED, bindings)

    assert "TargetGroupBinding shop sends to the pods of Service shop" in told


PUBLIC = {"name": "public", "namespace": "shop-space"}


def conditions(generation: int = 3, resolved: str = "True", parent: Object | None = None) -> Object:
    said = [
        {"type": kind, "status": status, "observedGeneration": generation, "reason": "Because", "message": "of it"}
        for kind, status in (("Accepted", "True"), ("ResolvedRefs", resolved))
    ]
    return {
        "metadata": {"name": "shop", "namespace": "shop-space", "generation": 3},
        "spec": {"parentRefs": [{"name": "public"}]},
        "status": {
            "parents": [{"parentRef": parent or {"name": "public", "namespace": "shop-space"}, "conditions": said}]
        },
    }


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (conditions(), ""),
        (conditions(generation=2), "has not looked at HTTPRoute shop since it was written (Accepted)"),
        (conditions(resolved="False"), "does not take HTTPRoute shop: Because: of it"),
        (conditions(parent={"name": "other"}), "Gateway public has not looked at"),
    ],
)
def test_a_route_is_in_force_once_every_parent_says_so_of_this_generation(found: Object, words: str) -> None:
    """An old word, a bad one, or one of another Gateway is none."""
    assert words in gateway.unaccepted(found)
    assert bool(words) == bool(gateway.unaccepted(found))


def test_the_edge_of_a_gateway_is_the_listener_that_the_route_names() -> None:
    """By its protocol and port."""
    listeners = [{"name": "http", "protocol": "HTTP", "port": 80}, {"name": "https", "protocol": "HTTPS", "port": 443}]

    assert "http://10.0.0.1:80" == gateway.edge_of(listeners, {"name": "public"}, "10.0.0.1")
    assert "https://shop.org:443" == gateway.edge_of(listeners, {"name": "public", "sectionName": "https"}, "shop.org")


def test_every_driver_has_its_form() -> None:
    """No test above leaves one out."""
    assert KINDS.keys() == FORMS.keys() == LACKS.keys()
