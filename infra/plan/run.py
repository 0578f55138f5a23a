"""Runs a Pulumi program in this process against an engine that records, and gives its graph."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import runpy
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec
from pulumi.runtime import run_in_stack
from pulumi.runtime.config import set_all_config
from pulumi.runtime.settings import Settings, configure

from infra.config.platform import Platform
from infra.errors import InfraError, ProgramError
from infra.plan.graph import Graph, Json
from infra.plan.monitor import Engine, Monitor
from infra.stackfile import KEY, PROJECT, STACKS, StackFile

STAND_IN: Final = "a-secret-that-nobody-knows-for-a-plan-opens-none"


def plan(stack: str, file: StackFile) -> Graph:
    """The graph of the platform program on a stack. Raises ProgramError."""
    return plan_platform(file.platform, stack, secrets=file.wanted_secrets)


def plan_platform(platform: Platform, stack: str, *, secrets: tuple[str, ...]) -> Graph:
    """As `plan`, for a configuration that stands in no file."""
    config = {KEY: msgspec.json.encode(platform).decode(), **dict.fromkeys(secrets, STAND_IN)}
    return record(lambda: run_program(STACKS), PROJECT, stack, config, secrets)


def run_program(directory: Path) -> None:
    """As Pulumi's own host does it."""
    runpy.run_path(str(directory), run_name="__main__")


def record(  # noqa: PLR0913 - what Pulumi itself is told
    program: Callable[[], None],
    project: str,
    stack: str,
    config: Mapping[str, str],
    secrets: tuple[str, ...] = (),
    *,
    references: Mapping[str, Mapping[str, Json]] | None = None,
) -> Graph:
    """The graph of any program. Raises ProgramError for whatever the program raises, our own errors as they are.

    Each call has a context and an event loop of its own, so that nothing of one program is left to the next.
    """
    monitor, engine = Monitor(project, stack, references), Engine()

    def run() -> None:
        configure(Settings(project, stack, monitor=monitor, engine=engine, dry_run=False))
        set_all_config(dict(config), list(secrets))
        asyncio.run(_in_stack(program))

    try:
        with _nothing_collected():
            contextvars.Context().run(run)
    except InfraError:
        raise
    except Exception as exc:
        raise ProgramError(f"{project} on {stack} ended with {type(exc).__name__}: {exc}") from exc
    if engine.warnings:
        raise ProgramError(f"{project} on {stack}: {engine.warnings[0]}; a plan allows no warnings")
    return monitor.graph


@contextmanager
def _nothing_collected() -> Iterator[None]:
    """Nearly all that a program makes lives until its end: to look for garbage meanwhile takes longer than the rest."""
    collected = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collected:
            gc.enable()


async def _in_stack(program: Callable[[], None]) -> None:
    # The first error ends the program and is raised; asyncio would print the others, which follow from it.
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
    await run_in_stack(program)
