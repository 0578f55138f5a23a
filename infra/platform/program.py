"""The platform, built from its configuration."""

from __future__ import annotations

from collections.abc import Callable

from pulumi import Input, Output, Resource

from infra.components.addons import Addons
from infra.components.cache import Cache
from infra.components.cluster import Cluster
from infra.components.database import Database
from infra.components.identity import Identities
from infra.components.karpenter import Karpenter
from infra.components.keys import Keys
from infra.components.network import Network
from infra.components.nodes import Nodes
from infra.components.oncall import OnCall
from infra.components.proxy import Proxy
from infra.components.site import Site
from infra.components.spending import Spending
from infra.components.traces import Traces
from infra.components.watch import Watch
from infra.config.platform import Platform
from infra.platform.front import front
from infra.platform.outputs import Outputs
from infra.stackfile import ROOT
from slo.reader import read_targets


def build(platform: Platform, secret: Callable[[str], Output[str]]) -> Outputs:
    """Make every part, each from those it needs; `secret` gives the stack's secret of a name."""
    site = Site(platform, secret)
    keys = Keys(site)
    network = Network(site, keys)
    database = Database(site, keys, network)
    proxy = Proxy(site, keys, network, database) if platform.database.proxy else None
    cache = Cache(site, keys, network)
    cluster = Cluster(site, keys, network)
    groups: list[Input[str]] = [
        cluster.group,
        database.clients,
        cache.clients,
    ]  # nodes, and so their pods, are in these
    ready: list[Resource] = [cluster.control]
    if not cluster.auto:
        ready = Nodes(site, cluster, network, groups, Addons(site, cluster, "before", ready).made).made
    karpenter = None if cluster.auto else Karpenter(site, cluster)
    Addons(site, cluster, "after", ready)
    secrets = [each for each in (database.secret, cache.secret) if each is not None]
    identities = Identities(site, keys, cluster, secrets)
    on_call = OnCall(site, keys)
    _watched(site, on_call, database, proxy, cache)
    Spending(site, on_call.topic)
    before = front(site, keys, network)
    return Outputs(
        region=site.region,
        vpc=network.vpc,
        private_subnets=list(network.subnets["private"].values()),
        database_host=proxy.host if proxy else database.host,
        database_readers=list(database.readers),
        database_secret=database.secret,
        database_clients=database.clients,
        database_arn=database.primary.arn,
        cache_host=cache.host,
        cache_secret=cache.secret,
        cache_clients=cache.clients,
        cluster_name=cluster.control.name,
        cluster_endpoint=cluster.control.endpoint,
        cluster_ca=cluster.control.certificate_authority.data,
        node_groups=groups,
        node_profile=karpenter.profile if karpenter else None,
        node_role=cluster.node_role.name if cluster.node_role else None,
        interruptions=karpenter.queue if karpenter else None,
        app_role=identities.app.name,
        **before._asdict(),
    )


def _watched(site: Site, on_call: OnCall, database: Database, proxy: Proxy | None, cache: Cache) -> None:
    targets = read_targets(ROOT / "slo.yaml")
    watch = Watch(site, on_call.topic, targets)
    watch.database(database.identifiers, proxy.name if proxy else None)
    watch.cache(cache.nodes)
    watch.board()
    if site.platform.watch.trace_percent:
        Traces(site, targets)
