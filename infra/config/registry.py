"""The section `registry`."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from infra.config.base import Region, Strict


class Registry(Strict, frozen=True):
    """Where images are, on ECR: in the account of production, for all others too."""

    repository: Annotated[
        str, Meta(pattern=r"^[a-z0-9]+([._-][a-z0-9]+)*$", max_length=100, description="Its name behind that of all.")
    ] = "task-api"
    keep: Annotated[int, Meta(ge=10, le=1000, description="Images kept; older ones go: keep all that may run.")] = 200
    copies: Annotated[
        tuple[Region, ...],
        Meta(max_length=3, description="Regions that get each image too; their own stack makes the repository there."),
    ] = ()
    readers: Annotated[
        tuple[Annotated[str, Meta(pattern=r"^\d{12}$")], ...],
        Meta(max_length=10, description="Other accounts whose clusters pull from it."),
    ] = ()
