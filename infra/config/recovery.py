"""The section `recovery`."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from infra.config.base import Region, Strict


class Recovery(Strict, frozen=True):
    """Backups apart from what they are of, and what a disaster may cost."""

    keep_days: Annotated[
        int, Meta(ge=0, le=365, description="How long the vault keeps each day's backup; 0: there is no vault.")
    ] = 35
    keep_months: Annotated[
        int, Meta(ge=0, le=84, description="How long it keeps the first backup of each month, months; 0: none.")
    ] = 3
    copy_to: Annotated[
        Region | None, Meta(description="Region that gets copies of backups, and of the key that seals them.")
    ] = None
    rpo_minutes: Annotated[int, Meta(ge=1, le=1440, description="Data that a disaster may cost; drills judge it.")] = 15
    rto_minutes: Annotated[int, Meta(ge=5, le=1440, description="Time until data is back; drills judge it.")] = 60

    def __post_init__(self) -> None:
        if self.copy_to and not self.keep_days:
            raise ValueError("copy_to: there is no vault to copy from; give keep_days 1 or more")
