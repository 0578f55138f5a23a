"""Pulumi, as far as operations need it: a small protocol, and how to read what its command line says."""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple, Protocol, TypeVar

import msgspec

from infra.errors import OpsError
from infra.ops.patience import Tell
from infra.stackfile import ROOT

T = TypeVar("T")


class Program(msgspec.Struct, frozen=True):
    """One of our programs, by the directory of its Pulumi.yaml."""

    name: str
    directory: Path
    stacks: Path  # where its stack files are

    def has(self, stack: str) -> bool:
        """Whether there is a file of that stack."""
        return (self.stacks / f"Pulumi.{stack}.yaml").exists()


PLATFORM: Final = Program("platform", ROOT, ROOT / "infra" / "platform")
# In the order in which they are deployed; each reads what those before it export.
PROGRAMS: Final = (
    Program("bootstrap", ROOT / "infra" / "bootstrap", ROOT / "infra" / "bootstrap"),
    PLATFORM,
    Program("addons", ROOT / "infra" / "addons", ROOT / "infra" / "addons"),
)


class Step(msgspec.Struct, frozen=True):
    """What would be done to one resource."""

    op: str  # "same", "create", "update", "delete", "replace", "create-replacement", "delete-replaced", "read"
    name: str
    type: str
    keys: tuple[str, ...] = ()  # the inputs that differ


class Owned(msgspec.Struct, frozen=True):
    """One resource of a stack's state."""

    name: str
    type: str
    id: str = ""
    arn: str = ""
    protect: bool = False


class Engine(Protocol):
    """The real one is `infra.ops.pulumi_cli.PulumiCli`; tests have a fake."""

    def preview(self, program: Program, stack: str, *, refresh: bool = False) -> tuple[Step, ...]:
        """What `up` would do; with `refresh`, against what there really is."""

    def owned(self, program: Program, stack: str) -> tuple[Owned, ...]:
        """What is in the stack's state; nothing where it was never deployed."""

    def up(self, program: Program, stack: str, tell: Tell) -> None:
        """Make it so."""

    def unprotect(self, program: Program, stack: str) -> None:
        """Lift the protection of everything in the stack."""

    def destroy(self, program: Program, stack: str, tell: Tell) -> None:
        """Delete everything in the stack."""


class Stack(NamedTuple):
    """What an operation works on, and where it tells what it does."""

    name: str
    engine: Engine
    programs: tuple[Program, ...]
    tell: Tell


class _State(msgspec.Struct):
    type: str = ""
    id: str = ""
    protect: bool = False
    custom: bool = False
    urn: str = ""
    outputs: dict[str, object] = {}


class _Step(msgspec.Struct, rename="camel"):
    op: str
    urn: str
    diff_reasons: tuple[str, ...] | None = None
    replace_reasons: tuple[str, ...] | None = None


class _Preview(msgspec.Struct):
    steps: tuple[_Step, ...] = ()


class _Deployment(msgspec.Struct):
    resources: tuple[_State, ...] | None = None


class _Export(msgspec.Struct):
    deployment: _Deployment


def steps(digest: bytes | str) -> tuple[Step, ...]:
    """What `pulumi preview --json` prints, without what stays the same. Raises OpsError."""
    found = _read(digest, _Preview)
    return tuple(
        Step(each.op, *_named(each.urn), tuple(sorted({*(each.diff_reasons or ()), *(each.replace_reasons or ())})))
        for each in found.steps
        if each.op != "same"
    )


def owned(export: bytes | str) -> tuple[Owned, ...]:
    """What `pulumi stack export` prints, components left out. Raises OpsError."""
    return tuple(
        Owned(*_named(each.urn), each.id, str(each.outputs.get("arn", "")), each.protect)
        for each in _read(export, _Export).deployment.resources or ()
        if each.custom and not each.type.startswith("pulumi:")
    )


def _named(urn: str) -> tuple[str, str]:
    return urn.rpartition("::")[2], urn.split("::")[2].rpartition("$")[2]


def _read(text: bytes | str, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.DecodeError as exc:
        raise OpsError(f"pulumi said something else than was expected: {exc}") from exc
