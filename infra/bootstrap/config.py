"""The configuration of an account: what its first program makes."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from infra.config.base import Name, Region, Strict
from infra.stackfile import Encrypted

PROJECT = "primetrade-bootstrap"
# A role that is no person's own would carry no second factor and could be anybody's.
Person = Annotated[
    str,
    Meta(
        pattern=r"^arn:aws:iam::\d{12}:(user/[\w+=,.@/-]{1,512}|"
        r"role/aws-reserved/sso\.amazonaws\.com/([a-z0-9-]+/)?AWSReservedSSO_[\w+=,.@-]{1,128})$",
        description="A user of IAM, or a role of IAM Identity Center.",
    ),
]


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
        tuple[Person, ...],
        Meta(min_length=1, max_length=10, description="Who may break the glass; users of IAM by MFA."),
    ]
    deployers: Annotated[
        tuple[Person, ...], Meta(max_length=10, description="Who may deploy by hand, as GitHub does; users by MFA.")
    ] = ()
    name: Name = "primetrade"
    state_days: Annotated[int, Meta(ge=30, le=3650, description="How long an old version of the state stays.")] = 365

    @property
    def keeps_data(self) -> bool:
        """Whatever the account is for, its state cannot be made again."""
        return True

    @property
    def data(self) -> bool:
        """Whether an environment of it has data that cannot be made again."""
        return self.profile == "prod"

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
