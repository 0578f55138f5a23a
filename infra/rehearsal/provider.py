"""The stand-in for AWS's provider."""

from __future__ import annotations

import json
from collections.abc import Iterable

from infra.plan import sdk
from infra.plan.graph import Json
from infra.rehearsal import answers, published
from infra.rehearsal.answers import Place
from infra.rehearsal.judge import faults
from infra.rehearsal.protocol import Properties, StandIn
from infra.rehearsal.world import Thing


class Aws(StandIn):
    """Judges by AWS's published schemas and makes likely ids, ARNs and addresses."""

    anchors = ("region", "allowedAccountIds")

    def named(self, token: str, name: str, inputs: Properties, before: Properties, seed: str) -> Properties:
        """A name where the type has one and nobody gave it."""
        if "name" in sdk.properties(token) and not inputs.keys() & {"name", "namePrefix"}:
            return {**inputs, "name": before.get("name") or f"{name}-{seed}"}
        return inputs

    def faults(self, token: str, inputs: Properties, config: Properties) -> Iterable[tuple[str, str]]:
        """By the SDK's types and AWS's schemas of the region."""
        return faults(token, inputs, _place(config, inputs).region)

    def settled(self, token: str, key: str, changed: tuple[Json, Json], inputs: Properties, config: Properties) -> bool:
        """Where AWS's schemas say so."""
        return published.settled(token, key, _place(config, inputs).region)

    def thing(self, token: str, name: str, inputs: Properties, config: Properties, made: str = "") -> Thing:
        """As `answers` has it."""
        place = _place(config, inputs)
        made = made or answers.identity(token, name, inputs, place, self._world.generation(name))
        return Thing(made, token, name, inputs, answers.outputs(token, made, inputs, place))


def _place(config: Properties, inputs: Properties) -> Place:
    """Where a thing of these inputs is made: a resource may name a region of its own."""
    accounts = json.loads(str(config.get("allowedAccountIds", '["000000000000"]')))
    tags = json.loads(str(config.get("defaultTags", "{}"))).get("tags", {})
    region = inputs.get("region")
    return Place(region if isinstance(region, str) else str(config["region"]), accounts[0], tags)
