"""Envoy's routes and endpoints as plain data: the files it watches. The bootstrap is beside them.

Field names: https://www.envoyproxy.io/docs/envoy/v1.40.0/api-v3/api
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from scripts.local.ports import LOOPBACK

Json = dict[str, Any]  # Envoy's own schema; it refuses what it does not know

SLOTS = ("blue", "green")
ROUTE_S = 60  # an answer's, from the request's end
COPY_S = 5  # for the answer to a copy; a user's own is waited for longer, this one by nobody
STICKY_S = 7 * 86_400  # a user's cookie; longer than a shift takes
SHADOW, SHADOW_HEADER = "-shadow", "x-shadow"  # of a cluster that takes copies; on a copy
UPSTREAM_IDLE_S = 60  # below the server's keep-alive of 75 s, so that the edge is always the one to close
REQUEST_S = 10  # for a whole request to arrive, in whatever rhythm
TYPE = "type.googleapis.com/"
_METADATA = "primetrade"
_USERS, _AUDIENCE = "users", "audience"  # names of routes
_NAME = re.compile(r"[A-Za-z0-9_.-]+")
_HEADER_VALUE = re.compile(r"[!-~]([ -~]*[!-~])?")
_COOKIE_VALUE = re.compile(r"[!#-+\--:<-\[\]-~]+")  # RFC 6265, cookie-octet


class Routes(msgspec.Struct, frozen=True):
    """Where users' requests go. Raises ValueError for what Envoy would refuse, or take for something else."""

    blue: int  # percent, as green
    green: int
    note: dict[str, str] = {}  # free: who moved it, for which run, with which fencing token
    version: str = ""  # stamped by every write, so that what is applied can be told from what was asked
    first: str = ""  # the slot of users who send one of these headers or cookies, whatever the shares
    headers: dict[str, str] = {}
    cookies: dict[str, str] = {}
    mirror: str = ""  # the slot that is sent copies of reads
    sticky: str = ""  # the cookie that keeps a user in his slot while it has a share; another name draws all anew

    def __post_init__(self) -> None:
        if min(self.blue, self.green) < 0 or self.blue + self.green != 100:
            raise ValueError(f"weights blue {self.blue} and green {self.green}: none below 0, together 100")
        for slot in (self.first, self.mirror):
            if slot not in ("", *SLOTS):
                raise ValueError(f"slot {slot!r}: there are {' and '.join(SLOTS)}")
        if bool(self.first) != bool(self.headers or self.cookies):
            raise ValueError("an audience needs a slot and a slot needs an audience")
        if self.mirror and getattr(self, self.mirror):
            raise ValueError(f"{self.mirror} has users: it cannot be sent copies of their reads too")
        for name in (*self.headers, *self.cookies, *([self.sticky] if self.sticky else [])):
            if not _NAME.fullmatch(name):
                raise ValueError(f"header or cookie {name!r}: use letters, digits and _ . -")
        for values, allowed in ((self.headers, _HEADER_VALUE), (self.cookies, _COOKIE_VALUE)):
            if wrong := [name for name, value in values.items() if not allowed.fullmatch(value)]:
                raise ValueError(f"the value of {wrong[0]!r} cannot be sent: use printable ASCII characters")


class Endpoint(msgspec.Struct, frozen=True):
    """Where a replica listens; a draining one gets no more requests and finishes those it has."""

    port: int
    admin_port: int
    draining: bool = False


def routes_file(routes: Routes, route_key: str) -> Json:
    """The watched file of routes: the first that matches a request has it."""
    ways = [*(_preview(slot, route_key) for slot in SLOTS), *_audience(routes), *_users(routes)]
    table = {
        "@type": f"{TYPE}envoy.config.route.v3.RouteConfiguration",
        "name": "edge",
        "virtual_hosts": [
            {
                "name": "edge",
                "domains": ["*"],
                # The key and the wish are between the caller and the edge, and only the edge marks copies.
                "request_headers_to_remove": ["x-route-key", "x-route-slot", SHADOW_HEADER],
                # One address, the caller's, and when he came, so that a slot can refuse what waited too long: what a
                # client claims about itself is dropped.
                "request_headers_to_add": [
                    _header("x-forwarded-for", "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%"),
                    _header("x-request-start", "%START_TIME(%s.%6f)%"),
                ],
                "routes": ways,
            }
        ],
    }
    return {"version_info": routes.version, "resources": [table]}


