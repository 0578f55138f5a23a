"""The database: storage as arithmetic, and what a plan makes of each choice."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.components.proxy import may_read
from infra.components.secret import login_of
from infra.components.storage import MOST_GB, limit_gb
from infra.config.database import Database
from infra.config.platform import Platform
from infra.plan.graph import HIDDEN, Graph
from infra.plan.run import plan_platform
from infra.stackfile import read_stack

GB = st.integers(20, 40_000)


@given(GB, st.integers(1, 32_768))
def test_storage_grows_until_the_data_is_in_with_a_tenth_free(storage: int, data: int) -> None:
    """RDS takes no step that would pass the limit: every one up to there must be possible."""
    limit = limit_gb(storage, data)
    size = storage
    while size * 9 < data * 10 and (step := max(10, -(-size // 10))) + size <= limit:
        size += step
    assert size * 9 >= data * 10 or limit == MOST_GB


@given(GB, st.integers(1, 32_768))
def test_the_limit_is_one_that_rds_takes(storage: int, data: int) -> None:
    """26 % or more above the start, and no more than there is."""
    limit = limit_gb(storage, data)
    assert storage < limit <= MOST_GB
    assert limit >= storage * 1.26 or limit == MOST_GB


@given(GB, st.integers(1, 32_000), st.integers(1, 700))
def test_more_data_never_means_less_storage(storage: int, data: int, more: int) -> None:
    """The limit only rises."""
    assert limit_gb(storage, data) <= limit_gb(storage, data + more)


def test_production_is_ready_for_a_terabyte() -> None:
    """The strategy's 1 TB of data."""
    defaults = Database()
    assert defaults.data_gb >= 1000
    assert limit_gb(defaults.storage_gb, defaults.data_gb) * 0.9 >= 1000


def instances(graph: Graph) -> dict[str, dict[str, Any]]:
    return {each.name.removeprefix("primetrade-"): each.inputs for each in graph.of("rds/instance")}


def test_every_instance_is_encrypted_private_and_watched(stack: Graph) -> None:
    """Replicas too; those of the same region have their primary's key."""
    wanted = {
        "storageEncrypted": True,
        "publiclyAccessible": False,
        "iamDatabaseAuthenticationEnabled": True,
        "performanceInsightsEnabled": True,
        "storageType": "gp3",
        "copyTagsToSnapshot": True,
    }
    found = instances(stack)
    assert found
    assert dict.fromkeys(found, wanted) == {n: {key: i.get(key) for key in wanted} for n, i in found.items()}


def test_production_survives_a_zone_and_a_hasty_hand(committed: Callable[[str], Graph]) -> None:
    """A standby, backups that outlive the instance, and three things that refuse to delete it."""
    primary = committed("prod")["primetrade-prod-database"]
    inputs = primary.inputs
    assert (True, True, True) == (primary.protect, inputs["multiAz"], inputs["deletionProtection"])
    assert (False, False) == (inputs["skipFinalSnapshot"], inputs["deleteAutomatedBackups"])
    assert inputs["finalSnapshotIdentifier"]
    assert int(str(inputs["backupRetentionPeriod"])) >= 7


@pytest.mark.parametrize("number", [0, 1, 3])
def test_replicas_follow_the_primary(graph_of: Callable[..., Graph], number: int) -> None:
    """As many as were asked for, each with the primary's parameters and the password that goes with replicas."""
    graph = graph_of(database={"replicas": number, "password": "written"}, night={"stop": None})
    replicas = {name: each for name, each in instances(graph).items() if "replica" in name}
    assert number == len(replicas)
    primary = graph["primetrade-dev-database"].inputs
    assert [primary["parameterGroupName"]] * number == [each["parameterGroupName"] for each in replicas.values()]
    assert [primary["identifier"]] * number == [each["replicateSourceDb"] for each in replicas.values()]
    assert [] == [name for name, each in replicas.items() if {"passwordWo", "username", "engine"} & each.keys()]
    assert [f"${{primetrade-{name}.address}}" for name in replicas] == graph.exports["database_readers"]


def test_a_managed_password_is_nowhere_in_the_program(graph_of: Callable[..., Graph]) -> None:
    """RDS makes it, keeps it and turns it."""
    graph = graph_of(database={"password": "managed", "replicas": 0, "proxy": True})
    (inputs,) = instances(graph).values()
    assert True is inputs["manageMasterUserPassword"]
    assert not {"password", "passwordWo"} & inputs.keys()
    written = [each.name for each in graph.of("secretsmanager/secretVersion") if each.parent == "database"]
    assert ["primetrade-dev-database-app-secret-value"] == written
    assert "${primetrade-dev-database.masterUserSecrets[0].secretArn}" == graph.exports["database_secret"]


