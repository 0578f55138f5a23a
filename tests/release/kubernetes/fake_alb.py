"""A fake, not AWS: the AWS Load Balancer Controller and ELB, as far as the router `alb` can tell them from real ones.

It keeps the contract that matters, which is asynchronous: the controller gets to a change of the Ingress when it does,
makes the load balancer in minutes, changes one rule after another, and leaves ELB as it was where it cannot read an
annotation or a Service of a rule is not there; it ranks paths by type, then length; a path without an action answers
503, and what no rule takes 404; pods are registered only in target groups that a rule refers to, whatever the weight,
after Kubernetes says that they are ready, and are healthy later; of a slot whose pods change the old ones are taken off
first; ELB answers only so many questions. Nothing here shows that AWS does so: it is what the controller's source says
(`loadBackendServices`, `buildActionViaAnnotation`, `sortIngressPaths`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from scripts.release.errors import ReleaseError
from scripts.release.kubernetes.elb import SOURCE, Later, Rule
from tests.release.kubernetes.apiserver import Server

INGRESS = "/apis/networking.k8s.io/v1/namespaces/shop-space/ingresses/shop"
SERVICES = "/api/v1/namespaces/shop-space/services"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/shop-space/endpointslices"
BINDINGS = "/apis/elbv2.k8s.aws/v1beta1/namespaces/shop-space/targetgroupbindings"
PREFIX = "alb.ingress.kubernetes.io/"
VALUES = 5  # most that the conditions of a rule may have, paths and hosts among them
HOST = "k8s-fake-shop.elb.example.org"


def arn(service: str) -> str:
    return f"arn:fake:targetgroup/{service}"


class Listed(NamedTuple):
    """A rule of the listener, and the paths that it is for."""

    pattern: str
    rule: Rule | None  # None: answers 503


@dataclass
class FakeAlb:
    """One Ingress of one API server, and the load balancer that a controller makes of it, moment by moment."""

    server: Server
    lag: int = 2  # moments until the controller gets to a change
    making: int = 3  # moments that AWS takes for the load balancer
    checking: int = 1  # moments until a new target is found healthy
    throttled: int = 0  # so many questions more go unanswered
    broken: str = ""  # why AWS answers nothing
    failing: str = ""  # why the controller gets nothing done; it tries again every moment
    events: list[str] = field(default_factory=list)
    _rules: dict[str, Listed] = field(default_factory=dict)  # by name of the path's backend
    _targets: dict[str, dict[str, str]] = field(default_factory=dict)  # slot's Service → pod → state
    _new: dict[str, int] = field(default_factory=dict)  # pod → moments since it was registered
    _seen: tuple[str, int] = ("", 0)  # resourceVersion, and moments since it was new
    _made: int = 0  # moments that the load balancer is being made

    def pods(self, service: str, *names: str) -> None:
        """The ready pods of a slot's Service, from now on, as its EndpointSlice says; a name stands for an address."""
        path, slot = f"{SERVICES}/{service}", service.rpartition("-")[2]
        if path not in self.server.objects:
            self.server.answer("POST", SERVICES, "", {"metadata": {"name": service}, "spec": {}})
        endpoints = [{"addresses": [name], "conditions": {"ready": True}} for name in names]
        self.server.objects[f"{SLICES}/{slot}"]["endpoints"] = endpoints

    def tick(self, moments: int = 1) -> None:
        """Let time pass: every moment each part does one thing."""
        for _ in range(moments):
            self._register()
            version = self.server.objects[INGRESS]["metadata"]["resourceVersion"]
            self._seen = (version, self._seen[1] + 1) if self._seen[0] == version else (version, 0)
            if self._seen[1] >= self.lag:
                self._reconcile()

    def rules(self, host: str) -> Sequence[Rule]:
        self._answer()
        assert host == HOST
        return [each.rule for each in self._rules.values() if each.rule]

    def health(self, group: str) -> Mapping[str, str]:
        self._answer()
        return dict(self._targets.get(group.rpartition("/")[2], {}))

    def serves(self, draw: int, path: str = "/", **sent: str) -> str:
        """The slot that a request gets, or the error, by a draw of 0 to 99: the first rule that it matches."""
        headers = {name.replace("_", "-"): value for name, value in sent.items()}
        for pattern, rule in self._rules.values():
            if not fnmatchcase(path, pattern):
                continue
            if rule is None:
                return "503"
            if all(headers.get(name) in values for name, values in rule.headers.items()):
                chosen = _drawn(rule.weights, draw)
                healthy = "healthy" in self._targets.get(chosen, {}).values()
                return chosen.rpartition("-")[2] if healthy else "503"
        return "404"

    def _answer(self) -> None:
        if self.broken:
            raise ReleaseError(f"AWS: {self.broken}")
        if self.throttled:
            self.throttled -= 1
            raise Later("ThrottlingException: Rate exceeded")

    def _register(self) -> None:
        """Old targets leave first; new ones come a moment later, and get their requests another one later."""
        for service in [each for each in ("shop-blue", "shop-green") if f"{BINDINGS}/{each}" in self.server.objects]:
            slices = self.server.objects[f"{SLICES}/{service.rpartition('-')[2]}"]
            pods = [each["addresses"][0] for each in slices["endpoints"] if each.get("addresses")]
            had = self._targets.setdefault(service, {})
            stays = {pod: self._later(pod, state) for pod, state in had.items() if pod in pods and state != "draining"}
            leaves = {pod: "draining" for pod, state in had.items() if pod not in pods and state != "draining"}
            comes = {} if leaves else {pod: "initial" for pod in pods if pod not in had}
            self._targets[service] = {**stays, **leaves, **comes}

    def _later(self, pod: str, state: str) -> str:
        """The state of a target that stays, a moment later."""
        if state == "initial":
            self._new[pod] = self._new.get(pod, 0) + 1
        return "healthy" if state == "initial" and self._new[pod] >= self.checking else state

    def _reconcile(self) -> None:
        """As much of the Ingress as one call to ELB carries out; all or nothing of what cannot be read."""
        found = self.server.objects[INGRESS]
        try:
            wanted = dict(_wanted(found))
        except (KeyError, ValueError) as exc:
            self.events.append(f"FailedBuildModel: {exc}")
            return
        used = {arn.rpartition("/")[2] for _, rule in wanted.values() if rule for arn in rule.weights}
        if missing := [each for each in sorted(used) if f"{SERVICES}/{each}" not in self.server.objects]:
            self.events.append(f'FailedBuildModel: Service "{missing[0]}" not found')
            return
        if self.failing:
            self.events.append(f"FailedDeployModel: {self.failing}")
            return
        self._made += 1
        if self._made <= self.making:
            return
        for service in used:
            spec = {"serviceRef": {"name": service}, "targetGroupARN": arn(service), "targetType": "ip"}
            self.server.objects.setdefault(f"{BINDINGS}/{service}", {"metadata": {"name": service}, "spec": spec})
        found["status"] = {"loadBalancer": {"ingress": [{"hostname": HOST}]}}
        for name, listed in wanted.items():
            if self._rules.get(name) != listed:
                self._rules = {each: self._rules.get(each, listed) for each in wanted if each in {*self._rules, name}}
                self._rules[name] = listed
                return
        self._rules = {name: self._rules[name] for name in wanted}