def parse_routes(version: str, table: Json) -> Routes:
    """The inverse of `routes_file`, from the file's or from Envoy's own table. Raises ValueError and LookupError."""
    ways = table["virtual_hosts"][0]["routes"]
    users = [way for way in ways if way["name"] == _USERS]
    audience = [way for way in ways if way["name"] == _AUDIENCE]
    weights, *others = [_weights(way) for way in users]
    if any(other != weights for other in others):
        raise ValueError("its routes of users have different weights")
    copies = users[0]["route"].get("request_mirror_policies", [])
    return Routes(
        blue=weights["blue"],
        green=weights["green"],
        note=users[-1].get("metadata", {}).get("filter_metadata", {}).get(_METADATA, {}).get("note", {}),
        version=version,
        first=audience[0]["route"]["cluster"] if audience else "",
        headers=_exact(audience, "headers"),
        cookies=_exact(audience, "cookies"),
        mirror=copies[0]["cluster"].removesuffix(SHADOW) if copies else "",
        sticky=next((way["match"]["cookies"][0]["name"] for way in users if "cookies" in way["match"]), ""),
    )


def endpoints_file(slot: str, version: str, endpoints: Sequence[Endpoint]) -> Json:
    """The watched file of a slot's endpoints."""
    assignment = {
        "@type": f"{TYPE}envoy.config.endpoint.v3.ClusterLoadAssignment",
        "cluster_name": slot,
        "endpoints": [
            {
                "lb_endpoints": [
                    {
                        "endpoint": {
                            "address": address(each.port),
                            "health_check_config": {"port_value": each.admin_port},
                        },
                        "health_status": "DRAINING" if each.draining else "UNKNOWN",
                    }
                    for each in endpoints
                ]
            }
        ],
    }
    return {"version_info": version, "resources": [assignment]}


def parse_endpoints(document: Json) -> tuple[Endpoint, ...]:
    """What `endpoints_file` wrote. Raises LookupError or TypeError."""
    found = [each for group in document["resources"][0]["endpoints"] for each in group["lb_endpoints"]]
    return tuple(
        Endpoint(
            port=each["endpoint"]["address"]["socket_address"]["port_value"],
            admin_port=each["endpoint"]["health_check_config"]["port_value"],
            draining=each["health_status"] == "DRAINING",
        )
        for each in found
    )


def address(port: int) -> Json:
    """A loopback port."""
    return {"socket_address": {"address": LOOPBACK, "port_value": port}}


# Only what an upstream cannot have seen is sent again, to another replica where there is one: a write must never be
# done twice.
_FORWARDING: Json = {
    "timeout": f"{ROUTE_S}s",
    "retry_policy": {
        "retry_on": "connect-failure,refused-stream,reset-before-request",
        "num_retries": 2,
        "retry_host_predicate": [
            {
                "name": "envoy.retry_host_predicates.previous_hosts",
                "typed_config": {
                    "@type": f"{TYPE}envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"
                },
            }
        ],
        "host_selection_retry_max_attempts": 50,  # LEAST_REQUEST likes a dead replica best: it has no requests
    },
}


def _preview(slot: str, route_key: str) -> Json:
    match = [_is("x-route-key", route_key), _is("x-route-slot", slot)]
    return {
        "name": "preview",
        "match": {"prefix": "/", "headers": match},
        "stat_prefix": f"preview-{slot}",
        "response_headers_to_add": [_slot_header(slot)],
        "route": {"cluster": slot, **_FORWARDING},
    }


