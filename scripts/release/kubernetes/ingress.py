"""The route in the annotations of an Ingress, for the AWS Load Balancer Controller, and in ours; pure.

The paths of the Ingress never change in a switch, and both target groups stand in every action: it registers nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from scripts.release.errors import NeedsPerson, Refused, Unusable
from scripts.release.kubernetes import swap
from scripts.release.kubernetes.elb import SOURCE, Headers
from scripts.release.kubernetes.httproute import PORT
from scripts.release.kubernetes.router import Place, refuse
from scripts.release.kubernetes.service import Form as ServiceForm
from scripts.release.route import SLOTS, Audience, Target, Weights

PREFIX = "alb.ingress.kubernetes.io/"
STICKY, UNTIL = "primetrade/sticky", "primetrade/sticky-until"  # the cookie's name in our words; when the last one dies
COOKIE_S = 600  # life of the load balancer's cookie; each answer renews it
KEY = "x-origin-key"  # what users' requests must bring where the chart has alb.originKeys
# Whom the audience's rule takes while there is none. Whoever sent a header for it would need no key that came later.
NOWHERE = "192.0.2.1/32"  # an address of documents: RFC 5737
NOBODY = {"field": "source-ip", "sourceIpConfig": {"values": [NOWHERE]}}
REASONS = {"mirror": "an ALB copies no requests: take the step shadow out, or the router gateway"}
COOKIES = "an ALB's rule finds no single cookie: name a header"
HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+\-.^_`|~]{1,40}")
VALUE = re.compile(r"(?=.{1,128}$)[!-~]+([\t ]?[!-~]+)*")

Action = Mapping[str, Any]
Condition = Mapping[str, Any]


class Asked(NamedTuple):
    """What the rule of the users asks of a request, and that of the audience."""

    users: Headers
    audience: Headers


class Form(msgspec.Struct, frozen=True):
    """Ingress APP; `now` in Unix seconds, since cookies of the last release live on for a while."""

    namespace: str
    app: str
    now: float

    @property
    def ports(self) -> bool:
        return True

    @property
    def path(self) -> str:
        return f"/apis/networking.k8s.io/v1/namespaces/{self.namespace}/ingresses/{self.app}"

    @property
    def what(self) -> str:
        return f"Ingress {self.app}"

    def target(self, found: swap.Object) -> Target | None:
        notes = swap.notes_of(found)
        users, whom = f"{PREFIX}actions.{self.app}", f"{PREFIX}actions.{self.app}-audience"
        if not {users, whom, swap.RUN} & notes.keys():
            return None
        try:
            action, other = json.loads(notes[users]), json.loads(notes[whom])
            weights, theirs = self._weights(action), self._weights(other)
        except (KeyError, TypeError, ValueError) as exc:
            raise self._edited(f"lacks a part of the route ({exc})") from exc
        if not (conditions := self._conditions(notes, "-audience")):
            raise self._edited("takes everybody for the audience")
        audience = _audience(conditions)
        if (sole := theirs.sole if audience else "") is None:
            raise self._edited("sends the audience to both slots")
        enabled = action["forwardConfig"].get("targetGroupStickinessConfig", {}).get("enabled")
        return Target(weights, sole, audience, sticky=notes.get(STICKY) or "AWSALBTG" if enabled else "")

    def asked(self, found: swap.Object) -> Asked:
        """By the annotations: the users' is Helm's, and may be another since the audience's was written."""
        notes = swap.notes_of(found)
        return Asked(*(_headers(self._conditions(notes, whose)) for whose in ("", "-audience")))

    def ops(self, found: swap.Object, target: Target, services: swap.Services = swap.NONE) -> list[swap.Op]:
        refuse(target, REASONS)
        _refuse_audience(target.audience)
        notes = swap.notes_of(found)
        if words := cookie_refusal(notes, target.sticky, self.now):
            raise Refused(words)
        port = notes.get(PORT)
        if not port:
            raise NeedsPerson(
                f"{self.what} lacks the annotation {PORT}: `helm upgrade` of the chart helm/router writes it"
            )
        ports = {slot: str(swap.port_of(services.get(slot), int(port))) for slot in SLOTS}
        whom = Weights.with_share(target.first, 100) if target.first else target.weights
        ended = notes.get(STICKY) and not target.sticky
        users = self._action(target.weights, ports, sticky=bool(target.sticky))
        asked = [*self._conditions(notes, ""), *(_condition(*each) for each in target.audience.headers.items())]
        return swap.annotated(
            found,
            {
                f"{PREFIX}actions.{self.app}": users,
                f"{PREFIX}actions.{self.app}-health": users,  # its path comes with the first key, and must not wait
                f"{PREFIX}actions.{self.app}-audience": self._action(whom, ports),
                f"{PREFIX}conditions.{self.app}-audience": _text(asked if target.audience else [NOBODY]),
                STICKY: target.sticky,
                UNTIL: f"{self.now + COOKIE_S:.0f}" if ended else notes.get(UNTIL, ""),
            },
        )

    def _action(self, weights: Weights, ports: Mapping[str, str], *, sticky: bool = False) -> str:
        groups = [
            {"serviceName": f"{self.app}-{slot}", "servicePort": ports[slot], "weight": weights.of(slot)}
            for slot in SLOTS
        ]
        forward: dict[str, object] = {"targetGroups": groups}
        if sticky:
            forward["targetGroupStickinessConfig"] = {"enabled": True, "durationSeconds": COOKIE_S}
        return _text({"type": "forward", "forwardConfig": forward})

    def _weights(self, action: Action) -> Weights:
        found = {each["serviceName"]: each["weight"] for each in action["forwardConfig"]["targetGroups"]}
        named = {f"{self.app}-{slot}": slot for slot in SLOTS}
        whole = sum(found.values())
        if found.keys() != named.keys() or not whole or 100 * found[f"{self.app}-blue"] % whole:
            raise self._edited(f"has the target groups {found}, which are no percents of both slots")
        blue = 100 * found[f"{self.app}-blue"] // whole
        return Weights(blue, 100 - blue)

    def _conditions(self, notes: Mapping[str, str], whose: str) -> Sequence[Condition]:
        name = f"conditions.{self.app}{whose}"
        try:
            conditions: list[Condition] = json.loads(notes.get(PREFIX + name, "[]"))
            _headers(conditions)
        except (KeyError, TypeError, ValueError) as exc:
            raise self._edited(f"has {name} that are none of ours ({exc})") from exc
        return conditions

    def _edited(self, found: str) -> NeedsPerson:
        return NeedsPerson(
            f"{self.what} {found}: somebody edited it. Its annotations {PREFIX}actions.{self.app}, "
            f"…-audience and {PREFIX}conditions.{self.app}-audience are the route: mend them, then run this again"
        )


