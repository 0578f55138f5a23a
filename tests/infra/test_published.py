"""AWS's published schemas: our words for theirs, what they accept of our configuration, and what they refuse."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import get_args

import msgspec
import pulumi_aws  # noqa: F401 - makes its types known
import pytest

from infra.config.base import Region
from infra.config.cache import Cache
from infra.config.database import Database
from infra.plan import sdk
from infra.plan.graph import Graph, Json
from infra.rehearsal import published
from infra.rehearsal.types import TYPES

REGIONS = get_args(Region)
INSTANCE, GROUP = "aws:rds/instance:Instance", "aws:ec2/securityGroup:SecurityGroup"
CACHE = "aws:elasticache/replicationGroup:ReplicationGroup"


def token(kind: str) -> str:
    name = kind.partition("/")[2]
    return f"aws:{kind}:{name[0].upper()}{name[1:]}"


def names(kind: str) -> list[str]:
    """All names of a type's properties, in its structures too."""
    found: list[str] = []

    def walk(kinds: Mapping[str, object], depth: int) -> None:
        for name, each in kinds.items():
            found.append(name)
            inner = sdk.plain(sdk.element(sdk.plain(each)) or each)
            if depth and (fields := sdk.fields(inner)):
                walk(fields, depth - 1)

    walk(sdk.properties(kind), sdk.DEPTH)
    return found


def allowed(section: type, key: str) -> list[str]:
    """What the configuration allows for a key that has a list."""
    found = msgspec.json.schema(section)["$defs"][section.__name__]["properties"][key]["enum"]
    return [str(each) for each in found]


def test_the_names_of_both_sides_exist() -> None:
    """A slip in the table would leave an input unjudged."""
    for kind, known in TYPES.items():
        schema = published.of(token(kind), REGIONS[0])
        assert schema is not None, known.name
        assert not known.inside or known.inside in schema["properties"], known.name
        assert all(f'"{word}"' in json.dumps(schema) for word in known.names.values()), known.name
        assert all(name in json.dumps(names(token(kind))) for name in known.names), kind


def test_nothing_that_a_stack_states_is_refused(stack: Graph) -> None:
    """References aside, which a rehearsal judges once they have values."""
    region = str(stack.of("pulumi:providers")[0].inputs["region"])
    found = [
        (each.name, *words) for each in stack.made for words in published.complaints(each.type, each.inputs, region)
    ]
    assert [] == [words for words in found if "${" not in words[2]]


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("version", allowed(Database, "version"))
def test_every_postgresql_that_the_configuration_allows_is_offered(region: str, version: str) -> None:
    """With the default class, where we have stacks."""
    inputs: dict[str, Json] = {"engine": "postgres", "engineVersion": version, "instanceClass": Database().instance}
    assert [] == list(published.complaints(INSTANCE, inputs, region))


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("version", allowed(Cache, "version"))
def test_every_valkey_that_the_configuration_allows_is_offered(region: str, version: str) -> None:
    """With the default node."""
    inputs: dict[str, Json] = {"engine": "valkey", "engineVersion": version, "nodeType": Cache().node}
    assert [] == list(published.complaints(CACHE, inputs, region))


@pytest.mark.parametrize(
    ("kind", "inputs", "path"),
    [
        (INSTANCE, {"engine": "postgres", "engineVersion": "99"}, "EngineVersion"),
        (INSTANCE, {"engine": "postgres", "engineVersion": "18", "instanceClass": "db.m0.large"}, "DBInstanceClass"),
        (CACHE, {"engine": "valkey", "engineVersion": "8.7"}, "EngineVersion"),
        (CACHE, {"nodeType": "cache.r7g.small"}, "CacheNodeType"),
        (GROUP, {"description": "The database's proxy"}, "GroupDescription"),
        ("aws:cloudwatch/metricAlarm:MetricAlarm", {"comparisonOperator": "Bigger"}, "ComparisonOperator"),
        ("aws:route53/healthCheck:HealthCheck", {"type": "PIGEON"}, "HealthCheckConfig.Type"),
        ("aws:cloudfront/distribution:Distribution", {"httpVersion": "http9"}, "DistributionConfig.HttpVersion"),
        ("aws:eks/addon:Addon", {"resolveConflictsOnCreate": "NEVER"}, "ResolveConflicts"),
        (CACHE, {"logDeliveryConfigurations": [{"destinationType": "pigeon"}]}, "LogDeliveryConfigurations.0."),
    ],
)
def test_what_aws_does_not_offer_is_refused(kind: str, inputs: dict[str, Json], path: str) -> None:
    """By version, class, pattern and list, however deep."""
    found = list(published.complaints(kind, inputs, REGIONS[0]))
    assert found
    assert found[0][0].startswith(path)


@pytest.mark.parametrize(("region", "refused"), [("us-east-1", []), ("eu-west-1", ["DBInstanceClass"])])
def test_a_region_has_its_own_offers(region: str, refused: list[str]) -> None:
    """What is sold in one may be missing in the other."""
    inputs: dict[str, Json] = {"engine": "postgres", "instanceClass": "db.m9g.large"}
    assert refused == sorted({path for path, words in published.complaints(INSTANCE, inputs, region)})


def test_what_is_settled_at_creation_is_known() -> None:
    """Another subnet group makes another cache, another class does not."""
    assert [True, False] == [published.settled(CACHE, key, REGIONS[0]) for key in ("subnetGroupName", "nodeType")]
    assert not published.settled("aws:secretsmanager/secretVersion:SecretVersion", "secretId", REGIONS[0])


def test_what_no_schema_speaks_of_is_said() -> None:
    """Inputs one by one, and whole types."""
    assert ["skipFinalSnapshot"] == published.unjudged(INSTANCE, {"skipFinalSnapshot": True, "tags": {}}, REGIONS[0])
    assert ["secretId"] == published.unjudged("aws:secretsmanager/secretVersion:V", {"secretId": "x"}, REGIONS[0])