def test_a_written_password_is_secret_wherever_it_stands(graph_of: Callable[..., Graph]) -> None:
    """In the instance and in Secrets Manager, both by a field that no state keeps."""
    graph = graph_of(database={"password": "written", "password_version": 3})
    database, value = graph["primetrade-dev-database"], graph["primetrade-dev-database-secret-value"]
    assert (("passwordWo",), HIDDEN, 3) == (
        database.secrets,
        database.inputs["passwordWo"],
        database.inputs["passwordWoVersion"],
    )
    assert (("secretStringWo",), 3) == (value.secrets, value.inputs["secretStringWoVersion"])
    assert "secretString" not in value.inputs


def test_the_secret_has_the_form_that_the_proxy_reads() -> None:
    """https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-proxy-secrets-arns.html."""
    assert {"username": "primetrade", "password": 'a"b'} == json.loads(login_of("primetrade")('a"b'))


def test_the_second_region_follows_the_first(committed: Callable[[str], Graph]) -> None:
    """Under a key of its own region, with a standby and backups of its own, so that it can be promoted at once."""
    (replica,) = instances(committed("dr")).values()
    (primary,) = (each for each in committed("prod").of("rds/instance") if "replica" not in each.name)
    assert str(replica["replicateSourceDb"]).endswith(f":db:{primary.inputs['identifier']}")
    assert "${primetrade-dr-key-data.arn}" == replica["kmsKeyId"]
    assert (True, True) == (replica["multiAz"], replica["backupRetentionPeriod"] > 0)
    assert not {"username", "passwordWo", "engine", "allocatedStorage"} & replica.keys()


def test_a_replica_can_be_deleted_and_what_it_becomes_leaves_a_last_snapshot(committed: Callable[[str], Graph]) -> None:
    """RDS refuses the one with a snapshot; https://github.com/hashicorp/terraform-provider-aws/issues/4276."""
    (replica,) = instances(committed("dr")).values()
    (promoted,) = instances(plan_platform(taken_over(), "dr", secrets=read_stack("dr").wanted_secrets)).values()
    assert (True, False) == (replica["skipFinalSnapshot"], "finalSnapshotIdentifier" in replica)
    assert (False, "primetrade-dr-database-final") == (
        promoted["skipFinalSnapshot"],
        promoted["finalSnapshotIdentifier"],
    )


def taken_over() -> Platform:
    """The second region's environment as docs/how-to/aws-recover.md changes it when it takes over."""
    whole = msgspec.to_builtins(read_stack("dr").platform)
    whole["database"] |= {"replica_of": None, "proxy": True}
    whole["recovery"] |= {"keep_days": 35}
    return msgspec.convert(whole, Platform)


def test_the_second_region_has_its_password_before_it_is_needed() -> None:
    """Asked for when it is made: the program that takes over writes it, and stops in the night without it."""
    assert "primetrade:databasePassword" in read_stack("dr").wanted_secrets
    promoted = plan_platform(taken_over(), "dr", secrets=read_stack("dr").wanted_secrets)
    (primary,) = promoted.of("rds/instance")
    assert ("passwordWo" in primary.inputs, "passwordWo" in primary.secrets) == (True, True)
    assert "primetrade:databasePassword" not in read_stack("dev").wanted_secrets  # RDS keeps that one


def test_only_clients_and_the_proxy_reach_the_database(committed: Callable[[str], Graph]) -> None:
    """By group, never by address, on one port."""
    rules = committed("prod").of("vpc/securityGroupIngressRule")
    ways = {
        (str(each.inputs["referencedSecurityGroupId"]), str(each.inputs["securityGroupId"]), each.inputs["fromPort"])
        for each in rules
        if each.parent in ("database", "proxy")
    }
    clients, proxy, database = (f"${{primetrade-prod-{n}-group.id}}" for n in ("database-clients", "proxy", "database"))
    assert {(clients, database, 5432), (clients, proxy, 5432), (proxy, database, 5432)} == ways


def test_the_proxy_takes_tls_only_and_is_where_the_application_goes(committed: Callable[[str], Graph]) -> None:
    """It is in front of the primary."""
    graph = committed("prod")
    (proxy,) = graph.of("rds/proxy")
    assert True is proxy.inputs["requireTls"]
    assert "${primetrade-prod-proxy.endpoint}" == graph.exports["database_host"]


