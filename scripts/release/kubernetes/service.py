"""The router `service`: the selector of one Service. It needs nothing but Kubernetes, and moves all users at once."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

import msgspec

from scripts.release.errors import NeedsPerson, ReleaseError
from scripts.release.file import Settings
from scripts.release.kubernetes import swap
from scripts.release.kubernetes.client import Api
from scripts.release.kubernetes.router import APPLY_S, Place, lacking, refuse
from scripts.release.route import SLOTS, Route, Target, other

ONE = "a Service has one selector for all users"
REASONS = {
    "weights": f"{ONE}: take steps [100], or the router gateway or alb",
    "audience": f"{ONE}: take the step audience out, or the router gateway or alb",
    "mirror": "a Service copies no requests: take the step shadow out, or the router gateway",
    "sticky": f"{ONE}: leave sticky out",
}
CURE = "when the selector moves, it takes the old pods off before it has the new ones; take the router alb or gateway"
NLB = "service.beta.kubernetes.io/aws-load-balancer-"
NEG = "cloud.google.com/neg"


class Form(msgspec.Struct, frozen=True):
    """A Service whose selector names the slot."""

    namespace: str
    app: str
    name: str  # of the Service

    @property
    def ports(self) -> bool:
        return False

    @property
    def path(self) -> str:
        return f"/api/v1/namespaces/{self.namespace}/services/{self.name}"

    @property
    def what(self) -> str:
        return f"Service {self.name}"

    def target(self, found: swap.Object) -> Target | None:
        selector = found["spec"].get("selector") or {}
        if not selector and swap.RUN not in swap.notes_of(found):
            return None
        if selector.get("slot") not in SLOTS:
            raise NeedsPerson(
                f"{self.what} selects {dict(selector) or 'nothing'}, which names no slot: somebody edited it. "
                f"`kubectl -n {self.namespace} set selector service {self.name} "
                f"{','.join(f'{key}={value}' for key, value in self.selector('SLOT').items())}` mends it"
            )
        return Target.all_on(selector["slot"])

    def ops(self, found: swap.Object, target: Target, services: swap.Services = swap.NONE) -> list[swap.Op]:
        refuse(target, REASONS)
        assert target.weights.sole
        return [{"op": "add", "path": "/spec/selector", "value": self.selector(target.weights.sole)}]

    def selector(self, slot: str) -> dict[str, str]:
        """By the labels that the slot chart gives its pods."""
        return {"app.kubernetes.io/name": self.app, "app.kubernetes.io/instance": self.app, "slot": slot}


def pod_balancers(found: swap.Object, bindings: swap.Object | None) -> list[str]:
    """What sends to the pods of a Service by their IPs, a sentence for each."""
    name, said = found["metadata"]["name"], swap.notes_of(found)
    what = f"Service {name}"
    told = [
        f"{what} has the annotation {key}, a load balancer that sends to pod IPs: {CURE}"
        for key, by_pod in (
            (f"{NLB}nlb-target-type", said.get(f"{NLB}nlb-target-type") == "ip"),
            (f"{NLB}type", said.get(f"{NLB}type") == "nlb-ip"),
            (f"{NEG}-status", f"{NEG}-status" in said),
            (NEG, "exposed_ports" in said.get(NEG, "")),
        )
        if by_pod
    ]
    bound = (
        (each["metadata"]["name"], each["spec"]["serviceRef"]["name"]) for each in (bindings or {}).get("items", ())
    )
    return [
        *told,
        *(
            f"TargetGroupBinding {each} sends to the pods of {what}: {CURE}"
            for each, service in bound
            if service == name
        ),
    ]


def address(found: swap.Object) -> str:
    """Where a Service is reached: its load balancer, or else its cluster IP."""
    spec = found["spec"]
    balancers = (found.get("status", {}).get("loadBalancer") or {}).get("ingress") or [{}]
    host = balancers[0].get("hostname") or balancers[0].get("ip") or spec.get("clusterIP", "")
    return f"http://{host}:{spec['ports'][0]['port']}"


class Service:
    """Service APP has the users; Service APP-preview shows the other slot to people."""

    name = "service"
    capabilities: frozenset[str] = frozenset()

    def __init__(self, api: Api, place: Place) -> None:
        self._api, self._place = api, place
        self._active = Form(place.namespace, place.app, place.app)
        self._preview = Form(place.namespace, place.app, f"{place.app}-preview")

    def read(self, known: Target | None = None) -> Route:
        return swap.route_of(self._active, swap.read(self._api, self._active), known)

    def write(self, target: Target, expected: str, run: str, fence: int) -> str:
        written = swap.write(self._api, self._place, self._active, swap.Wanted(target, expected, run, fence))
        assert target.weights.sole
        # Users first: kube-proxy takes over what changes once a second, and would let them wait for the preview.
        # Killed in between, the preview shows the live slot until the next write; the engine does not look there.
        shown = Target.all_on(other(target.weights.sole))
        with suppress(ReleaseError):
            self._api.json_patch(self._preview.path, self._preview.ops({}, shown))
        return written.token

    def frame(self) -> None:
        """Nothing: a selector refers to no object."""

    def unready(self, target: Target) -> str:
        """Nothing: nodes send to what is ready."""
        return ""

    def settles_s(self) -> float:
        return APPLY_S

    def missing(self, target: Target) -> str:
        seen = self.read().target
        return "" if seen == target else f"{self._active.what} says {seen}"

    def applied(self, target: Target) -> bool:
        return not self.missing(target)

    def edge(self) -> str:
        return self._place.edge or address(swap.read(self._api, self._active))

    def preview(self, slot: str) -> tuple[str, Mapping[str, str]]:
        return slot_address(self._api, self._place, slot), {}

    def refusals(self, settings: Settings) -> list[str]:
        path = f"/apis/elbv2.k8s.aws/v1beta1/namespaces/{self._place.namespace}/targetgroupbindings"
        found = swap.read(self._api, self._active)
        return [*lacking(settings, REASONS), *pod_balancers(found, self._api.get(path))]


def slot_address(api: Api, place: Place, slot: str) -> str:
    """Of the slot's own Service, whose selector never changes. Raises ReleaseError."""
    form = Form(place.namespace, place.app, f"{place.app}-{slot}")
    found = api.get(form.path)
    if found is None:
        raise ReleaseError(f"there is no {form.what}: nothing was deployed on {slot}")
    return address(found)
