"""The section `edge`."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta

from infra.config.base import Strict

ORIGIN: Final = "origin"  # the label of what CloudFront asks
LABEL: Final = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"


class LoadBalancer(Strict, frozen=True):
    """What the controller in the cluster made of the router's Ingress; docs/how-to/edge.md says how to find it."""

    host: Annotated[str, Meta(pattern=r"^[\w.-]+\.elb\.amazonaws\.com$", description="Its own DNS name.")]
    listener: Annotated[
        str,
        Meta(
            pattern=r"^arn:aws:elasticloadbalancing:[a-z0-9-]+:\d{12}:listener/app/[\w-]+/[0-9a-f]+/[0-9a-f]+$",
            description="ARN of its listener on 443.",
        ),
    ]

    @property
    def metrics_name(self) -> str:
        """What its metrics go by: "app/NAME/ID"."""
        return self.listener.partition(":listener/")[2].rpartition("/")[0]


class Edge(Strict, frozen=True):
    """Names, certificates, CloudFront with its firewall, and which region answers."""

    zone: Annotated[str, Meta(pattern=rf"^({LABEL}\.)+[a-z]{{2,18}}$", description="The domain, whole.")]
    checkers: Annotated[
        str,
        Meta(
            pattern=r"^pl-[0-9a-f]{8,17}$",
            description="The managed prefix list com.amazonaws.REGION.route53-healthchecks of this region.",
        ),
    ]
    zone_id: Annotated[
        Annotated[str, Meta(pattern=r"^Z[A-Z0-9]{5,31}$")] | None,
        Meta(description="A hosted zone that exists; none makes one. The second region names production's."),
    ] = None
    host: Annotated[str, Meta(pattern=rf"^{LABEL}$", description="What users write before the domain.")] = "api"
    load_balancer: Annotated[
        LoadBalancer | None, Meta(description="Unknown until the cluster made it: the names lead nowhere until then.")
    ] = None
    price_class: Annotated[
        Literal["PriceClass_100", "PriceClass_200", "PriceClass_All"],
        Meta(description="How far CloudFront reaches: Europe and North America, most, or all of the world."),
    ] = "PriceClass_100"
    requests: Annotated[
        int,
        Meta(ge=100, le=2_000_000_000, description="Most from one address in 5 minutes; the application limits users."),
    ] = 10_000

    def __post_init__(self) -> None:
        if self.host == ORIGIN:
            raise ValueError(f"host: {ORIGIN} is what CloudFront asks; take another, such as api")
