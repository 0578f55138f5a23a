"""The router `alb`: weighted target groups, by annotations that the AWS Load Balancer Controller carries out."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence

from scripts.release.errors import ReleaseError
from scripts.release.file import Settings
from scripts.release.kubernetes import swap
from scripts.release.kubernetes.client import Api
from scripts.release.kubernetes.elb import Boto, Elb, Rule, Throttled
from scripts.release.kubernetes.httproute import NOBODY
from scripts.release.kubernetes.ingress import COOKIES, PREFIX, REASONS, Form, cookie_refusal
from scripts.release.kubernetes.router import Place, lacking
from scripts.release.kubernetes.service import slot_address
from scripts.release.route import SLOTS, Route, Target, Weights


class Alb:
    """Ingress APP has the users. What is written is carried out later, or not: done is what ELB itself says."""

    name = "alb"
    capabilities = frozenset({"weights", "audience", "sticky", "preview-headers"})

    def __init__(
        self, api: Api, place: Place, elb: Callable[[], Elb] = Boto, now: Callable[[], float] = time.time
    ) -> None:
        self._api, self._place, self._connect, self._now = api, place, elb, now
        self._elb: Elb | None = None

    def read(self) -> Route:
        return swap.route_of(self._form, swap.read(self._api, self._form))

    def write(self, target: Target, expected: str, run: str, fence: int) -> str:
        return swap.write(self._api, self._place, self._form, swap.Wanted(target, expected, run, fence)).token

    def missing(self, target: Target) -> str:
        found = swap.read(self._api, self._form)
        seen = swap.route_of(self._form, found).target
        if seen != target:
            return f"{self._form.what} says {seen}"
        self._elb = self._elb or self._connect()
        try:
            return unmet(self._elb, host_of(found), self._groups(), target)
        except Throttled as exc:
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
        conditions = swap.notes_of(swap.read(self._api, self._form)).get(
            f"{PREFIX}conditions.{self._place.app}-preview-{slot}"
        )
        if not conditions:
            return slot_address(self._api, self._place, slot), {}
        return self.edge(), preview_headers(conditions)

    def refusals(self, settings: Settings) -> list[str]:
        told = lacking(settings, REASONS)
        if settings.audience and settings.audience.cookies:
            told.append(f"audience.cookies: {COOKIES}")
        if settings.audience and len(settings.audience.headers) > 1:
            told.append("audience.headers: an ALB's rule asks for all its headers at once: name one")
        if settings.sticky:
            notes = swap.notes_of(swap.read(self._api, self._form))
            told += filter(None, [cookie_refusal(notes, "another", self._now())])
        return told

    @property
    def _form(self) -> Form:
        return Form(self._place.namespace, self._place.app, self._now())

    def _groups(self) -> dict[str, str]:
        """ARN of a target group to the slot whose pods it has, as the controller's bindings say."""
        path = f"/apis/elbv2.k8s.aws/v1beta1/namespaces/{self._place.namespace}/targetgroupbindings"
        names = {f"{self._place.app}-{slot}": slot for slot in SLOTS}
        specs = [each["spec"] for each in (self._api.get(path) or {}).get("items") or ()]
        bound = [(spec["targetGroupARN"], spec["serviceRef"]["name"]) for spec in specs]
        return {arn: names[name] for arn, name in bound if name in names}


def host_of(found: swap.Object) -> str:
    """The DNS name of the Ingress's load balancer; "" while it has none."""
    balancers = (found.get("status", {}).get("loadBalancer") or {}).get("ingress") or [{}]
    return str(balancers[0].get("hostname", ""))


def preview_headers(conditions: str) -> dict[str, str]:
    """The headers that a preview rule asks for."""
    headers = (each["httpHeaderConfig"] for each in json.loads(conditions))
    return {each["httpHeaderName"]: each["values"][0] for each in headers}


def unmet(elb: Elb, host: str, groups: Mapping[str, str], target: Target) -> str:
    """What is not in force of a target, in words; "" once ELB says that all is and its pods are healthy."""
    if not host:
        return "the Ingress has no load balancer yet: its events say why"
    if missing := [slot for slot in SLOTS if slot not in groups.values()]:
        return f"{' and '.join(missing)} has no target group yet: the events of the Ingress say why"
    ours = [rule for rule in elb.rules(host) if rule.weights.keys() <= groups.keys()]
    whom = next(iter(target.audience.headers.items()), NOBODY)
    return (
        _unlike(_named(ours), groups, target.weights, "of the users", sticky=bool(target.sticky))
        or _unlike(_named(ours, whom), groups, _audience(target), "of the audience")
        or _unwell(elb, ours, groups, target)
    )


def _audience(target: Target) -> Weights:
    return Weights.with_share(target.first, 100) if target.first else target.weights


def _named(rules: Sequence[Rule], header: tuple[str, str] | None = None) -> list[Rule]:
    """The rules that ask for this header and no other."""
    wanted = {header[0].lower(): (header[1],)} if header else {}
    return [rule for rule in rules if rule.headers == wanted]


def _unlike(
    rules: Sequence[Rule], groups: Mapping[str, str], weights: Weights, whose: str, *, sticky: bool = False
) -> str:
    """How a rule of the load balancer differs from what is wanted."""
    if not rules:
        return f"the load balancer has no rule {whose} as written yet"
    for rule in rules:
        found = {groups[arn]: weight for arn, weight in rule.weights.items()}
        if found != {slot: weights.of(slot) for slot in SLOTS} or rule.sticky != sticky:
            return f"the load balancer's rule {whose} still says {found}{' with cookies' if rule.sticky else ''}"
    return ""


def _unwell(elb: Elb, rules: Sequence[Rule], groups: Mapping[str, str], target: Target) -> str:
    """What keeps the targets of a slot that has users from their requests."""
    for arn in sorted({arn for rule in rules for arn in rule.weights}):
        states = elb.health(arn) if target.has_users(groups[arn]) else {"healthy": 1}
        if not states.get("healthy") or states.get("initial"):
            return f"the targets of {groups[arn]} are {states or 'not registered'}"
    return ""
