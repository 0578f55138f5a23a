"""When the database and the cache are nearly full, as a table of what CloudWatch is asked.

The thresholds are AWS's own recommendations where it gives one:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Best_Practice_Recommended_Alarms_AWS_Services.html
"""

from __future__ import annotations

from typing import Final

import msgspec

from infra.config.cache import Cache
from infra.config.database import Database

PERIOD_S: Final = 300
GIB: Final = 2**30


class Full(msgspec.Struct, frozen=True):
    """One alarm: the statistic of a metric over `threshold` (under it where `below`) for `periods` of five minutes."""

    metric: str
    words: str
    threshold: float
    stat: str = "Average"
    periods: int = 3
    below: bool = False


def of_database(config: Database) -> tuple[Full, ...]:
    """What is asked of each instance (namespace AWS/RDS; DBLoad comes from Database Insights)."""
    credits_ = Full("CPUCreditBalance", "its CPU credits are nearly spent", 20, "Minimum", below=True)
    return (
        Full("CPUUtilization", "its CPU is busy", 90),
        Full("DBLoadRelativeToNumVCPUs", "more sessions work or wait than it has CPUs", 1),
        Full("FreeStorageSpace", "its storage is nearly full", config.storage_gb * GIB / 10, "Minimum", below=True),
        Full("DiskQueueDepth", "its disk does not keep up", 64),
        Full("MaximumUsedTransactionIDs", "transaction ids run out; vacuum does not keep up", 1e9, "Maximum", 1),
        *((credits_,) if config.instance.startswith("db.t") else ()),
    )


LAG: Final = Full("ReplicaLag", "it lags behind its primary", 30, "Maximum")  # seconds
PROXY: Final = (
    Full("DatabaseConnectionsBorrowLatency", "clients wait for a connection", 100_000),  # microseconds
    Full("ClientConnectionsSetupFailedAuth", "clients cannot log in", 10, "Sum", 1),
)

UNREAD: Final = Full("ApproximateNumberOfMessagesVisible", "its reader could not read an event", 0, "Maximum", 1)


def of_cache(config: Cache) -> tuple[Full, ...]:
    """What is asked of each node, or of serverless (namespace AWS/ElastiCache)."""
    if config.mode == "nodes":
        return (
            Full("EngineCPUUtilization", "its one thread is busy", 80),
            Full("DatabaseMemoryUsagePercentage", "it is nearly full, and will forget", 80),
            Full("ReplicationLag", "a replica lags behind", 5, "Maximum"),  # seconds
        )
    return (
        Full("BytesUsedForCache", "it is nearly full, and will forget", config.max_gb * 1e9 * 0.8, "Maximum"),
        Full("ElastiCacheProcessingUnits", "it nears its limit", config.max_ecpu * PERIOD_S * 0.8, "Sum"),
        Full("ThrottledCmds", "it refuses commands", 0, "Sum", 1),
    )
