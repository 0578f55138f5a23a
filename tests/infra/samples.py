"""What samples of the rules are made of."""

from __future__ import annotations

import json
from typing import Any

from infra.plan.graph import Graph, Resource
from infra.policy.rules import TAGS

# Rule → what passes, and what fails with the words of the finding.
Samples = dict[str, tuple[list[Graph], list[tuple[Graph, str]]]]


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
