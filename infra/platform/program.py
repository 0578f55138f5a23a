"""The platform, built from its configuration."""

from __future__ import annotations

from collections.abc import Callable

from pulumi import Output

from infra.components.cache import Cache
from infra.components.database import Database
from infra.components.keys import Keys
from infra.components.network import Network
from infra.components.proxy import Proxy
from infra.components.site import Site
from infra.config.platform import Platform
from infra.platform.outputs import Outputs


def build(platform: Platform, secret: Callable[[str], Output[str]]) -> Outputs:
    """Make every part, each from those it needs; `secret` gives the stack's secret of a name."""
    site = Site(platform, secret)
    keys = Keys(site)
    network = Network(site, keys)
    database = Database(site, keys, network)
    host = Proxy(site, keys, network, database).host if platform.database.proxy else database.host
    cache = Cache(site, keys, network)
    return Outputs(
        region=site.region,
        vpc=network.vpc,
        private_subnets=list(network.subnets["private"].values()),
        database_host=host,
        database_readers=list(database.readers),
        database_secret=database.secret,
        database_clients=database.clients,
        database_arn=database.primary.arn,
        cache_host=cache.host,
        cache_secret=cache.secret,
        cache_clients=cache.clients,
    )
