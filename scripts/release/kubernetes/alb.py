"""The router `alb`: weighted target groups, by annotations that the AWS Load Balancer Controller carries out."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

from scripts.release.errors import NeedsPerson, ReleaseError
from scripts.release.file import Settings
from scripts.release.kubernetes import swap
from scripts.release.kubernetes.client import Api, Conflict
from scripts.release.kubernetes.elb import Boto, Elb, Later
from scripts.release.kubernetes.ingress import COOKIES, PREFIX, REASONS, Form, cookie_refusal, placeholder
from scripts.release.kubernetes.router import Place, lacking
from scripts.release.kubernetes.service import slot_address
from scripts.release.kubernetes.targets import Group, unmet, unregistered
from scripts.release.route import SLOTS, Route, Target

FIRST_S = 600.0  # for AWS to make the load balancer
CHANGE_S = 180.0  # for the controller to change its rules, and for new targets to be found healthy


class Alb:
    """Ingress APP has the users. What is written is carried out later, or not: done is what ELB itself says.

    Both slots' target groups stand in every rule, whatever their weight, so that the load balancer knows the health of
    a slot's pods before a user is sent there. The controller makes no rule of a Service that is not there: the slot
    that was never deployed, or was taken away, has one that selects no pod.
    """

    name = "alb"
    capabilities = frozenset({"weights", "audience", "sticky", "preview-headers"})

    def __init__(
        self, api: Api, place: Place, elb: Callable[[], Elb] = Boto, now: Callable[[], float] = time.time
    ) -> None:
        self._api, self._place, self._connect, self._now = api, place, elb, now
        self._elb: Elb | None = None

    def read(self, known: Target | None = None) -> Route:
        return swap.route_of(self._form, swap.read(self._api, self._form), known)

    def write(self, target: Target, expected: str, run: str, fence: int) -> str:
        with suppress(ReleaseError):  # what the controller lacks then is said by `missing`
            self.frame()
        return swap.write(self._api, self._place, self._form, swap.Wanted(target, expected, run, fence)).token

    def frame(self) -> None:
        path = f"/api/v1/namespaces/{self._place.namespace}/services"
        for slot in SLOTS:
            if self._api.get(f"{path}/{self._place.app}-{slot}") is None:
                body = placeholder(self._place, slot, swap.read(self._api, self._form))
                with suppress(Conflict):  # Helm was faster
                    self._api.create(path, body)

    def settles_s(self) -> float:
        return CHANGE_S if host_of(swap.read(self._api, self._form)) else FIRST_S

    def unready(self, target: Target) -> str:
        """What ELB has against the pods of a slot that gains users, in words.

        Where AWS cannot be asked, Kubernetes' word on them has to do: it must not keep users on a release that fails.
        """
        found, had = swap.read(self._api, self._form), None
        with suppress(NeedsPerson):  # an edit says no route: whatever is written now is better
            had = self._form.target(found)
        gaining = swap.gaining(had, target)
        if had is None or not gaining or not host_of(found):  # nobody is served yet
            return ""
        slices = swap.slices(self._api, self._place, gaining)
        ready = {slot: swap.addresses(slices, f"{self._place.app}-{slot}") for slot in gaining}
        try:
            return unregistered(self._asked(), self._groups(), ready)
        except Later as exc:
            return str(exc)
        except ReleaseError:
            return ""

    def missing(self, target: Target) -> str:
        found = swap.read(self._api, self._form)
        seen = swap.route_of(self._form, found).target
        if seen != target:
            return f"{self._form.what} says {seen}"
        try:
            return unmet(self._asked(), host_of(found), self._groups(), target, self._form.asked(found))
        except Later as exc:
            return str(exc)

    def applied(self, target: Target) -> bool:
        return not self.missing(target)

    def edge(self) -> str:
        if self._place.edge:
            return self._place.edge
        found = swap.read(self._api, self._form)
        if not (host := host_of(found)):
            raise ReleaseError(f"{self._form.what} has no load balancer yet: `kubectl describe ingress` says why")
        named = next((rule["host"] for rule in found["spec"]["rules"] if rule.get("host")), host)
        secure = f"{PREFIX}certificate-arn" in swap.notes_of(found)
        return f"{'https' if secure else 'http'}://{named}"

    def preview(self, slot: str) -> tuple[str, Mapping[str, str]]:
        found = swap.read(self._api, self._form)
        conditions = swap.notes_of(found).get(f"{PREFIX}conditions.{self._place.app}-preview-{slot}")
        if not conditions or not host_of(found):
            return slot_address(self._api, self._place, slot), {}
        return self.edge(), preview_headers(conditions)

    def refusals(self, settings: Settings) -> list[str]:
        told = lacking(settings, REASONS)
        if settings.audience and settings.audience.cookies:
            told.append(f"audience.cookies: {COOKIES}")
        if settings.audience and len(settings.audience.headers) > 1:
            told.append("audience.headers: an ALB's rule asks for all its headers at once: name one")
        found = swap.read(self._api, self._form)
        if self._form.asked(found).users and not self._place.edge:
            told.append("kubernetes.edge: the load balancer asks for a key (alb.originKeys): name what sends it")
        if settings.sticky:
            told += filter(None, [cookie_refusal(swap.notes_of(found), "another", self._now())])
        return [*told, *self._unasked(host_of(found))]

    def _unasked(self, host: str) -> list[str]:
        """Why AWS cannot be asked what is in force: said before a release needs it."""
        try:
            elb = self._asked()
            if host:
                elb.rules(host)
        except Later:
            return []
        except ReleaseError as exc:
            return [f"what is in force cannot be seen: {exc}"]
        return []

    def _asked(self) -> Elb:
        self._elb = self._elb or self._connect()
        return self._elb

    @property
    def _form(self) -> Form:
        return Form(self._place.namespace, self._place.app, self._now())

    def _groups(self) -> list[Group]:
        """The slots' target groups, as the controller's bindings say."""
        path = f"/apis/elbv2.k8s.aws/v1beta1/namespaces/{self._place.namespace}/targetgroupbindings"
        names = {f"{self._place.app}-{slot}": slot for slot in SLOTS}
        specs = [each["spec"] for each in (self._api.get(path) or {}).get("items") or ()]
        return [
            Group(spec["targetGroupARN"], names[name], by_address=spec.get("targetType", "ip") == "ip")
            for spec in specs
            if (name := spec["serviceRef"]["name"]) in names
        ]


def host_of(found: swap.Object) -> str:
    """The DNS name of the Ingress's load balancer; "" while it has none."""
    balancers = (found.get("status", {}).get("loadBalancer") or {}).get("ingress") or [{}]
    return str(balancers[0].get("hostname", ""))


def preview_headers(conditions: str) -> dict[str, str]:
    """The headers that a preview rule asks for."""
    headers = (each["httpHeaderConfig"] for each in json.loads(conditions))
    return {each["httpHeaderName"]: each["values"][0] for each in headers}