def _text(annotation: object) -> str:
    return json.dumps(annotation, separators=(",", ":"))


def _condition(name: str, value: str) -> Condition:
    return {"field": "http-header", "httpHeaderConfig": {"httpHeaderName": name, "values": [value]}}


def _audience(conditions: Sequence[Condition]) -> Audience:
    headers = [each["httpHeaderConfig"] for each in conditions if each != NOBODY]
    return Audience({each["httpHeaderName"]: each["values"][0] for each in headers if each["httpHeaderName"] != KEY})


def _headers(conditions: Sequence[Condition]) -> Headers:
    """As an ELB rule has them."""
    headers = [each["httpHeaderConfig"] for each in conditions if each != NOBODY]
    named = {each["httpHeaderName"].lower(): tuple(sorted(each["values"])) for each in headers}
    return {**named, SOURCE: (NOWHERE,)} if NOBODY in conditions else named


def _refuse_audience(audience: Audience) -> None:
    """Raises Unusable, naming what cannot be matched."""
    if audience.cookies:
        raise Unusable(f"audience.cookies: {COOKIES}")
    if len(audience.headers) > 1:
        raise Unusable("audience.headers: an ALB's rule asks for all its headers at once: name one")
    for name, value in audience.headers.items():
        if not HEADER.fullmatch(name) or not VALUE.fullmatch(value) or set(value) & set("*?\\"):
            raise Unusable(
                f"audience.headers.{name}: {value!r} is no header that an ALB can match: 40 and 128 characters, "
                "no * and ?"
            )
        if name.lower() == KEY:
            raise Unusable(f"audience.headers.{name}: it is the load balancer's own key; take another")


def placeholder(place: Place, slot: str, found: swap.Object) -> dict[str, Any]:
    """The Service of a slot that was not deployed yet, with the marks by which Helm takes it over."""
    form = ServiceForm(place.namespace, place.app, f"{place.app}-{slot}")
    port = int(swap.notes_of(found).get(PORT) or 80)
    release = {"meta.helm.sh/release-name": form.name, "meta.helm.sh/release-namespace": place.namespace}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": form.name,
            "namespace": place.namespace,
            "labels": {"app.kubernetes.io/managed-by": "Helm", **form.selector(slot)},
            "annotations": release,
        },
        "spec": {
            "selector": form.selector(slot),
            "ports": [{"name": "traffic", "port": port, "targetPort": "traffic", "appProtocol": "http"}],
        },
    }


def cookie_refusal(notes: Mapping[str, str], sticky: str, now: float) -> str:
    """Why no release can be sticky now; "" when one can.

    An ALB's cookie has one name for all releases: one of the last release would choose the slot in this one.
    """
    had, until = notes.get(STICKY, ""), notes.get(UNTIL, "0")
    if not sticky or sticky == had:
        return ""
    left = COOKIE_S if had else int(until) - now
    if left <= 0:
        return ""
    return f"sticky: cookies of the last release live {left:.0f} s more and would choose slots: wait, or leave it out"
