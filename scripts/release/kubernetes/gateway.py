"""The router `gateway`: the weights of an HTTPRoute of Gateway API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scripts.release.errors import ReleaseError
from scripts.release.file import Settings
from scripts.release.kubernetes import httproute, swap
from scripts.release.kubernetes.client import Api, Forbidden
from scripts.release.kubernetes.router import APPLY_S, Place, lacking
from scripts.release.kubernetes.service import slot_address
from scripts.release.route import SLOTS, Route, Target

KEY, SLOT = "x-route-key", "x-route-slot"
WANTED = ("Accepted", "ResolvedRefs")  # conditions
NO_BACKEND = "BackendNotFound"  # reason of the second one


class Gateway:
    """HTTPRoute APP has the users; HTTPRoute APP-preview leads to a slot by headers, where the chart has a key."""

    name = "gateway"
    capabilities = frozenset({"weights", "audience", "mirror", "preview-headers"})

    def __init__(self, api: Api, place: Place) -> None:
        self._api, self._place = api, place
        self._form = httproute.Form(place.namespace, place.app)

    def read(self, known: Target | None = None) -> Route:
        return swap.route_of(self._form, swap.read(self._api, self._form), known)

    def write(self, target: Target, expected: str, run: str, fence: int) -> str:
        return swap.write(self._api, self._place, self._form, swap.Wanted(target, expected, run, fence)).token

    def frame(self) -> None:
        """Nothing: an idle slot without its Service is none of the route's faults."""

    def unready(self, target: Target) -> str:
        """Nothing: a Gateway sends to what is ready."""
        return ""

    def settles_s(self) -> float:
        return APPLY_S

    def missing(self, target: Target) -> str:
        found = swap.read(self._api, self._form)
        seen = swap.route_of(self._form, found).target
        if seen != target:
            return f"{self._form.what} says {seen}"
        words = unaccepted(found)
        return "" if NO_BACKEND in words and self._only_idle_absent(target) else words

    def applied(self, target: Target) -> bool:
        return not self.missing(target)

    def edge(self) -> str:
        if self._place.edge:
            return self._place.edge
        spec = swap.read(self._api, self._form)["spec"]
        parent = spec["parentRefs"][0]
        gateway = self._gateway(parent)
        address = (gateway.get("status", {}).get("addresses") or [{}])[0].get("value", "")
        if not address:
            raise ReleaseError(f"Gateway {parent['name']} has no address yet: `kubectl describe gateway` says why")
        return edge_of(gateway["spec"]["listeners"], parent, (spec.get("hostnames") or [address])[0])

    def preview(self, slot: str) -> tuple[str, Mapping[str, str]]:
        key = preview_key(self._api.get(f"{self._form.path}-preview") or {})
        return (self.edge(), {KEY: key, SLOT: slot}) if key else (slot_address(self._api, self._place, slot), {})

    def refusals(self, settings: Settings) -> list[str]:
        told = lacking(settings, httproute.REASONS)
        if settings.audience and settings.audience.cookies:
            words = httproute.cookie_refusal(httproute.controllers(swap.read(self._api, self._form)))
            told += [f"audience.cookies: {words}"] if words else []
        return told

    def _only_idle_absent(self, target: Target) -> bool:
        """Whether each slot that gets requests has its Service: before the second release the other slot has none."""
        services = f"/api/v1/namespaces/{self._place.namespace}/services/{self._place.app}"
        used = [slot for slot in SLOTS if target.has_users(slot) or target.mirror == slot]
        return all(self._api.get(f"{services}-{slot}") for slot in used)

    def _gateway(self, parent: Mapping[str, Any]) -> swap.Object:
        name, namespace = parent["name"], parent.get("namespace", self._place.namespace)
        try:
            found = self._api.get(f"/apis/gateway.networking.k8s.io/v1/namespaces/{namespace}/gateways/{name}")
        except Forbidden as exc:
            raise ReleaseError(
                f"{exc}; or say kubernetes.edge in release.yaml, the address of users' requests"
            ) from exc
        if found is None:
            raise ReleaseError(f"there is no Gateway {name} in namespace {namespace}: see gateway.parents of the chart")
        return found


def unaccepted(found: swap.Object) -> str:
    """What a parent of the route has not done with this generation of it, in words; "" when all have all."""
    meta = found["metadata"]
    name, home, generation = meta["name"], meta["namespace"], meta.get("generation")
    told = {_place(each["parentRef"], home): each for each in found.get("status", {}).get("parents") or ()}
    for parent in found["spec"].get("parentRefs") or ():
        said = told.get(_place(parent, home), {}).get("conditions") or ()
        for wanted in WANTED:
            each = next((each for each in said if each["type"] == wanted), None)
            if each is None or each.get("observedGeneration") != generation:
                return f"Gateway {parent['name']} has not looked at HTTPRoute {name} since it was written ({wanted})"
            if each["status"] != "True":
                return f"Gateway {parent['name']} does not take HTTPRoute {name}: {each['reason']}: {each['message']}"
    return ""


def _place(parent: Mapping[str, Any], home: str) -> tuple[str, str, str]:
    return parent["name"], parent.get("namespace", home), parent.get("sectionName", "")


def edge_of(listeners: Sequence[Mapping[str, Any]], parent: Mapping[str, Any], host: str) -> str:
    """The address of the listener that a route is attached to."""
    named = [each for each in listeners if each["name"] == parent.get("sectionName", each["name"])] or listeners
    scheme = "https" if named[0]["protocol"] == "HTTPS" else "http"
    return f"{scheme}://{host}:{named[0]['port']}"


def preview_key(found: swap.Object) -> str:
    """The key of the preview route; "" where there is none."""
    headers = (
        header
        for rule in found.get("spec", {}).get("rules") or ()
        for match in rule.get("matches") or ()
        for header in match.get("headers") or ()
    )
    return next((header["value"] for header in headers if header["name"] == KEY), "")
