"""The configuration of an account: what its first program makes."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from infra.config.base import Region, Strict
from infra.config.cluster import RoleArn
from infra.stackfile import Encrypted

PROJECT = "primetrade-bootstrap"


class Account(Strict, frozen=True):
    """One AWS account."""

    account: Annotated[str, Meta(pattern=r"^\d{12}$", description="Its number.")]
    profile: Annotated[Literal["prod", "dev"], Meta(description="The dearest of its environments; a tag.")]
    region: Annotated[Region, Meta(description="Where the state is.")]
    regions: Annotated[tuple[Region, ...], Meta(min_length=1, max_length=2, description="Where may be deployed.")]
    owner: Annotated[str, Meta(pattern=r"^[\w.@-]{1,64}$", description="Who answers for it.")]
    github: Annotated[
        str, Meta(pattern=r"^[\w.-]{1,39}/[\w.-]{1,100}$", description="OWNER/REPOSITORY that plans and deploys.")
    ]
    people: Annotated[
        tuple[RoleArn, ...], Meta(min_length=1, max_length=10, description="Roles that may break the glass, by MFA.")
    ]
    name: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{1,15}$", description="Begins every name.")] = "primetrade"
    state_days: Annotated[int, Meta(ge=30, le=3650, description="How long an old version of the state stays.")] = 365

    @property
    def keeps_data(self) -> bool:
        """Whatever the account is for, its state cannot be made again."""
        return True

    def __post_init__(self) -> None:
        if self.region not in self.regions:
            raise ValueError(f"regions: has no {self.region}, where the state is; add it")


class Config(Strict, frozen=True):
    """What the program reads."""

    account: Annotated[Account, Meta(description="The account.")] = msgspec.field(name=f"{PROJECT}:account")
    no_default_providers: Annotated[
        tuple[Literal["*"]], Meta(description="So that everything names account and region.")
    ] = msgspec.field(name="pulumi:disable-default-providers")


class File(Encrypted, frozen=True):
    """A stack file of the bootstrap program."""

    config: Annotated[Config, Meta(description="What the program reads.")]
