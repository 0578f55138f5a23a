"""The section `partners`."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from infra.config.base import Strict


class Partners(Strict, frozen=True):
    """An API of their own before the same load balancer."""

    issuer: Annotated[str, Meta(pattern=r"^https://[\w./-]+$", description="Who gives their tokens, by OpenID.")]
    audience: Annotated[str, Meta(min_length=1, max_length=200, description="For whom the tokens must be.")] = (
        "partners"
    )
    rate: Annotated[int, Meta(ge=1, le=5000, description="Requests per second of all partners.")] = 50
