"""The sections `events`, `audit` and `exports`: what the application will use, off until it does."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from infra.config.base import Strict

Reader = Annotated[str, Meta(pattern=r"^[a-z][a-z-]{1,30}$")]


class Events(Strict, frozen=True):
    """A topic that the application speaks on, and a queue for each service that listens."""

    readers: Annotated[
        tuple[Reader, ...], Meta(min_length=1, max_length=10, description="Services that hear every event.")
    ] = ("notifications", "analytics")
    tries: Annotated[int, Meta(ge=1, le=1000, description="Until an event is put aside as unreadable.")] = 5
    seconds: Annotated[int, Meta(ge=1, le=43_200, description="That a reader has for an event.")] = 60

    def __post_init__(self) -> None:
        if twice := [each for each in self.readers if self.readers.count(each) > 1]:
            raise ValueError(f"readers: {twice[0]} is there twice; name each once")


class Audit(Strict, frozen=True):
    """Who did what to which task, in DynamoDB."""

    keep_days: Annotated[int, Meta(ge=1, le=3650, description="Until DynamoDB drops a line by its expires_at.")] = 400


class Exports(Strict, frozen=True):
    """Files that all pods share, on EFS."""

    cold: Annotated[
        Literal["AFTER_7_DAYS", "AFTER_30_DAYS", "AFTER_90_DAYS"],
        Meta(description="Without a read, until a file moves to cheaper storage."),
    ] = "AFTER_30_DAYS"
    path: Annotated[str, Meta(pattern=r"^/[a-z][a-z-]{0,30}$", description="The folder that pods see.")] = "/exports"
    uid: Annotated[int, Meta(ge=1, le=65534, description="Whose files they are: the chart's runAsUser.")] = 10001
