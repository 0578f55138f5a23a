"""The stack files of the addons program: all that differs stands in the platform's."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from infra.config.base import Strict
from infra.stackfile import Encrypted

PROJECT: Final = "primetrade-addons"


class Config(Strict, frozen=True):
    """What Pulumi reads."""

    no_default_providers: Annotated[tuple[Literal["*"]], Meta(description="So that everything names its cluster.")] = (
        msgspec.field(name="pulumi:disable-default-providers")
    )


class File(Encrypted, frozen=True):
    """A stack file of the addons program."""

    config: Annotated[Config, Meta(description="What Pulumi reads.")]
