"""Our rules as functions that a policy pack calls: the engine's resources become a graph, the rules stay the same."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, Protocol

from infra.plan.graph import Graph, Json, Resource
from infra.policy.rule import Rule, judge
from infra.policy.rules import RULES
from infra.policy.waivers import read_waivers, waive

# They follow a reference to the resource that it names, or ask what is marked as secret; a pack is handed values.
PLAN_ONLY: Final[frozenset[str]] = frozenset(
    {
        "backups-cover",
        "boundaries-bound",
        "buckets-closed",
        "buckets-sealed",
        "buckets-tls",
        "buckets-versioned",
        "cdn-logged",
        "files-by-tls",
        "firewalls",
        "flow-logs",
        "machine-roles",
        "plain-secrets",
        "topics-read",
    }
)
ASKED: Final = tuple(rule for rule in RULES if rule.name not in PLAN_ONLY)
Report = Callable[[str, str | None], object]  # told of words, and of the URN that they are about


class Options(Protocol):
    """Of a resource, as pulumi_policy has them."""

    protect: bool


class Provider(Protocol):
    """Of a resource, as pulumi_policy has it."""

    name: str
    resource_type: str
    props: Mapping[str, Json]


class Found(Protocol):
    """A resource, as pulumi_policy has it; its properties are outputs."""

    name: str
    resource_type: str
    urn: str
    props: Mapping[str, Json]
    opts: Options
    provider: Provider | None
    dependencies: Sequence[Found]


class Arguments(Protocol):
    """What a pack is asked about: all that there will be."""

    resources: Sequence[Found]


def validation(rule: Rule) -> Callable[[Arguments, Report], None]:
    """What reports every finding of a rule that is not waived."""

    def validate(args: Arguments, report: Report) -> None:
        whole = graph(args.resources)
        urns = {each.name: each.urn for each in args.resources}
        judged = waive(judge(whole, (rule,)), read_waivers(), whole.stack, datetime.now(UTC).date())
        for finding in judged.findings:
            report(f"{finding.resource}: {finding.words}", urns.get(finding.resource))

    return validate


def graph(found: Sequence[Found]) -> Graph:
    """The resources of a stack as a graph; what a preview does not know yet is left out."""
    made = {each.name: _resource(each) for each in found}
    providers = {each.provider.name: _provider(each.provider) for each in found if each.provider}
    head, project = (found[0].urn if found else "urn:pulumi:none::none").split("::")[:2]
    return Graph(project, head.rpartition(":")[2], tuple((providers | made).values()), {}, ())


def _resource(found: Found) -> Resource:
    return Resource(
        name=found.name,
        type=found.resource_type,
        provider=found.provider.name if found.provider else "",
        protect=bool(found.opts.protect),
        depends_on=tuple(sorted(each.name for each in found.dependencies)),
        inputs=dict(_known(found.props)),
    )


def _provider(found: Provider) -> Resource:
    inputs = dict(_known(found.props))
    tags = inputs.get("defaultTags")
    return Resource(
        name=found.name,
        type=found.resource_type,
        inputs={**inputs, "defaultTags": tags if isinstance(tags, str) else json.dumps(tags or {})},
    )


def _known(props: Mapping[str, Json]) -> Iterator[tuple[str, Json]]:
    for key in props:
        try:
            yield key, _plain(props[key])
        except Exception as exc:
            if type(exc).__name__ != "UnknownValueError":  # of pulumi_policy, which is not installed here
                raise


def _plain(value: Json) -> Json:
    """A value out of the wrappers in which a pack gets it."""
    if isinstance(value, str | bytes):
        return value
    if isinstance(value, Mapping):
        return {key: _plain(value[key]) for key in value}
    if isinstance(value, Sequence):
        return [_plain(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
