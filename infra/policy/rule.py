"""A rule: what it asks, why, and which public control asks the same."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from infra.plan.graph import Graph, Json, Resource

Check = Callable[[Resource, Graph], Iterator[str]]  # words for each thing that is wrong: the key, what was found
KEPT: Final = ("prod", "dr")  # environments whose data cannot be made again
WIDEST: Final = {4: 8, 6: 16}  # of IP: a shorter prefix is as good as everybody; registries get a /8, and a /12 of 6


class Rule(msgspec.Struct, frozen=True):
    """Asked of every resource of `types`; of every one that will exist where there are none."""

    name: str
    types: tuple[str, ...]
    why: str
    control: str  # "CIS 3.6" of AWS Foundations 3.0, "RDS.3" of AWS Foundational Security Best Practices, "" if ours
    check: Check


class Finding(msgspec.Struct, frozen=True):
    """One thing that is wrong."""

    rule: str
    resource: str
    words: str
    why: str
    control: str


def judge(graph: Graph, rules: tuple[Rule, ...]) -> list[Finding]:
    """All that is wrong with a graph, in the order of the rules."""
    return [
        Finding(rule.name, resource.name, words, rule.why, rule.control)
        for rule in rules
        for resource in (graph.of(*rule.types) if rule.types else graph.made)
        for words in rule.check(resource, graph)
    ]


def environment(graph: Graph) -> str:
    """What the providers' tags say the graph is for; "" where they say nothing."""
    tags = [common_tags(each) for each in graph.of("pulumi:providers")]
    return next((each["environment"] for each in tags if "environment" in each), "")


def common_tags(provider: Resource) -> dict[str, str]:
    """The tags that a provider puts on everything."""
    found: dict[str, dict[str, str]] = json.loads(str(provider.inputs.get("defaultTags", "{}")))
    return found.get("tags", {})


def wants(**expected: Json) -> Check:
    """A check that these inputs have these values."""

    def check(resource: Resource, graph: Graph) -> Iterator[str]:
        for key, value in expected.items():
            if resource.inputs.get(key) != value:
                yield f"{key} is {said(resource.inputs.get(key))}; {said(value)} is expected"

    return check


def has(*keys: str) -> Check:
    """A check that these inputs are given."""

    def check(resource: Resource, graph: Graph) -> Iterator[str]:
        yield from (f"{key} is missing; give one" for key in keys if not resource.inputs.get(key))

    return check


def everybody(block: Json) -> bool:
    """Whether a block of addresses is so wide that anybody could be in it; what is no block yet is not."""
    try:
        found = ipaddress.ip_network(str(block), strict=False)
    except ValueError:
        return False
    return found.prefixlen < WIDEST[found.version]


def where_kept(inner: Check) -> Check:
    """A check for environments whose data cannot be made again."""

    def check(resource: Resource, graph: Graph) -> Iterator[str]:
        if environment(graph) in KEPT:
            yield from inner(resource, graph)

    return check


def said(value: Json) -> str:
    """A value as its file would have it."""
    return "missing" if value is None else msgspec.json.encode(value).decode()


def protected(resource: Resource, graph: Graph) -> Iterator[str]:
    """Pulumi itself refuses to delete it; what follows another resource has nothing of its own."""
    if not resource.protect and not follows(resource, graph):
        yield "is not protected; make it with Component.kept()"


def follows(resource: Resource, graph: Graph) -> bool:
    """Whether it is a replica of an instance of the same program, and so has nothing of its own."""
    source = resource.inputs.get("replicateSourceDb")
    return source is not None and any(each.inputs.get("identifier") == source for each in graph.of("rds/instance"))
