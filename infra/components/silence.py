"""Where requests are counted to hear that no user comes, or that users come to CloudFront and no further."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec
from pulumi import Input

from infra.components.zone import GLOBAL
from infra.config.base import Region

CLOUDFRONT: Final = "AWS/CloudFront"
# At CHECK_S of 30 s "every two to three seconds"; twice that is nobody else either:
# https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/dns-failover-determining-health-of-endpoints.html
CHECKS: Final = 60  # a minute, at most
FAILED_PERCENT: Final = 5  # of CloudFront's answers, in every minute of FAILED_MINUTES: nobody's bad luck
FAILED_MINUTES: Final = 5


class Count(msgspec.Struct, frozen=True):
    """A metric of requests a minute; under `least` there are no users."""

    namespace: str
    name: str
    dimensions: Mapping[str, Input[str]]
    least: int


def users(balancer: str, front: Mapping[str, Input[str]] | None) -> dict[str, Count]:
    """By the name of the alarm, what must not be silent.

    No checker is in CloudFront's count. In the load balancer's is no request that it refuses for want of the key, and
    none that does not get there: CloudFront counts both.
    """
    behind = Count("AWS/ApplicationELB", "RequestCount", {"LoadBalancer": balancer}, CHECKS)
    if front is None:
        return {"silence": behind}
    return {"silence": Count(CLOUDFRONT, "Requests", front, 1), "silence-origin": behind}


def seen(region: Region, distribution: Input[str] | None) -> dict[str, Input[str]] | None:
    """The dimensions of CloudFront's metrics, where they can be heard.

    An alarm hears metrics and calls topics of its own region only.
    """
    if distribution is None or region != GLOBAL:
        return None
    return {"DistributionId": distribution, "Region": "Global"}