def test_the_application_has_a_login_of_its_own(committed: Callable[[str], Graph]) -> None:
    """The proxy knows both, and the exports tell them apart; a replica has neither."""
    prod = committed("prod")
    secrets = {part: f"${{primetrade-prod-database-{part}.arn}}" for part in ("secret", "app-secret")}
    (proxy,) = prod.of("rds/proxy")
    auths: Any = proxy.inputs["auths"]
    assert [*secrets.values()] == [each["secretArn"] for each in auths]
    assert [*secrets.values()] == [prod.exports[each] for each in ("database_secret", "database_app_secret")]
    assert [] == [each.name for each in committed("dr").of("secretsmanager/secret") if each.parent == "database"]


def test_the_proxy_reads_its_secrets_and_no_other() -> None:
    """And their key by way of Secrets Manager only."""
    reads, opens = json.loads(may_read("KEY", "us-east-1", "SECRET", "OTHER"))["Statement"]
    assert (["SECRET", "OTHER"], ["secretsmanager:GetSecretValue"]) == (reads["Resource"], reads["Action"])
    assert (["KEY"], {"kms:ViaService": "secretsmanager.us-east-1.amazonaws.com"}) == (
        opens["Resource"],
        opens["Condition"]["StringEquals"],
    )


def test_parameters_belong_to_the_version(graph_of: Callable[..., Graph]) -> None:
    """Another major version gets a group of another name, which is made before the old one goes.

    TLS is forced; what blue/green to the next version needs at the start is there from the first one.
    """
    groups = {version: graph_of(database={"version": version}).of("rds/parameterGroup") for version in ("17", "18")}
    assert {"primetrade-dev-database-postgres17", "primetrade-dev-database-postgres18"} == {
        each.name for found in groups.values() for each in found
    }
    values: Any = groups["18"][0].inputs["parameters"]
    said = {each["name"]: each["value"] for each in values}
    assert ("1", "1") == (said["rds.force_ssl"], said["rds.logical_replication"])


def test_logs_of_every_instance_exist_before_it(stack: Graph) -> None:
    """RDS would make groups that keep them for ever, in clear."""
    logs = {str(each.inputs["name"]): each.name for each in stack.of("cloudwatch/logGroup") if "name" in each.inputs}
    for each in stack.of("rds/instance"):
        wanted = [f"/aws/rds/instance/{each.inputs['identifier']}/{kind}" for kind in ("postgresql", "upgrade")]
        assert {logs[name] for name in wanted} <= {*each.depends_on}


@pytest.mark.parametrize(("given", "now"), [({}, False), ({"apply_now": True}, True)])
def test_sizes_change_in_the_windows_unless_they_are_wanted_now(
    graph_of: Callable[..., Graph], given: dict[str, bool], now: bool
) -> None:
    """As after a fail-over, when the second region must carry production's traffic at once."""
    graph = graph_of(**given)
    kinds = ("rds/instance", "elasticache/replicationGroup")
    assert [now, now] == [each.inputs["applyImmediately"] for kind in kinds for each in graph.of(kind)]


@settings(max_examples=25)  # each runs the whole program
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "multi_az": st.booleans(),
            "replicas": st.integers(0, 2),
            "password": st.sampled_from(["managed", "written"]),
            "proxy": st.booleans(),
            "backup_days": st.integers(0, 35),
            "monitoring_s": st.sampled_from([0, 1, 60]),
            "insights": st.sampled_from(["standard", "advanced"]),
            "replica_of": st.sampled_from([None, "arn:aws:rds:eu-west-1:222222222222:db:other"]),
        },
    )
)
def test_every_configuration_that_is_taken_can_be_planned(
    graph_of: Callable[..., Graph], changes: dict[str, Any]
) -> None:
    """And never makes a replica that AWS would refuse, nor an instance in clear or in public."""
    try:
        graph = graph_of(database=changes, night={"stop": None})
    except msgspec.ValidationError:
        return
    found = instances(graph)
    primary = found.pop("dev-database")
    assert not found or (primary["backupRetentionPeriod"] > 0 and "manageMasterUserPassword" not in primary)
    assert [] == [name for name, each in {**found, "": primary}.items() if not each["storageEncrypted"]]
    assert ("monitoringInterval" in primary) == ("monitoringRoleArn" in primary)
