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


def later(
    site: Site, keys: Keys, network: Network, app_role: Input[str], nodes: Output[str]
) -> tuple[Later, list[Output[str]]]:
    """Make what has a section; the application's role gets the right to use it.

    Also returns the ARNs of what cannot be made again, for backups. A table's backups go to another region only with
    AWS Backup's advanced features for DynamoDB, a setting of account and region that is on in accounts since 2021-11:
    https://docs.aws.amazon.com/aws-backup/latest/devguide/advanced-ddb-backup.html.
    """
    platform = site.platform
    events = Events(site, keys, platform.events, app_role) if platform.events else None
    audit = Audit(site, keys, app_role) if platform.audit else None
    exports = Exports(site, keys, network, platform.exports, nodes) if platform.exports else None
    said = Later(
        events_topic=events.topic if events else None,
        audit_table=audit.table if audit else None,
        exports_point=exports.point if exports else None,
    )
    return said, [each.arn for each in (audit, exports) if each]
