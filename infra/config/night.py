"""The section `night`."""

from __future__ import annotations

from functools import cache
from typing import Annotated
from zoneinfo import available_timezones

from msgspec import Meta

from infra.config.base import Strict

Time = Annotated[str, Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
_time_zones = cache(available_timezones)  # it opens hundreds of files


class Night(Strict, frozen=True):
    """What stops at night and over the weekend; never where data is kept."""

    stop: Annotated[Time | None, Meta(description="When it stops, every day; absent: never.")] = None
    start: Annotated[Time, Meta(description="When it starts again, Monday to Friday.")] = "07:00"
    time_zone: Annotated[str, Meta(max_length=40, description="Of both, such as Europe/Berlin.")] = "UTC"

    def __post_init__(self) -> None:
        if self.time_zone not in _time_zones():
            raise ValueError(f"time_zone: there is no {self.time_zone}; write one such as Europe/Berlin")
        if self.stop and self.stop <= self.start:
            raise ValueError(f"stop: {self.stop} is not after start, {self.start}; give a time later in the day")
