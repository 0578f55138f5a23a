"""What a picture shows of a graph: parts, where they stand, and who talks to whom."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

from infra.plan.graph import Graph, Resource

Lane = Literal["people", "edge", "region", "public", "private", "isolated", "services", "away"]
Words = Callable[[list[Resource], Graph], tuple[str, ...]]  # at most two short lines


def always(resource: Resource, graph: Graph) -> bool:
    """Every resource of the types."""
    return True


class Kind(NamedTuple):
    """A part that there is where the graph has any resource of its types."""

    key: str
    lane: Lane
    column: int  # of four; for services, the place in the list
    icon: str
    colour: str
    title: str
    types: tuple[str, ...]
    words: Words
    span: int = 1
    where: Callable[[Resource, Graph], bool] = always
    by_program: bool = True  # else the cluster or people make it, and it is drawn dashed


class Part(NamedTuple):
    """A kind as one graph has it."""

    kind: Kind
    words: tuple[str, ...]


class Flow(NamedTuple):
    """Requests or data from one part to another."""

    start: str
    end: str
    says: str = ""
    only_without: str = ""  # a part that takes this way over where it exists


def text(resource: Resource, key: str) -> str:
    """An input as a word; "" if there is none."""
    found = resource.inputs.get(key, "")
    return str(found)


def says(*lines: str) -> Words:
    """The same words whatever there is."""
    return lambda found, graph: lines


def counted(one: str, many: str) -> Words:
    """`1 key`, `2 keys`."""
    return lambda found, graph: (f"{len(found)} {one if len(found) == 1 else many}",)
