"""The rules of an HTTPRoute in Gateway API's words and in ours; pure.

Always the same three rules in the same order, and no filter at a backend: Envoy Gateway names a cluster by the place of
its rule, and one that comes, goes or changes its meaning in a switch answers 500, or with the other slot, for moments.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from scripts.release.errors import NeedsPerson, Unusable
from scripts.release.kubernetes import swap
from scripts.release.kubernetes.router import refuse
from scripts.release.route import SLOTS, Audience, Target, Weights

PORT, TIMEOUT = "primetrade/port", "primetrade/timeout"  # annotations by the chart: what the rules are made with
USERS, READS, AUDIENCE = "users", "reads", "audience"
NOBODY = ("x-route-audience", "nobody")  # the audience rule while there is none; who sends it is a user like others
MOST = 21  # headers and cookies of an audience: a rule has 64 matches, and each takes three
REASONS = {
    "sticky": "sessions are experimental in Gateway API (GEP-1619), and one beats even weight 0: leave sticky out",
}
HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+\-.^_`|~]{1,256}")
VALUE = re.compile(r"(?=.{1,4096}$)[!-~]+([\t ]?[!-~]+)*")
COOKIE = re.compile(r"[!#-+\--:<-\[\]-~]+")  # RFC 6265: no control, space, quote, comma, semicolon, backslash
BEFORE, AFTER = r"^(.*; *)?", r"(;.*)?$"  # one cookie among those of the header

Rule = Mapping[str, Any]


class Form(msgspec.Struct, frozen=True):
    """HTTPRoute APP; `cookies` says whether the Gateway's controller matches headers by regular expressions."""

    namespace: str
    app: str

    @property
    def ports(self) -> bool:
        return True

    @property
    def path(self) -> str:
        return f"/apis/gateway.networking.k8s.io/v1/namespaces/{self.namespace}/httproutes/{self.app}"

    @property
    def what(self) -> str:
        return f"HTTPRoute {self.app}"

    def target(self, found: swap.Object) -> Target | None:
        rules: Sequence[Rule] = found["spec"].get("rules") or ()
        if swap.RUN not in swap.notes_of(found) and not any(rule.get("backendRefs") for rule in rules):
            return None  # the rule that Kubernetes adds where there is none
        named = {rule.get("name", ""): rule for rule in rules}
        if list(named) != [USERS, READS, AUDIENCE] or len(rules) != len(named):
            raise self._edited(f"has the rules {', '.join(each or '(no name)' for each in named) or 'none'}")
        users, reads, whom = (self._weights(named[name]) for name in (USERS, READS, AUDIENCE))
        if users != reads:
            raise self._edited(f"sends users to {users} and reads to {reads}")
        said = self._audience(named[AUDIENCE])
        if (sole := whom.sole if said else "") is None:
            raise self._edited("sends the audience to both slots")
        return Target(users, sole, said, self._mirror(named[READS]))

    def ops(self, found: swap.Object, target: Target, services: swap.Services = swap.NONE) -> list[swap.Op]:
        refuse(target, REASONS)
        _refuse_audience(target.audience, controllers(found))
        notes = swap.notes_of(found)
        if not notes.get(PORT, "").isdigit() or not notes.get(TIMEOUT):
            raise NeedsPerson(
                f"{self.what} lacks the annotations {PORT} and {TIMEOUT}: `helm upgrade` of the chart helm/router "
                "writes them"
            )
        ports = {slot: swap.port_of(services.get(slot), int(notes[PORT])) for slot in SLOTS}
        rules = self._rules(target, ports, notes[TIMEOUT])
        return [{"op": "add", "path": "/spec/rules", "value": rules}]

    def _rules(self, target: Target, ports: Mapping[str, int], timeout: str) -> list[Rule]:
        path = {"path": {"type": "PathPrefix", "value": "/"}}
        methods: list[Rule] = [{"method": "GET"}, {"method": "HEAD"}]
        whom: list[Rule] = [{"headers": [each]} for each in alternatives(target.audience)]
        # A match with a method beats one with headers, so that the audience's reads need both.
        named: dict[str, list[Rule]] = {
            USERS: [{}],
            READS: methods,
            AUDIENCE: [{**each, **how} for each in whom for how in (*methods, {})],
        }
        shares = dict.fromkeys(named, target.weights)
        if target.first:
            shares[AUDIENCE] = Weights.with_share(target.first, 100)
        copies = [
            {"type": "RequestMirror", "requestMirror": {"backendRef": self._backend(slot, ports)}}
            for slot in SLOTS
            if slot == target.mirror
        ]
        return [
            {
                "name": name,
                "matches": [{**path, **each} for each in matches],
                **({"filters": copies} if name == READS and copies else {}),
                "timeouts": {"request": timeout},
                "backendRefs": [{**self._backend(slot, ports), "weight": shares[name].of(slot)} for slot in SLOTS],
            }
            for name, matches in named.items()
        ]

    def _backend(self, slot: str, ports: Mapping[str, int]) -> dict[str, Any]:
        return {"name": f"{self.app}-{slot}", "port": ports[slot]}

    def _slot(self, name: str) -> str:
        slot = name.removeprefix(f"{self.app}-")
        if slot not in SLOTS:
            raise self._edited(f"sends to Service {name}, which is no slot")
        return slot

    def _weights(self, rule: Rule) -> Weights:
        found = {self._slot(each["name"]): each.get("weight", 1) for each in rule.get("backendRefs") or ()}
        whole = sum(found.values())
        blue, rest = divmod(100 * found.get("blue", 0), whole) if whole else (0, 1)
        if rest:
            raise self._edited(f"has the weights {found} in rule {rule['name']}, which are no whole percents")
        return Weights(blue, 100 - blue)

    def _mirror(self, rule: Rule) -> str:
        found = [each["requestMirror"]["backendRef"] for each in rule.get("filters") or () if "requestMirror" in each]
        return self._slot(found[0]["name"]) if found else ""

    def _audience(self, rule: Rule) -> Audience:
        headers, cookies = {}, {}
        for match in rule.get("matches") or ():
            for each in match.get("headers") or ():
                if each.get("type") == "RegularExpression":
                    name, _, value = unescaped(each["value"]).partition("=")
                    cookies[name] = value
                elif (each["name"], each["value"]) != NOBODY:
                    headers[each["name"]] = each["value"]
        return Audience(headers, cookies)

    def _edited(self, found: str) -> NeedsPerson:
        return NeedsPerson(
            f"{self.what} {found}: somebody edited it. Make the weights of the rules {USERS} and {READS} say where the "
            f"users are (`kubectl -n {self.namespace} edit httproute {self.app}`), then run this again"
        )


