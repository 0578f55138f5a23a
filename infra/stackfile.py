"""Stack files as Pulumi reads and writes them: `Pulumi.STACK.yaml`, with our configuration under one typed key."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Final, TypeVar

import msgspec
from msgspec import Meta

from infra.config.base import Strict
from infra.config.platform import Platform, Profile
from infra.errors import ConfigError
from slo import yamlfile

T = TypeVar("T")
ROOT: Final = Path(__file__).parent.parent
STACKS: Final = ROOT / "infra" / "platform"
PROJECT: Final = "primetrade"  # of the root Pulumi.yaml
KEY: Final = f"{PROJECT}:platform"


class Secure(Strict, frozen=True):
    """A secret that `pulumi config set --secret` wrote; only the stack's key opens it."""

    secure: Annotated[str, Meta(min_length=1, max_length=8192, description="What Pulumi made of it.")]


class Config(Strict, frozen=True):
    """The configuration of the platform program."""

    platform: Annotated[Platform, Meta(description="The environment.")] = msgspec.field(name=KEY)
    no_default_providers: Annotated[
        tuple[Annotated[str, Meta(max_length=64)], ...],
        Meta(max_length=10, description="So that everything names account and region."),
    ] = msgspec.field(name="pulumi:disable-default-providers")
    database_password: Annotated[
        Secure | None, Meta(description="PostgreSQL's master password, where `database.password` is written.")
    ] = msgspec.field(name=f"{PROJECT}:databasePassword", default=None)
    database_app_password: Annotated[
        Secure | None, Meta(description="The application's own, for PostgreSQL; letters and digits.")
    ] = msgspec.field(name=f"{PROJECT}:databaseAppPassword", default=None)
    app_secret: Annotated[
        Secure | None, Meta(description="JSON of JWT_KEYS, CURSOR_KEY and ADMIN_TOKEN for the application.")
    ] = msgspec.field(name=f"{PROJECT}:appSecret", default=None)
    cache_password: Annotated[Secure | None, Meta(description="The application's, for Valkey.")] = msgspec.field(
        name=f"{PROJECT}:cachePassword", default=None
    )
    origin_key: Annotated[
        Secure | None, Meta(description="What CloudFront tells the load balancer; 32 to 128 letters, digits, - and _.")
    ] = msgspec.field(name=f"{PROJECT}:originKey", default=None)

    def __post_init__(self) -> None:
        if self.no_default_providers != ("*",):
            raise ValueError('pulumi: pulumi:disable-default-providers is not ["*"]; write it so')


class Encrypted(Strict, frozen=True, kw_only=True):
    """What Pulumi itself writes into every stack file."""

    secretsprovider: Annotated[str, Meta(pattern="^(awskms://.+)?$", description="What opens its secrets.")] = ""
    encryptedkey: Annotated[str, Meta(max_length=4096, description="Written by Pulumi.")] = ""
    encryptionsalt: Annotated[str, Meta(max_length=4096, description="Written by Pulumi.")] = ""


class StackFile(Encrypted, frozen=True):
    """The whole file of the platform program."""

    config: Annotated[Config, Meta(description="What the program reads.")]

    @property
    def platform(self) -> Platform:
        """The environment."""
        return self.config.platform

    @property
    def wanted_secrets(self) -> tuple[str, ...]:
        """The secrets that the program asks for; a plan needs none of them, `pulumi up` each."""
        # A replica has its primary's; once it is promoted its own is written, and nobody looks for a secret that night.
        written = self.platform.database.password == "written"  # noqa: S105 - a way, not a password
        owner = ("databasePassword",) if written else ()
        edge = ("originKey",) if self.platform.edge and self.platform.profile is not Profile.DR else ()
        always = ("databaseAppPassword", "cachePassword", "appSecret")
        return tuple(f"{PROJECT}:{each}" for each in (*owner, *always, *edge))


def stacks(directory: Path = STACKS) -> list[str]:
    """The names of the stacks that have a file."""
    return sorted(path.name.split(".")[1] for path in directory.glob("Pulumi.*.yaml"))


def read_stack(name: str, directory: Path = STACKS) -> StackFile:
    """Read the file of a stack of the platform program, as `read_file`."""
    return read_file(name, directory, StackFile)


def read_file(name: str, directory: Path, kind: type[T]) -> T:
    """Read the file of a stack. Raises ConfigError for no such stack, YamlFileError with file, line and key."""
    if not re.fullmatch(r"[a-z][a-z0-9-]*", name) or name not in stacks(directory):
        raise ConfigError(f"no stack {name} in {directory}; there are {', '.join(stacks(directory)) or 'none'}")
    return yamlfile.load(directory / f"Pulumi.{name}.yaml", kind)


def platform_of(found: object) -> Platform:
    """The environment of what Pulumi hands a program under KEY. Raises ConfigError."""
    return section(found, KEY, Platform)


def section(found: object, key: str, kind: type[T]) -> T:
    """What Pulumi hands a program under a key. Raises ConfigError."""
    try:
        return msgspec.convert(found, kind)
    except msgspec.ValidationError as exc:
        raise ConfigError(f"config {key}: {exc}; `primetrade infra plan STACK` names the line") from exc


def json_schema(kind: type = StackFile) -> str:
    """The JSON Schema of a kind of stack file, as it is committed."""
    head = {"$comment": "Generated by `python -m infra.plan.programs`; do not edit."}
    schema = {**head, **msgspec.json.schema(kind)}
    return msgspec.json.format(msgspec.json.encode(schema, order="sorted"), indent=2).decode() + "\n"
