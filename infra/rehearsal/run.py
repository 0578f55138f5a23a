"""Rehearse a program on a stack: on Pulumi's own engine, with a stand-in where its provider would be."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing

import msgspec

from infra.plan.graph import Graph
from infra.plan.run import STAND_IN
from infra.rehearsal import published
from infra.rehearsal.attached import Attached, Server, objects, refuse_existing
from infra.rehearsal.cluster import Cluster, charts, title
from infra.rehearsal.engine import Heard, opened
from infra.rehearsal.process import Command
from infra.rehearsal.protocol import served
from infra.rehearsal.provider import Aws
from infra.rehearsal.story import Scene, Story
from infra.rehearsal.subject import Subject
from infra.rehearsal.world import Fault, World


class Report(msgspec.Struct, frozen=True):
    """A whole rehearsal."""

    program: str
    stack: str
    engine: str  # its version
    resources: int
    seconds: float
    scenes: tuple[Scene, ...]
    unjudged_types: tuple[str, ...]  # that AWS publishes no schema of, as far as we know
    unjudged_inputs: dict[str, tuple[str, ...]]  # by type, those that its schema does not speak of
    charts: tuple[str, ...]  # not fetched
    server: str  # context and address of the API server that was asked; empty for none
    asked: tuple[str, ...]  # the objects that it made, and deleted again
    unasked: tuple[str, ...]  # those whose kinds it does not have, all without a server

    @property
    def wrong(self) -> bool:
        """Whether a scene went otherwise than expected."""
        return any(scene.wrong for scene in self.scenes)


def rehearse(  # noqa: PLR0913 - each is another party
    subject: Subject,
    command: Command,
    server: Server | None,
    fault: tuple[Fault, int] | None,
    *,
    show: Callable[[Scene], object],
    hear: Heard,
) -> Report:
    """Play all scenes, each shown when it is over; `hear` is told of every step. Raises InfraError."""
    began, graph, world = time.monotonic(), subject.graph, World(*fault or ())
    if server:
        refuse_existing(server, graph)
        world = Attached(server, *fault or ())
    scenes = []
    with (
        closing(world),
        served((Cluster if subject.package == "kubernetes" else Aws)(world)) as port,
        opened(
            command,
            (subject.project, subject.stack),
            program=subject.run,
            setting=subject.setting,
            secrets=dict.fromkeys(subject.secrets, STAND_IN),
            ports={subject.package: port},
            hear=hear,
        ) as engine,
    ):
        for scene in Story(engine, world, graph, subject.change).scenes():
            show(scene)
            scenes.append(scene)
    asked = world.asked if isinstance(world, Attached) else set()
    unasked = {title(each) for each in objects(graph) if not server or not server.knows(each)}
    kinds = sorted({each.type for each in graph.made if each.type.startswith("aws:")})
    return Report(
        program=subject.program,
        stack=subject.stack,
        engine=str(command.version),
        resources=len(graph.resources),
        seconds=round(time.monotonic() - began, 2),
        scenes=tuple(scenes),
        unjudged_types=tuple(kind for kind in kinds if published.of(kind, subject.region) is None),
        unjudged_inputs=dict(_unjudged(graph, kinds, subject.region)),
        charts=tuple(charts(graph)),
        server=server.where if server else "",
        asked=tuple(sorted(asked)),
        unasked=tuple(sorted(unasked)),
    )


def _unjudged(graph: Graph, kinds: list[str], region: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    for kind in kinds:
        if published.of(kind, region) is not None:
            every = [
                key for each in graph.of(kind.split(":")[1]) for key in published.unjudged(kind, each.inputs, region)
            ]
            if every:
                yield kind, tuple(sorted(set(every)))
