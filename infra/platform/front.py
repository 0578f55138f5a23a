"""What stands before the cluster: names, the door of its load balancer, and CloudFront."""

from __future__ import annotations

from typing import NamedTuple

from pulumi import Input

from infra.components.edge import Edge
from infra.components.keys import Keys
from infra.components.network import Network
from infra.components.origin import Origin
from infra.components.partners import Partners
from infra.components.site import Site
from infra.components.zone import Zone


class Front(NamedTuple):
    """Its outputs, as `infra/platform/outputs.py` has them."""

    zone: Input[str] | None = None
    ingress: Input[dict[str, str]] | None = None
    static_bucket: Input[str] | None = None
    distribution: Input[str] | None = None
    partners_url: Input[str] | None = None


def front(site: Site, keys: Keys, network: Network) -> Front:
    """Nothing where the stack names no domain; no second CloudFront in the second region."""
    config = site.platform.edge
    if config is None:
        return Front()
    zone = Zone(site, config)
    origin = Origin(site, network, zone, config)
    if zone.second:
        return Front(zone.id, origin.ingress)
    edge, url = Edge(site, keys, zone, config), None
    if site.platform.partners and config.load_balancer:
        door = (origin.group, zone.origin, config.load_balancer.listener)
        url = Partners(site, keys, network, site.platform.partners, door).url
    return Front(zone.id, origin.ingress, edge.bucket, edge.distribution, url)
