"""The section `archive`."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from infra.config.base import Strict


class Archive(Strict, frozen=True):
    """Tasks that were done long ago, moved from PostgreSQL to S3 each night."""

    after_days: Annotated[int, Meta(ge=30, le=3650, description="Days that a done task stays in PostgreSQL.")] = 365
    batch: Annotated[int, Meta(ge=1, le=10_000, description="Tasks in a file.")] = 1000
    at: Annotated[str, Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$", description="When it runs each day, UTC.")] = "01:30"
    package: Annotated[
        Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")] | None,
        Meta(description="Digest of the package that lies in the bucket, functions/archive-DIGEST.zip; none: no runs."),
    ] = None
    cold_days: Annotated[int, Meta(ge=1, le=365, description="Days until S3 moves a file to Glacier.")] = 30
    keep_years: Annotated[int, Meta(ge=1, le=100, description="Years until a file is deleted.")] = 7

    def __post_init__(self) -> None:
        if self.cold_days >= self.keep_years * 365:
            raise ValueError(f"cold_days: {self.cold_days} is no day before a file is deleted; give fewer")
