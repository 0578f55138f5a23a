"""Compare and swap of a routing object: what the routers have in common."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import msgspec

from scripts.release.errors import Fenced, NeedsPerson, Refused, ReleaseError, RouteMoved
from scripts.release.kubernetes.client import Api, Conflict, Unprocessable
from scripts.release.kubernetes.router import Place
from scripts.release.route import SLOTS, Route, Target, other

RUN, FENCE = "primetrade/run", "primetrade/fence"  # annotations: who wrote the route
SERVICE = "kubernetes.io/service-name"  # label of an EndpointSlice
TRIES = 5  # writes of others (a status, a label) that may come between our read and our write

Object = Mapping[str, Any]
Op = dict[str, Any]
Services = Mapping[str, Object]  # of the slots, by slot: those that are there
NONE: Services = {}


class Wanted(NamedTuple):
    """A write of the route: only where its token is `expected`."""

    target: Target
    expected: str
    run: str
    fence: int


class Form(Protocol):
    """A kind of routing object in its words and in ours; pure."""

    @property
    def path(self) -> str: ...

    @property
    def what(self) -> str:
        """Kind and name, for messages."""

    @property
    def ports(self) -> bool:
        """Whether it names the ports of the slots' Services."""

    def target(self, found: Object) -> Target | None:
        """What it says; None while no route was written. Raises NeedsPerson for an edit that says no route."""

    def ops(self, found: Object, target: Target, services: Services = NONE) -> list[Op]:
        """The JSON Patch that makes it say `target`. Raises Unusable for what it cannot say."""


def notes_of(found: Object) -> Mapping[str, str]:
    """Annotations of an object; none is an empty map."""
    return found["metadata"].get("annotations") or {}


def annotated(found: Object, words: Mapping[str, str]) -> list[Op]:
    """The JSON Patch that writes annotations; an empty text takes one away."""
    had = notes_of(found)
    ops: list[Op] = [] if "annotations" in found["metadata"] else [_add("/metadata/annotations", {})]
    for name, text in words.items():
        path = "/metadata/annotations/" + name.replace("~", "~0").replace("/", "~1")
        if text:
            ops.append(_add(path, text))
        elif name in had:
            ops.append({"op": "remove", "path": path})
    return ops


def _add(path: str, value: object) -> Op:
    return {"op": "add", "path": path, "value": value}  # replaces what is there, unlike `replace` also where nothing is


def route_of(form: Form, found: Object, known: Target | None = None) -> Route:
    """The route as an object says it, or `known` where an edit left none there. Raises NeedsPerson without it."""
    run, fence = notes_of(found).get(RUN, ""), notes_of(found).get(FENCE, "0")
    number = int(fence) if fence.isdigit() else 0
    try:
        said = form.target(found)
    except NeedsPerson as exc:
        if known is None:
            raise
        return Route(known, _token(found["spec"], notes_of(found)), run, number, lost=str(exc))
    return Route(said or Target.all_on("blue"), _token(said, run, number), run, number)


def _token(*parts: object) -> str:
    return hashlib.sha256(msgspec.json.encode(parts, order="deterministic")).hexdigest()[:16]


def patch(form: Form, found: Object, wanted: Wanted, services: Services = NONE) -> list[Op]:
    """The whole JSON Patch of a write: only on the object as it was read."""
    version = {"op": "test", "path": "/metadata/resourceVersion", "value": found["metadata"]["resourceVersion"]}
    written = {RUN: wanted.run, FENCE: str(wanted.fence)}
    return [version, *form.ops(found, wanted.target, services), *annotated(found, written)]


def port_of(service: Object | None, said: int) -> int:
    """The port of a slot: `said` by the router's chart, unless its Service, of an earlier release, has another one."""
    ports = service["spec"].get("ports") or () if service else ()
    if not ports or any(each["port"] == said for each in ports):
        return said
    return int(next((each for each in ports if each.get("name") == "traffic"), ports[0])["port"])


def read(api: Api, form: Form) -> Object:
    """The routing object. Raises ReleaseError where there is none."""
    found = api.get(form.path)
    if found is None:
        raise ReleaseError(f"there is no {form.what}: install the chart helm/router under that name, then go on")
    return found