def alternatives(audience: Audience) -> list[dict[str, str]]:
    """One header match for each way to be of the audience; the first for nobody."""
    headers = audience.headers.items() if audience else [NOBODY]
    exact = [{"type": "Exact", "name": name, "value": value} for name, value in headers]
    return [
        *exact,
        *(
            {"type": "RegularExpression", "name": "cookie", "value": f"{BEFORE}{re.escape(f'{name}={value}')}{AFTER}"}
            for name, value in audience.cookies.items()
        ),
    ]


def unescaped(pattern: str) -> str:
    """The cookie that such a pattern was made for."""
    return re.sub(r"\\(.)", r"\1", pattern.removeprefix(BEFORE).removesuffix(AFTER))


def controllers(found: swap.Object) -> set[str]:
    """The controllers that have taken the route."""
    return {each["controllerName"] for each in found.get("status", {}).get("parents") or ()}


def _refuse_audience(audience: Audience, by: set[str]) -> None:
    """Raises Unusable, naming what cannot be matched."""
    for name, value in audience.headers.items():
        if not HEADER.fullmatch(name) or not VALUE.fullmatch(value):
            raise Unusable(f"audience.headers.{name}: {value!r} is no header that an HTTPRoute can match")
        if (name, value) == NOBODY:
            raise Unusable(f"audience.headers.{name}: {value!r} stands for no audience; take another")
    for name, value in audience.cookies.items():
        if not COOKIE.fullmatch(name) or "=" in name or not COOKIE.fullmatch(value):
            raise Unusable(f"audience.cookies.{name}: {value!r} is no cookie (RFC 6265)")
    if audience.cookies and (words := cookie_refusal(by)):
        raise Unusable(f"audience.cookies: {words}")
    if len(audience.headers) + len(audience.cookies) > MOST:
        raise Unusable(f"audience: more than {MOST} headers and cookies; an HTTPRoute rule has no room for them")


def cookie_refusal(by: set[str]) -> str:
    """Why cookies cannot be matched by these controllers; "" when they can.

    HTTPRoute has no match for a cookie. A regular expression on the header is up to the implementation.
    """
    if by == {"gateway.envoyproxy.io/gatewayclass-controller"}:
        return ""
    seen = ", ".join(sorted(by)) or "no controller yet"
    return f"an HTTPRoute matches cookies only with Envoy Gateway, and {seen} has taken this one: name a header"
