"""The programs in the order of their deployment, each planned on any of its stacks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from infra import stackfile
from infra.addons import config as addons
from infra.addons.read import reference
from infra.bootstrap import config as bootstrap
from infra.plan import run
from infra.plan.graph import Graph, Json
from infra.stackfile import PROJECT, ROOT, STACKS, StackFile, read_file, read_stack


class Program(NamedTuple):
    """Where its stack files are, and what they hold."""

    project: str
    directory: Path
    kind: type[bootstrap.File | StackFile | addons.File]

    @property
    def stacks(self) -> list[str]:
        """The names of its stacks."""
        return stackfile.stacks(self.directory)

    @property
    def schema(self) -> Path:
        """What says to editors which keys they have."""
        return self.directory / "schema.json"


PROGRAMS: Final = {
    "bootstrap": Program(bootstrap.PROJECT, ROOT / "infra" / "bootstrap", bootstrap.File),
    "platform": Program(PROJECT, STACKS, StackFile),
    "addons": Program(addons.PROJECT, ROOT / "infra" / "addons", addons.File),
}


def plan(name: str, stack: str, references: Mapping[str, Mapping[str, Json]] | None = None) -> Graph:
    """The graph of a program on a stack. Raises ConfigError, YamlFileError, ProgramError.

    `references` are the exports of other stacks by their full names; those that are read are planned if none are given.
    """
    program = PROGRAMS[name]
    if program.kind is StackFile:
        return run.plan(stack, read_stack(stack))
    config = msgspec.to_builtins(read_file(stack, program.directory, program.kind).config)
    said = {
        key: msgspec.json.encode(value).decode() for key, value in config.items() if key.startswith(program.project)
    }
    if not references and name == "addons":
        references = {reference(stack): plan("platform", stack).exports}
    return run.record(lambda: run.run_program(program.directory), program.project, stack, said, references=references)


def wanted_secrets(name: str, stack: str) -> tuple[str, ...]:
    """The secrets that `pulumi up` asks of a stack."""
    return read_stack(stack).wanted_secrets if name == "platform" else ()


def every_graph() -> Iterator[Graph]:
    """The graphs of all programs on all their stacks."""
    return (plan(name, stack) for name, program in PROGRAMS.items() for stack in program.stacks)


if __name__ == "__main__":
    for each in PROGRAMS.values():
        each.schema.write_text(stackfile.json_schema(each.kind))