def write(api: Api, place: Place, form: Form, wanted: Wanted) -> Route:
    """Compare and swap; the route after. Raises Fenced, RouteMoved, Refused, Unusable."""
    refused: Conflict | Unprocessable | None = None
    tried, services = "", _services(api, place) if form.ports else NONE
    for _ in range(TRIES):
        found = read(api, form)
        seen = route_of(form, found, wanted.target)
        ours = not seen.lost and (seen.target, seen.run, seen.fence) == (wanted.target, wanted.run, wanted.fence)
        if refused and ours:
            return seen  # the first try was written, and its answer lost
        if seen.fence > wanted.fence:
            raise Fenced(f"run {wanted.fence} lost its lock to run {seen.fence}: it changes nothing more")
        if seen.token != wanted.expected:
            raise RouteMoved(seen.lost or f"{form.what} says {seen.target}; it was moved since this run read it")
        if refused and found["metadata"]["resourceVersion"] == tried:
            raise refused  # nobody wrote in between: it is the object itself that is refused
        _refuse_empty(api, place, None if seen.lost else form.target(found), wanted.target)
        tried = found["metadata"]["resourceVersion"]
        try:
            return route_of(form, api.json_patch(form.path, patch(form, found, wanted, services)))
        except (Conflict, Unprocessable) as exc:
            refused = exc
    raise ReleaseError(f"{form.what} was written by others {TRIES} times while this run wrote: {refused}")


def gaining(had: Target | None, has: Target) -> list[str]:
    """The slots that get users, or more of them."""
    return [
        slot
        for slot in SLOTS
        if has.has_users(slot)
        and (had is None or not had.has_users(slot) or has.weights.of(slot) > had.weights.of(slot))
    ]


def ready(slices: Sequence[Object], service: str) -> int:
    """Endpoints of a Service that get requests; one that does not say so does."""
    mine = [each for each in slices if each["metadata"].get("labels", {}).get(SERVICE) == service]
    endpoints = [endpoint for each in mine for endpoint in each.get("endpoints") or ()]
    return sum(each.get("conditions", {}).get("ready") is not False for each in endpoints)


def addresses(slices: Sequence[Object], service: str) -> list[str]:
    """Addresses of the endpoints of a Service that get requests; of one family, since each pod has one of each."""
    mine = [each for each in slices if each["metadata"].get("labels", {}).get(SERVICE) == service]
    family = [each for each in mine if each.get("addressType") != "IPv6"] or mine
    endpoints = [endpoint for each in family for endpoint in each.get("endpoints") or ()]
    return [
        each["addresses"][0]
        for each in endpoints
        if each.get("addresses") and each.get("conditions", {}).get("ready") is not False
    ]


def slices(api: Api, place: Place, slots: Sequence[str]) -> list[dict[str, Any]]:
    """The EndpointSlices of slots' Services."""
    path = f"/apis/discovery.k8s.io/v1/namespaces/{place.namespace}/endpointslices"
    return api.list(path, f"{SERVICE} in ({','.join(f'{place.app}-{slot}' for slot in slots)})")


def _services(api: Api, place: Place) -> Services:
    path = f"/api/v1/namespaces/{place.namespace}/services/{place.app}"
    return {slot: found for slot in SLOTS if (found := api.get(f"{path}-{slot}"))}


def _refuse_empty(api: Api, place: Place, had: Target | None, has: Target) -> None:
    """Nobody is sent to a slot without a ready pod: proxies send its share there all the same.

    Unless it has users already and the other slot has no such pod either: who stays there is not answered.
    """
    gains = gaining(had, has)
    found = slices(api, place, SLOTS) if gains else []
    serves = {slot: ready(found, f"{place.app}-{slot}") for slot in SLOTS}
    for slot in gains:
        if not serves[slot] and (serves[other(slot)] or not (had and had.has_users(slot))):
            name = f"{place.app}-{slot}"
            raise Refused(f"Service {name} has no ready pod: it gets no users; see `kubectl get pods -l slot={slot}`")
