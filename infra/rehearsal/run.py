"""Rehearse a stack: its own program on Pulumi's own engine, with a stand-in where AWS would be."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from infra.plan.graph import Graph
from infra.plan.run import STAND_IN, plan, run_program
from infra.rehearsal import published
from infra.rehearsal.change import Change
from infra.rehearsal.engine import Heard, opened
from infra.rehearsal.process import Command
from infra.rehearsal.provider import served
from infra.rehearsal.story import Scene, Story
from infra.rehearsal.world import World
from infra.stackfile import PROJECT, STACKS, StackFile

PACKAGES: Final = ("aws",)  # whose provider the stand-in is


class Report(msgspec.Struct, frozen=True):
    """A whole rehearsal."""

    stack: str
    engine: str  # its version
    resources: int
    seconds: float
    scenes: tuple[Scene, ...]
    unjudged_types: tuple[str, ...]  # that AWS publishes no schema of, as far as we know
    unjudged_inputs: dict[str, tuple[str, ...]]  # by type, those that its schema does not speak of

    @property
    def wrong(self) -> bool:
        """Whether a scene went otherwise than expected."""
        return any(scene.wrong for scene in self.scenes)


def rehearse(  # noqa: PLR0913 - each is another party
    stack: str,
    file: StackFile,
    command: Command,
    world: World,
    change: Change,
    *,
    show: Callable[[Scene], object],
    hear: Heard,
) -> Report:
    """Play all scenes, each shown when it is over; `hear` is told of every step. Raises InfraError."""
    began = time.monotonic()
    graph = plan(stack, file)
    with (
        served(world) as port,
        opened(
            command,
            (PROJECT, stack),
            program=lambda: run_program(STACKS),
            platform=file.platform,
            secrets=dict.fromkeys(file.wanted_secrets, STAND_IN),
            ports=dict.fromkeys(PACKAGES, port),
            hear=hear,
        ) as engine,
    ):
        scenes = []
        for scene in Story(engine, world, graph, change).scenes():
            show(scene)
            scenes.append(scene)
    region = file.platform.region
    return Report(
        stack=stack,
        engine=str(command.version),
        resources=len(graph.resources),
        seconds=round(time.monotonic() - began, 2),
        scenes=tuple(scenes),
        unjudged_types=tuple(sorted({each.type for each in graph.made if published.of(each.type, region) is None})),
        unjudged_inputs=dict(_unjudged(graph, region)),
    )


def _unjudged(graph: Graph, region: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    for kind in sorted({each.type for each in graph.made}):
        if published.of(kind, region) is not None:
            every = [
                key for each in graph.of(kind.split(":")[1]) for key in published.unjudged(kind, each.inputs, region)
            ]
            if every:
                yield kind, tuple(sorted(set(every)))
