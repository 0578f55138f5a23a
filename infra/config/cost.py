"""The section `cost`."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from infra.config.base import Strict


class Cost(Strict, frozen=True):
    """What it may cost."""

    budget: Annotated[
        int,
        Meta(ge=1, le=1_000_000, description="US dollars a month; `infra cost` fails over it, AWS warns before it."),
    ] = 4000
