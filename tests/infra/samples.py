"""What samples of the rules are made of."""

from __future__ import annotations

import json
from typing import Any

from infra.plan.graph import Graph, Resource
from infra.policy.rule import judge
from infra.policy.rules import RULES, TAGS

# Rule → what passes, and what fails with the words of the finding.
Samples = dict[str, tuple[list[Graph], list[tuple[Graph, str]]]]


def sound(found: Graph) -> None:
    """No rule is broken, and everything that is made is in a component."""
    assert [] == judge(found, RULES)
    components = {each.name for each in found.resources if each.is_component}
    assert [] == [each.name for each in found.made if each.parent not in components]


def provider(**tags: str) -> Resource:
    found = {"defaultTags": json.dumps({"tags": dict.fromkeys(TAGS, "x") | tags})}
    return Resource(name="account", type="pulumi:providers:aws", inputs=found)


def graph(*resources: Resource, environment: str = "prod") -> Graph:
    return Graph("sample", "sample", (provider(environment=environment), *resources), {}, ())


def one(kind: str, inputs: dict[str, Any], **options: Any) -> Resource:
    whole = {"name": "sample", "type": f"aws:{kind}:X", "provider": "account", "inputs": inputs}
    return Resource(**{**whole, **options})


def allows(**statement: Any) -> dict[str, Any]:
    return {"policy": json.dumps({"Statement": [{"Effect": "Allow", **statement}]})}
