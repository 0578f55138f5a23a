"""A month of a plan: every resource priced, free with a reason, or listed as not priced."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from infra.cost.book import Book, Confidence, Price
from infra.cost.charge import Basis, Charge, Unknown
from infra.cost.free import NOT_PRICED, is_free
from infra.cost.meters import compute, data, edge, events, network, recovery, watch
from infra.plan.graph import STACK_TYPE, Graph, Resource

SCHEMA: Final = "primetrade.infra-cost/1"
METERS: Final = {
    kind: meter
    for each in (network, data, compute, edge, events, watch, recovery)
    for kind, meter in each.METERS.items()
}


class Line(msgspec.Struct, frozen=True):
    """One charge with its price."""

    component: str
    resource: str  # its name in the graph; "" of what only a model has
    what: str
    sku: str
    region: str
    quantity: float
    unit: str
    usd_each: float
    usd: float
    grows: bool  # with the requests
    confidence: Confidence


class Unpriced(msgspec.Struct, frozen=True):
    """What is in no total, and why."""

    component: str
    resource: str
    what: str
    why: str


class Estimate(msgspec.Struct, frozen=True):
    """A month of a stack in US dollars."""

    schema: str
    stack: str
    lines: tuple[Line, ...]
    not_priced: tuple[Unpriced, ...]
    free: dict[str, int]  # type → how many resources of it

    @property
    def usd(self) -> float:
        """The whole month."""
        return total(self.lines)

    @property
    def components(self) -> list[str]:
        """Components that cost something, dearest first."""
        names = {each.component for each in self.lines}
        return sorted(names, key=lambda name: (-total(self.of(name)), name))

    def of(self, component: str) -> list[Line]:
        """The lines of a component."""
        return [each for each in self.lines if each.component == component]


def total(lines: Iterable[Line]) -> float:
    """US dollars of these lines."""
    return sum(each.usd for each in lines)


def shares(lines: Iterable[Line]) -> dict[Confidence, float]:
    """How much of these lines' sum stands on prices of each confidence, best first; they add up to 1."""
    lines = list(lines)
    whole = total(lines) or 1.0
    return {each: total(line for line in lines if line.confidence is each) / whole for each in Confidence}


def estimate(basis: Basis, book: Book) -> Estimate:
    """The cost of a month."""
    lines: list[Line] = []
    missing: list[Unpriced] = []
    for component, name, home, charge in charges(basis):
        if isinstance(charge, Unknown):
            missing.append(Unpriced(component, name, charge.what, charge.why))
            continue
        region = charge.region or home
        price = book.find(charge.service, charge.sku, region)
        if price is None:
            missing.append(Unpriced(component, name, charge.what, f"no price of {charge.sku} in {region}"))
        elif charge.quantity:
            lines.append(_line(component, name, charge, *bought(charge, price, book)))
    homes = components_of(basis.graph)
    missing += [
        Unpriced(homes[each.name], each.name, kind, NOT_PRICED.get(kind, "has no meter"))
        for each in basis.graph.made
        if (kind := kind_of(each)) not in METERS and not is_free(kind)
    ]
    kinds = [kind_of(each) for each in basis.graph.made]
    free = {kind: kinds.count(kind) for kind in sorted(set(kinds)) if is_free(kind)}
    return Estimate(SCHEMA, basis.graph.stack, tuple(lines), tuple(missing), free)


def charges(basis: Basis) -> Iterator[tuple[str, str, str, Charge | Unknown]]:
    """Component, resource, region and charge of all that is metered or modelled."""
    homes = components_of(basis.graph)
    for each in basis.graph.made:
        meter = METERS.get(kind_of(each))
        for charge in meter(each, basis) if meter else ():
            yield homes[each.name], each.name, str(each.inputs.get("region", basis.region)), charge
    if basis.graph.of("eks/cluster"):
        for component, model in compute.MODELS.items():
            yield from ((component, "", basis.region, charge) for charge in model(basis))


def bought(charge: Charge, price: Price, book: Book) -> tuple[Price, float]:
    """The cheaper of what is used on demand and the whole commitment, which is due in every hour of the month."""
    if not charge.less:
        return price, charge.quantity
    committed = price.less(book.discount(charge.less))
    ways = (price, charge.quantity), (committed, charge.committed)
    return min(ways, key=lambda way: way[0].usd * way[1])


def _line(component: str, resource: str, charge: Charge, price: Price, quantity: float) -> Line:
    return Line(
        component=component,
        resource=resource,
        what=charge.what,
        sku=f"{price.service}: {price.sku}",
        region=price.region,
        quantity=quantity,
        unit=price.unit,
        usd_each=price.usd,
        usd=quantity * price.usd,
        grows=charge.grows,
        confidence=price.confidence,
    )


def kind_of(resource: Resource) -> str:
    """The middle of its type: `rds/instance` of `aws:rds/instance:Instance`."""
    package, _, rest = resource.type.partition(":")
    return rest.partition(":")[0] if package == "aws" else resource.type


def components_of(graph: Graph) -> dict[str, str]:
    """The outermost component that each resource is in, by name."""
    parents = {each.name: each.parent for each in graph.resources}
    stack = {"", *(each.name for each in graph.of(STACK_TYPE))}

    def outermost(name: str) -> str:
        parent = parents.get(name, "")
        return name if parent in stack else outermost(parent)

    return {name: outermost(name) for name in parents}