def _drawn(weights: Mapping[str, int], draw: int) -> str:
    below = 0
    for group, weight in weights.items():
        below += weight
        if draw < below:
            return group.rpartition("/")[2]
    raise AssertionError("the weights are not 100 together")


def _wanted(found: Mapping[str, Any]) -> Iterator[tuple[str, Listed]]:
    """The rules that an Ingress asks for, in the order of the listener's. Raises KeyError, ValueError."""
    notes = found["metadata"]["annotations"]
    hosts = [rule["host"] for rule in found["spec"]["rules"][:1] if "host" in rule]
    for path in sorted(found["spec"]["rules"][0]["http"]["paths"], key=_rank):
        name = path["backend"]["service"]["name"]
        pattern = "/*" if path["path"] == "/" else path["path"]
        if f"{PREFIX}actions.{name}" not in notes:
            yield name, Listed(pattern, None)
            continue
        forward = json.loads(notes[f"{PREFIX}actions.{name}"])["forwardConfig"]
        conditions = json.loads(notes.get(f"{PREFIX}conditions.{name}", "[]"))
        headers = dict(map(_asked, conditions))
        if 1 + len(hosts) + sum(map(len, headers.values())) > VALUES:
            raise ValueError(f"the rule of {name} asks for more than {VALUES} values")
        weights = {arn(each["serviceName"]): each["weight"] for each in forward["targetGroups"]}
        sticky = forward.get("targetGroupStickinessConfig", {}).get("enabled", False)
        yield name, Listed(pattern, Rule(headers, weights, sticky))


def _rank(path: Mapping[str, Any]) -> tuple[int, int]:
    """The controller's order: what is exact, then prefixes by length, then the others; else as they stand."""
    kind = path["pathType"]
    return ("Exact", "Prefix", "ImplementationSpecific").index(kind), -len(path["path"]) if kind == "Prefix" else 0


def _asked(condition: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    match condition["field"]:
        case "http-header":
            header = condition["httpHeaderConfig"]
            return header["httpHeaderName"].lower(), tuple(sorted(header["values"]))
        case "source-ip":
            return SOURCE, tuple(condition["sourceIpConfig"]["values"])
    raise ValueError(f"unknown field {condition['field']}")
