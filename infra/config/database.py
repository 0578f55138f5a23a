"""The section `database`."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta

from infra.config.base import Strict

TIME: Final = r"([01]\d|2[0-3]):[0-5]\d"
DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY: Final = f"({'|'.join(DAYS)})"
DAY_MIN: Final = 24 * 60
LEAST_MIN: Final = 30  # of a window


class Database(Strict, frozen=True):
    """PostgreSQL on RDS."""

    version: Annotated[Literal["17", "18"], Meta(description="Major version; RDS keeps the minor one fresh.")] = "18"
    instance: Annotated[
        str,
        Meta(
            pattern=r"^db\.(t4g|m7g|r7g|m8g|r8g)\.(medium|large|\d{0,2}xlarge)$",
            description="Instance class.",
        ),
    ] = "db.m7g.large"
    multi_az: Annotated[bool, Meta(description="A standby in a second zone that takes over by itself.")] = True
    replicas: Annotated[int, Meta(ge=0, le=5, description="Read replicas in this region; nobody reads them yet.")] = 0
    storage_gb: Annotated[int, Meta(ge=20, le=65536, description="GiB at first; from 400 on, 12,000 IOPS.")] = 400
    data_gb: Annotated[int, Meta(ge=1, le=32768, description="GiB of data that storage may grow to.")] = 1024
    password: Annotated[
        Literal["managed", "written"],
        Meta(description="Who keeps the master password: RDS in Secrets Manager (rotated), or the stack's own secret."),
    ] = "written"  # noqa: S105 - a way, not a password
    password_version: Annotated[int, Meta(ge=1, le=10_000, description="Raise it to write a new password.")] = 1
    app_password_version: Annotated[
        int, Meta(ge=1, le=10_000, description="Raise it to write the application's new password.")
    ] = 1
    proxy: Annotated[bool, Meta(description="RDS Proxy: pools connections, holds them through a failover.")] = True
    backup_days: Annotated[int, Meta(ge=0, le=35, description="How far back a restore to any second may go.")] = 14
    backup_window: Annotated[str, Meta(pattern=rf"^{TIME}-{TIME}$", description="UTC.")] = "03:00-04:00"
    maintenance_window: Annotated[
        str,
        Meta(
            pattern=rf"^{DAY}:{TIME}-{DAY}:{TIME}$",
            description="UTC, 30 minutes or more, not in the other window.",
        ),
    ] = "sun:05:00-sun:06:00"
    deletion_protection: Annotated[bool, Meta(description="RDS refuses to delete it until this is off.")] = True
    insights: Annotated[
        Literal["standard", "advanced"], Meta(description="Database Insights: 7 days, or 15 months with more detail.")
    ] = "standard"
    monitoring_s: Annotated[
        Literal[0, 1, 5, 10, 15, 30, 60],
        Meta(description="Seconds between samples of the system; 0: none."),
    ] = 60
    replica_of: Annotated[
        Annotated[str, Meta(pattern=r"^arn:aws:rds:[a-z]{2}-[a-z]+-\d:\d{12}:db:[a-z][a-z0-9-]{0,62}$")] | None,
        Meta(description="ARN of a primary in another region that this one follows until it is promoted."),
    ] = None

    def __post_init__(self) -> None:
        self._check_windows()
        # https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-secrets-manager.html#rds-secrets-manager-limitations
        if self.password == "managed" and (self.replicas or self.replica_of):  # noqa: S105 - a way, not a password
            raise ValueError("password: RDS makes no replica of a database whose password it manages; take written")
        if self.replicas and not self.backup_days:
            raise ValueError("backup_days: RDS makes replicas only of a database with backups; give 1 or more")
        if self.replica_of and self.replicas:
            raise ValueError("replicas: of a replica are not made here; take 0 until it is promoted")
        if self.replica_of and self.proxy:
            raise ValueError("proxy: reads a secret that a replica does not have; take false until it is promoted")

    def _check_windows(self) -> None:
        """As RDS does: neither is short, and on no day of the week do they meet."""
        for key, found in (("backup_window", self.backup_window), ("maintenance_window", self.maintenance_window)):
            if len(minutes(found)) < LEAST_MIN:
                raise ValueError(f"{key}: {found} is short; give {LEAST_MIN} minutes or more")
        busy = {minute % DAY_MIN for minute in minutes(self.backup_window)}
        if any(minute % DAY_MIN in busy for minute in minutes(self.maintenance_window)):
            raise ValueError(
                f"maintenance_window: {self.maintenance_window} meets backup_window, {self.backup_window}; part them"
            )


def minutes(window: str) -> range:
    """The minutes of a window, from its day's or week's first one on; one that ends before it begins goes round."""
    begin, end = (_minute(each) for each in window.split("-"))
    around = 7 * DAY_MIN if window[0].isalpha() else DAY_MIN
    return range(begin, end if end >= begin else end + around)


def _minute(time: str) -> int:
    *day, hour, minute = time.split(":")
    return sum(DAYS.index(each) * DAY_MIN for each in day) + int(hour) * 60 + int(minute)
