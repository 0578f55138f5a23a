"""What keeps the rest well: watching, backups, nights, and word of what it costs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pulumi import Input, Output

from infra.components.cache import Cache
from infra.components.database import Database
from infra.components.events import unread
from infra.components.keys import Keys
from infra.components.night import Night
from infra.components.nodes import Nodes
from infra.components.oncall import OnCall
from infra.components.proxy import Proxy
from infra.components.recovery import Recovery
from infra.components.site import Site
from infra.components.spending import Spending
from infra.components.traces import Traces
from infra.components.watch import Watch
from infra.stackfile import ROOT
from slo.reader import read_targets


class Parts(NamedTuple):
    """What is looked after."""

    database: Database
    proxy: Proxy | None
    cache: Cache
    nodes: Nodes | None  # Auto Mode has its own
    stateful: Sequence[Input[str]]  # ARNs of all that cannot be made again
    distribution: Input[str] | None  # by which users come


def look_after(site: Site, keys: Keys, parts: Parts) -> Output[str]:
    """Make what these parts need, as the sections `watch`, `cost`, `recovery` and `night` say.

    Returns the topic of whoever is on call.
    """
    on_call, platform, database = OnCall(site, keys), site.platform, parts.database
    _watch(site, on_call, parts)
    Spending(site, on_call.topic)
    if platform.recovery.keep_days:
        recovery = Recovery(site, keys, on_call.topic, parts.stateful)
        if platform.recovery.copy_to and platform.database.backup_days and not platform.database.replica_of:
            recovery.replicate(database.primary.arn, platform.database.backup_days)
    if platform.night.stop:
        Night(site, database.identifiers[0], parts.nodes.group if parts.nodes else None)
    return on_call.topic


def _watch(site: Site, on_call: OnCall, parts: Parts) -> None:
    targets = read_targets(ROOT / "slo.yaml")
    watch = Watch(site, on_call.topic, targets, parts.distribution)
    database, proxy = parts.database, parts.proxy
    watch.database(database.identifiers, proxy.name if proxy else None, database.instances)
    watch.cache(parts.cache.nodes)
    if events := site.platform.events:
        watch.unread([unread(site, reader) for reader in events.readers])
    watch.board()
    if site.platform.watch.trace_percent:
        Traces(site, targets)
