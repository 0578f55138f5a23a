"""What a meter says, and what it may look at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from infra.config.base import Strict
from infra.cost.usage import Bucket, Log, Usage
from infra.plan.graph import Graph, Resource

Nat = Literal["planned", "regional", "per-zone", "single", "none"]


class Charge(msgspec.Struct, frozen=True):
    """So much of what the price book has under a name."""

    what: str  # in words: "2 nodes cache.m7g.large"
    service: str
    sku: str
    quantity: float  # a month, in the unit of the price
    grows: bool = False  # with the requests; else it is there without any
    region: str = ""  # where it is not in its resource's
    less: str = ""  # a commitment that takes a share off: "Compute Savings Plan 1y no upfront"
    committed: float = 0  # quantity that such a commitment is for, used or not


class Unknown(msgspec.Struct, frozen=True):
    """What costs something, and nobody said how much of it there is."""

    what: str
    why: str


class Terms(Strict, frozen=True, rename="kebab"):
    """How machines are bought and when they run, as far as no resource of the platform says it."""

    spot: Annotated[float, Meta(ge=0, le=1, description="Of Karpenter's nodes, those on spot.")] = 0
    graviton: Annotated[bool, Meta(description="Nodes are arm64 where they may be; else x86.")] = False
    savings_plan: Annotated[
        Literal["none", "1y", "3y"], Meta(description="Compute Savings Plan, no upfront, for nodes not on spot.")
    ] = "none"
    reserved: Annotated[Literal["none", "1y"], Meta(description="Reserved database instances, no upfront.")] = "none"
    elastic: Annotated[bool, Meta(description="Karpenter's nodes follow the traffic; else the peak's run always.")] = (
        False
    )
    nat: Annotated[Nat, Meta(description="As `network.nat`.")] = "planned"
    night: Annotated[bool, Meta(description="Off at night and on weekends; never production.")] = False


class Basis(msgspec.Struct, frozen=True):
    """All that decides a month's costs, but for prices."""

    graph: Graph
    usage: Usage
    logs: tuple[Log, ...]
    buckets: tuple[Bucket, ...]
    terms: Terms
    region: str
    pool_arm: bool = True  # whether the stack file and the release's values let Karpenter's nodes be arm64
    awake: float = 1.0  # of all hours, those in which what the night stops runs

    @property
    def auto(self) -> bool:
        """Whether EKS makes the nodes itself."""
        return any("computeConfig" in each.inputs for each in self.graph.of("eks/cluster"))


Meter = Callable[[Resource, Basis], Iterator[Charge | Unknown]]
