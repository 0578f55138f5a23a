"""Pulumi's own engine on a file backend in a folder that is thrown away, with no network and nobody's credentials."""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec
import pulumi
import yaml
from pulumi.automation import (
    ConfigValue,
    EngineEvent,
    LocalWorkspaceOptions,
    ProjectSettings,
    Stack,
    create_or_select_stack,
)
from pulumi.automation.errors import CommandError

from infra.plan.graph import Json
from infra.rehearsal.change import Setting
from infra.rehearsal.process import Command

OWN: Final = "pulumi:providers:pulumi"  # the engine's, which reads other stacks
Heard = Callable[[str], object]
Publish = Callable[[str, Mapping[str, Json]], object]  # what a stack of that full name exports


class Step(msgspec.Struct, frozen=True):
    """One thing that the engine did, or would do."""

    op: str  # create, read, same, update, replace, create-replacement, delete-replaced, delete
    type: str
    name: str


class Outcome(msgspec.Struct, frozen=True):
    """A whole operation."""

    steps: tuple[Step, ...]  # in the order in which the engine began them
    errors: tuple[str, ...]  # none if it went through
    seconds: float

    def of(self, *ops: str) -> list[Step]:
        """The steps of these kinds."""
        return [step for step in self.steps if step.op in ops]


class Engine:
    """One stack."""

    def __init__(self, stack: Stack, heard: Heard, publish: Publish) -> None:
        self._stack, self._heard, self._publish = stack, heard, publish

    def preview(self) -> Outcome:
        """What would be done; nothing is."""
        return self._follow(self._stack.preview)

    def up(self) -> Outcome:
        """Make the stack as the program wants it."""
        return self._follow(self._stack.up)

    def preview_destroy(self) -> Outcome:
        """What would be deleted, by the state alone as without a program; nothing is."""
        return self._follow(self._stack.preview_destroy)

    def destroy(self) -> Outcome:
        """Delete all of it."""
        return self._follow(self._stack.destroy)

    def unprotect(self) -> None:
        """Let everything be deleted."""
        self._stack.workspace.pulumi_command.run(
            ["state", "unprotect", "--all", "--yes", "--stack", self._stack.name],
            self._stack.workspace.work_dir,
            self._stack.workspace.env_vars,
        )

    def configure(self, setting: Setting) -> None:
        """Give the program something else to read; secrets stay."""
        path = Path(self._stack.workspace.work_dir) / f"Pulumi.{self._stack.name}.yaml"
        whole = yaml.safe_load(path.read_text())
        path.write_text(yaml.safe_dump({**whole, "config": whole["config"] | _config(setting)}))
        for name, exports in setting.references.items():
            self._publish(name, exports)

    def _follow(self, operation: Callable[..., Any]) -> Outcome:
        steps: list[Step] = []
        errors: list[str] = []

        def hear(event: EngineEvent) -> None:
            found = event.resource_pre_event and event.resource_pre_event.metadata
            if found and found.type != OWN:
                steps.append(Step(found.op.value, found.type, found.urn.rpartition("::")[2]))
                self._heard(f"{found.op.value} {steps[-1].name}")
            if event.diagnostic_event and event.diagnostic_event.severity == "error":
                errors.append(event.diagnostic_event.message.strip())

        began = time.monotonic()
        try:
            operation(on_event=hear, color="never", suppress_progress=True)
        except CommandError as exc:
            errors = errors or [str(exc)]
        return Outcome(tuple(steps), tuple(errors), time.monotonic() - began)


@contextmanager
def opened(  # noqa: PLR0913 - all that an engine has to be told
    command: Command,
    name: tuple[str, str],  # of project and stack
    *,
    program: Callable[[], None],
    setting: Setting,
    secrets: Mapping[str, str],
    ports: Mapping[str, int],
    hear: Heard,
) -> Iterator[Engine]:
    """An engine over a new, empty stack; its state goes with the block."""
    # When an engine ends early the SDK's side of the program says so with a page of stack; the engine says it better.
    logging.getLogger("grpc._server").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory(prefix="primetrade-rehearsal-") as folder:
        home = Path(folder)
        (home / "state").mkdir()
        made = _stack(home, command, name, program, ports)
        made.set_all_config({key: ConfigValue(value, secret=True) for key, value in secrets.items()})

        def publish(full: str, exports: Mapping[str, Json]) -> None:
            _, project, stack = full.split("/")
            _stack(home, command, (project, stack), partial(_export, exports), {}).up()

        engine = Engine(made, hear, publish)
        engine.configure(setting)
        yield engine


def _stack(
    home: Path, command: Command, name: tuple[str, str], program: Callable[[], None], ports: Mapping[str, int]
) -> Stack:
    """A stack, new or there already, in the state that all stacks of this home share."""
    project, stack = name
    folder = home / project
    if not folder.exists():
        folder.mkdir()
        (folder / f"Pulumi.{stack}.yaml").write_text(yaml.safe_dump({"config": _config(Setting({}))}))
    options = LocalWorkspaceOptions(
        work_dir=str(folder),
        pulumi_home=str(home / "home"),
        pulumi_command=command,
        project_settings=ProjectSettings(name=project, runtime="python"),
        secrets_provider="passphrase",
        env_vars={
            "PULUMI_BACKEND_URL": f"file://{home / 'state'}",
            "PULUMI_CONFIG_PASSPHRASE": "a rehearsal keeps no secrets",
            "PULUMI_DEBUG_PROVIDERS": ",".join(f"{name}:{port}" for name, port in ports.items()),
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
        },
    )
    return create_or_select_stack(stack, project, program=program, opts=options)


def _export(exports: Mapping[str, Json]) -> None:
    for name, value in exports.items():
        pulumi.export(name, value)


def _config(setting: Setting) -> dict[str, Json]:
    return {**setting.config, "pulumi:disable-default-providers": ["*"]}
