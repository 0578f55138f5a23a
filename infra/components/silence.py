"""Where requests are counted to hear that no user comes: not where the checkers of Route 53 are, if it can be."""

from __future__ import annotations

from typing import Final

import msgspec
from pulumi import Input

from infra.components.zone import GLOBAL
from infra.config.base import Region

# At CHECK_S of 30 s "every two to three seconds"; twice that is nobody else either:
# https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/dns-failover-determining-health-of-endpoints.html
CHECKS: Final = 60  # a minute, at most


class Count(msgspec.Struct, frozen=True):
    """A metric of requests a minute; under `least` there are no users."""

    namespace: str
    name: str
    dimensions: dict[str, Input[str]]
    least: int


def users(region: Region, distribution: Input[str] | None, balancer: str) -> Count:
    """CloudFront's count where its region is this one: an alarm hears metrics and calls topics of its own region only.

    Else the load balancer's, to which the checkers come too.
    """
    if distribution is not None and region == GLOBAL:
        where = {"DistributionId": distribution, "Region": "Global"}
        return Count("AWS/CloudFront", "Requests", where, 1)
    return Count("AWS/ApplicationELB", "RequestCount", {"LoadBalancer": balancer}, CHECKS)
