"""The section `watch`."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from infra.config.base import Strict

Address = Annotated[str, Meta(pattern=r"^[\w.+-]{1,64}@[\w.-]{1,189}$")]


class Watch(Strict, frozen=True):
    """Alarms, boards and traces."""

    on_call: Annotated[
        tuple[Address, ...],
        Meta(max_length=10, description="E-mail addresses that hear alarms; each must confirm once."),
    ] = ()
    trace_percent: Annotated[
        int, Meta(ge=0, le=100, description="Requests that X-Ray keeps; 0 until an application sends traces.")
    ] = 0
    anomaly_usd: Annotated[
        int, Meta(ge=0, le=100_000, description="Unusual cost, US dollars, that somebody hears of; 0: none.")
    ] = 50
