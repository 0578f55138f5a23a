"""What the ELB API says of a load balancer; the seam to AWS, and boto3 behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any, Protocol

import msgspec

from scripts.release.errors import ReleaseError, Unusable

WAITS = {"connect_timeout": 3, "read_timeout": 10, "retries": {"max_attempts": 1}}  # s; by itself boto3 waits minutes
Headers = Mapping[str, tuple[str, ...]]  # lower-case name to the values, sorted, of which one must be sent
SOURCE = ":source-ip"  # among a rule's headers: the addresses that it takes requests from
BUSY = ("Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequestsException")


class Later(ReleaseError):  # noqa: N818 - it is an answer
    """Nothing can be told yet: too many questions were asked, or the load balancer is being made. Ask again."""


class Rule(msgspec.Struct, frozen=True):
    """A listener's rule that forwards to target groups."""

    headers: Headers
    weights: Mapping[str, int]  # ARN of a target group to its weight
    sticky: bool = False


class Elb(Protocol):
    """ELB's own Describe* calls: what is in force, whatever the Ingress says. Raises Later, ReleaseError."""

    def rules(self, host: str) -> Sequence[Rule]:
        """Of every listener of the load balancer with this DNS name."""

    def health(self, group: str) -> Mapping[str, str]:
        """A target of a group, by its address or node, to its state: healthy, initial, unhealthy, draining, unused."""


class Boto:
    """The ELB API by boto3, with the credentials and the region of the environment. Raises Unusable without boto3."""

    def __init__(self) -> None:
        try:
            boto3, errors = import_module("boto3"), import_module("botocore.exceptions")
            config = import_module("botocore.config").Config(**WAITS)
        except ImportError as exc:
            raise Unusable("the router alb asks AWS what is in force: `make .venv/.dev` installs boto3") from exc
        self._refusal: type[Any] = errors.ClientError
        self._failure: type[Exception] = errors.BotoCoreError
        try:
            self._client: Any = boto3.client("elbv2", config=config)
        except self._failure as exc:
            raise Unusable(f"AWS cannot be asked: {exc}; set AWS_DEFAULT_REGION and credentials") from exc

    def rules(self, host: str) -> Sequence[Rule]:
        balancers = self._all("describe_load_balancers", "LoadBalancers")
        named = [each for each in balancers if each["DNSName"].lower() == host.lower()]
        if not named:
            raise ReleaseError(
                f"AWS has no load balancer {host} in this account and region: set AWS_PROFILE, AWS_DEFAULT_REGION"
            )
        if named[0]["State"]["Code"] == "provisioning":
            raise Later(f"AWS is still making the load balancer {host}")
        return [
            rule
            for listener in self._all("describe_listeners", "Listeners", LoadBalancerArn=named[0]["LoadBalancerArn"])
            for found in self._all("describe_rules", "Rules", ListenerArn=listener["ListenerArn"])
            if (rule := rule_of(found))
        ]

    def health(self, group: str) -> Mapping[str, str]:
        told = self._asked(
            lambda: self._client.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
        )
        return {each["Target"]["Id"]: each["TargetHealth"]["State"] for each in told}

    def _all(self, call: str, key: str, **asked: str) -> list[Mapping[str, Any]]:
        pages = self._client.get_paginator(call)
        return self._asked(lambda: [each for page in pages.paginate(**asked) for each in page[key]])

    def _asked(self, call: Callable[[], list[Mapping[str, Any]]]) -> list[Mapping[str, Any]]:
        try:
            return call()
        except self._refusal as exc:
            code = exc.response["Error"]["Code"]
            raise (Later if code in BUSY else ReleaseError)(f"AWS: {exc}") from exc
        except self._failure as exc:
            raise ReleaseError(f"AWS: {exc}") from exc


def rule_of(found: Mapping[str, Any]) -> Rule | None:
    """A rule as DescribeRules has it; None for one that does not forward."""
    for action in found["Actions"]:
        if forward := action.get("ForwardConfig"):
            return Rule(
                dict(_headers(found["Conditions"])),
                {each["TargetGroupArn"]: each.get("Weight", 1) for each in forward["TargetGroups"]},
                sticky=bool(forward.get("TargetGroupStickinessConfig", {}).get("Enabled")),
            )
    return None


def _headers(conditions: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for each in conditions:
        if header := each.get("HttpHeaderConfig"):
            yield header["HttpHeaderName"].lower(), tuple(sorted(header["Values"]))
        elif source := each.get("SourceIpConfig"):
            yield SOURCE, tuple(source["Values"])
