"""What the application will use one day: each behind a section of the stack file that is left out until then."""

from __future__ import annotations

from typing import NamedTuple

from pulumi import Input, Output

from infra.components.audit import Audit
from infra.components.events import Events
from infra.components.exports import Exports
from infra.components.keys import Keys
from infra.components.network import Network
from infra.components.site import Site


class Later(NamedTuple):
    """Its outputs, as `infra/platform/outputs.py` has them."""

    events_topic: Input[str] | None = None
    audit_table: Input[str] | None = None
    exports_point: Input[str] | None = None


def later(site: Site, keys: Keys, network: Network, app_role: Input[str], nodes: Output[str]) -> Later:
    """Make what has a section; the application's role gets the right to use it."""
    platform = site.platform
    return Later(
        events_topic=Events(site, keys, platform.events, app_role).topic if platform.events else None,
        audit_table=Audit(site, keys, app_role).table if platform.audit else None,
        exports_point=Exports(site, keys, network, platform.exports, nodes).point if platform.exports else None,
    )
