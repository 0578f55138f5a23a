"""Where a component is made: the names, the account and region, and what is protected there."""

from __future__ import annotations

from collections.abc import Callable

import pulumi
import pulumi_aws as aws
from pulumi import Output

from infra.config.base import Region
from infra.config.platform import Platform


class Site:
    """One environment's names and provider; every component takes it first."""

    def __init__(self, platform: Platform, secret: Callable[[str], Output[str]]) -> None:
        self.platform = platform
        self.secret = secret  # the stack's secret of that name
        self.region: Region = platform.region
        self.account = platform.account
        self.prefix = f"{platform.name}-{platform.profile}"
        self.provider = aws.Provider(
            f"{self.prefix}-aws",
            region=platform.region,
            allowed_account_ids=[platform.account],
            default_tags={"tags": tags(platform)},
        )

    def name(self, *parts: str) -> str:
        """`primetrade-prod-nat-az1`; unique in the program."""
        return "-".join((self.prefix, *parts))

    def arn(self, service: str, rest: str) -> str:
        """An ARN in this region and account."""
        return f"arn:aws:{service}:{self.region}:{self.account}:{rest}"


def tags(platform: Platform) -> dict[str, str]:
    """What the provider puts on everything that can have tags; costs are told apart by them."""
    return {
        "project": platform.name,
        "environment": platform.profile,
        "owner": platform.owner,
        "managed-by": "pulumi",
    }


class Component(pulumi.ComponentResource):
    """A part of the platform. It says what it needs in its arguments and what it offers in its attributes."""

    def __init__(self, kind: str, site: Site) -> None:
        super().__init__(f"primetrade:{kind}", kind.lower(), None, pulumi.ResourceOptions(providers=[site.provider]))
        self.site = site
        self.kind = kind.lower()

    def child(self, *depends_on: pulumi.Resource) -> pulumi.ResourceOptions:
        """Options of what can be made again."""
        return pulumi.ResourceOptions(parent=self, depends_on=[*depends_on])

    def kept(self, *depends_on: pulumi.Resource) -> pulumi.ResourceOptions:
        """Options of what holds data: protected where the environment keeps its data."""
        return pulumi.ResourceOptions(parent=self, protect=self.site.platform.keeps_data, depends_on=[*depends_on])
