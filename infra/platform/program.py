"""The platform, built from its configuration."""

from __future__ import annotations

from collections.abc import Callable

from pulumi import Output

from infra.components.application import Application
from infra.components.archive import Archive
from infra.components.cache import Cache
from infra.components.database import Database
from infra.components.keys import Keys
from infra.components.network import Network
from infra.components.proxy import Proxy
from infra.components.registry import Registry
from infra.components.site import Site
from infra.config.platform import Platform
from infra.platform.front import front
from infra.platform.kubernetes import Kubernetes
from infra.platform.later import later
from infra.platform.outputs import Outputs
from infra.platform.upkeep import Parts, look_after


def build(platform: Platform, secret: Callable[[str], Output[str]]) -> Outputs:
    """Make every part, each from those it needs; `secret` gives the stack's secret of a name."""
    site = Site(platform, secret)
    keys = Keys(site)
    network = Network(site, keys)
    database = Database(site, keys, network)
    proxy = Proxy(site, keys, network, database) if platform.database.proxy else None
    cache = Cache(site, keys, network)
    own = Application(site, keys)
    clients = [database.clients, cache.clients]
    secrets = [database.secret, database.app_secret, cache.secret, own.secret]
    kubernetes = Kubernetes(site, keys, network, clients, secrets)
    after, kept = later(site, keys, network, kubernetes.app, kubernetes.cluster.group)
    before = front(site, keys, network)
    stateful = [database.primary.arn, *kept]
    on_call = look_after(site, keys, Parts(database, proxy, cache, kubernetes.nodes, stateful, before.distribution))
    registry = Registry(site, keys, platform.registry) if platform.registry else None
    archive = Archive(site, keys, platform.archive) if platform.archive else None
    if archive and archive.config.package:
        archive.run_nightly(network, database, proxy, on_call)
    return Outputs(
        region=site.region,
        vpc=network.vpc,
        private_subnets=list(network.subnets["private"].values()),
        database_host=proxy.host if proxy else database.host,
        database_readers=list(database.readers),
        database_secret=database.secret,
        database_app_secret=database.app_secret,
        database_clients=database.clients,
        database_arn=database.primary.arn,
        cache_host=cache.host,
        cache_secret=cache.secret,
        cache_clients=cache.clients,
        archive_bucket=archive.bucket if archive else None,
        **before._asdict(),
        **after._asdict(),
        cluster_name=kubernetes.cluster.control.name,
        cluster_endpoint=kubernetes.cluster.control.endpoint,
        cluster_ca=kubernetes.cluster.control.certificate_authority.data,
        node_groups=kubernetes.groups,
        node_profile=kubernetes.profile,
        node_role=kubernetes.node_role,
        interruptions=kubernetes.queue,
        app_secret=own.secret,
        app_role=kubernetes.app,
        image_repository=registry.url if registry else None,
        push_role=registry.push if registry else None,
        release_role=kubernetes.release,
    )