def _audience(routes: Routes) -> list[Json]:
    """A route for each header and each cookie: any one of them is enough."""
    marks = [("headers", each) for each in routes.headers.items()]
    marks += [("cookies", each) for each in routes.cookies.items()]
    return [
        {
            "name": _AUDIENCE,
            "match": {"prefix": "/", kind: [_is(*pair)]},
            "response_headers_to_add": [_slot_header(routes.first)],
            "route": {"cluster": routes.first, **_FORWARDING},
        }
        for kind, pair in marks
    ]


def _users(routes: Routes) -> list[Json]:
    # Envoy adds the weights up in this order, so that with the same draw a growing share keeps its users. The order is
    # fixed: of two, either can be the growing one.
    clusters = [
        {"name": slot, "weight": getattr(routes, slot), "response_headers_to_add": [_slot_header(slot)]}
        for slot in SLOTS
    ]
    # Envoy passes over a table that says what the last one said: the version makes each one another.
    stamp = {_METADATA: {"note": routes.note, "version": routes.version}}
    plain = {
        "name": _USERS,
        "match": {"prefix": "/"},
        "metadata": {"filter_metadata": stamp},
        "route": {"weighted_clusters": {"clusters": clusters}, **_FORWARDING},
    }
    ways = _kept(plain, routes.sticky) if routes.sticky else [plain]
    return [*(_copied(way, routes) for way in ways), *ways] if routes.mirror else ways


def _kept(way: Json, cookie: str) -> list[Json]:
    """One way for users who have the cookie, whose hash decides, and one that gives it to those who do not.

    Envoy's own generated cookie serves the choice of an endpoint only, not that of a cluster. So the new user's draw is
    the hash of the request's id, which the edge made, and that id becomes the cookie: the next hash is the same.
    """
    known = _drawn_by(way, {"cookie": {"name": cookie}})
    known["match"] = {**way["match"], "cookies": [{"name": cookie, "string_match": {"safe_regex": {"regex": ".+"}}}]}
    given = f"{cookie}=%REQ(x-request-id)%; Max-Age={STICKY_S}; Path=/; HttpOnly; SameSite=Lax"
    new = _drawn_by(way, {"header": {"header_name": "x-request-id"}})
    new["response_headers_to_add"] = [
        {"header": {"key": "set-cookie", "value": given}, "append_action": "APPEND_IF_EXISTS_OR_ADD"}
    ]
    return [known, new]


def _drawn_by(way: Json, policy: Json) -> Json:
    clusters = {**way["route"]["weighted_clusters"], "use_hash_policy": True}
    return {**way, "route": {**way["route"], "weighted_clusters": clusters, "hash_policy": [policy]}}


def _copied(way: Json, routes: Routes) -> Json:
    """The same way for reads alone, which are also sent to the mirror; nobody waits for its answers."""
    policy = {
        "cluster": routes.mirror + SHADOW,
        "disable_shadow_host_suffix_append": True,
        "request_headers_mutations": [
            {"append": _header(SHADOW_HEADER, "1")},
            {"append": _header("x-envoy-upstream-rq-timeout-ms", str(1000 * COPY_S))},  # for Envoy, which takes it off
        ],
    }
    reads = {"name": ":method", "string_match": {"safe_regex": {"regex": "GET|HEAD"}}}
    return {
        **way,
        "match": {**way["match"], "headers": [reads]},
        "stat_prefix": f"reads-{SLOTS[1 - SLOTS.index(routes.mirror)]}",  # the mirror has no users
        "route": {**way["route"], "request_mirror_policies": [policy]},
    }


def _weights(way: Json) -> dict[str, int]:
    return {each["name"]: each.get("weight", 0) for each in way["route"]["weighted_clusters"]["clusters"]}


def _exact(ways: Sequence[Json], kind: str) -> dict[str, str]:
    return {each["name"]: each["string_match"]["exact"] for way in ways for each in way["match"].get(kind, [])}


def _is(name: str, value: str) -> Json:
    return {"name": name, "string_match": {"exact": value}}


def _slot_header(slot: str) -> Json:
    return _header("x-slot", slot)


def _header(name: str, value: str) -> Json:
    return {"header": {"key": name, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
