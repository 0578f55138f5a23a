"""Backups apart from what they are of, and their copies in a second region."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from infra.plan.graph import Graph


def test_production_has_a_copy_of_everything_in_the_second_region(committed: Callable[[str], Graph]) -> None:
    """Snapshots in a vault, the database's own backups, and the key to open both."""
    graph = committed("prod")
    there = {each.name for each in graph.made if each.inputs.get("region") == "eu-west-1"}
    assert {
        "primetrade-prod-key-data-replica",
        "primetrade-prod-vault-copy",
        "primetrade-prod-vault-copy-lock",
        "primetrade-prod-database-backups-copy",
    } == there
    key = "${primetrade-prod-key-data-replica.arn}"
    assert key == graph["primetrade-prod-vault-copy"].inputs["kmsKeyArn"]
    assert key == graph["primetrade-prod-database-backups-copy"].inputs["kmsKeyId"]


def test_only_a_key_that_is_replicated_is_of_many_regions(stack: Graph) -> None:
    """It cannot be made so later: that would be another key."""
    replicas = {str(each.inputs["primaryKeyArn"]) for each in stack.of("kms/replicaKey")}
    many = {f"${{{each.name}.arn}}" for each in stack.of("kms/key") if each.inputs.get("multiRegion")}
    assert replicas == many


def test_every_copy_is_kept_as_long_as_its_original(committed: Callable[[str], Graph]) -> None:
    """And the lock of each vault allows that."""
    graph = committed("prod")
    (plan,) = graph.of("backup/plan")
    rules: Any = plan.inputs["rules"]
    assert {"daily": 35, "monthly": 93} == {each["ruleName"]: each["lifecycle"]["deleteAfter"] for each in rules}
    assert [each["lifecycle"] for each in rules] == [each["copyActions"][0]["lifecycle"] for each in rules]
    assert {93} == {each.inputs["maxRetentionDays"] for each in graph.of("backup/vaultLockConfiguration")}


def test_a_lock_that_changes_is_lifted_before_it_is_made_anew(committed: Callable[[str], Graph]) -> None:
    """It has no name of its own: the end of the old one would lift the new one."""
    locks = committed("prod").of("backup/vaultLockConfiguration")
    assert [True, True] == [each.delete_before_replace for each in locks]


def event(job: str, word: str, end: str) -> dict[str, Any]:
    """What AWS Backup says of a job, as its developer guide shows it."""
    detail = {f"{job.lower()}JobId": "1", word: end, "resourceType": "RDS"}
    return {"source": "aws.backup", "detail-type": f"{job} Job State Change", "detail": detail}


def matches(pattern: dict[str, Any], found: dict[str, Any]) -> bool:
    """As EventBridge matches: every key is there with one of the values, and one of `$or` holds."""
    return all(
        any(matches(each, found) for each in wanted)
        if key == "$or"
        else matches(wanted, found.get(key, {}))
        if isinstance(wanted, dict)
        else found.get(key) in wanted
        for key, wanted in pattern.items()
    )


def test_failed_backups_copies_and_restores_are_heard(committed: Callable[[str], Graph]) -> None:
    """On the topic of whoever is on call, which lets EventBridge speak, as does its key; what went well is not told."""
    for name in ("prod", "staging"):
        graph = committed(name)
        rule, target = (graph[f"primetrade-{name}-backups-failed{end}"] for end in ("", "-to"))
        pattern = json.loads(str(rule.inputs["eventPattern"]))
        for job, word in (("Backup", "state"), ("Copy", "state"), ("Restore", "status")):
            for end in ("FAILED", "ABORTED", "EXPIRED"):
                assert matches(pattern, event(job, word, end))
            assert not matches(pattern, event(job, word, "COMPLETED"))
        assert (f"${{primetrade-{name}-on-call.arn}}", None) == (target.inputs["arn"], target.inputs.get("roleArn"))
        may = graph[f"primetrade-{name}-on-call-speakers"].inputs["policy"]
        for policy in (may, graph[f"primetrade-{name}-key-alerts"].inputs["policy"]):
            (events,) = (
                each
                for each in json.loads(str(policy))["Statement"]
                if each["Principal"].get("Service") == "events.amazonaws.com"
            )
            assert "Condition" not in events  # EventBridge names no account, and would be refused


def test_nothing_waits_for_notifications_that_aws_no_longer_sends(stack: Graph) -> None:
    """Those of a vault about jobs that failed or came too late."""
    assert [] == stack.of("backup/vaultNotifications")


def test_rds_keeps_its_own_backups(stack: Graph) -> None:
    """Continuous backups of AWS Backup would take them over, and the stack would fight for them."""
    plans: Any = [each.inputs["rules"] for each in stack.of("backup/plan")]
    assert [] == [rule for rules in plans for rule in rules if rule.get("enableContinuousBackup")]


@settings(max_examples=10)  # each runs the whole program
@given(
    st.fixed_dictionaries(
        {"keep_days": st.integers(1, 365)},
        optional={"keep_months": st.integers(0, 84), "copy_to": st.sampled_from([None, "eu-west-1"])},
    ),
    st.booleans(),
)
def test_every_configuration_backs_the_database_up(
    graph_of: Callable[..., Graph], changes: dict[str, Any], own: bool
) -> None:
    """Whatever was chosen: sealed, locked, and copied where a second region is named."""
    graph = graph_of(recovery=changes, database={"backup_days": 7 if own else 0})
    vaults, copied = graph.of("backup/vault"), bool(changes.get("copy_to"))
    assert 1 + copied == len(vaults) == len(graph.of("backup/vaultLockConfiguration"))
    assert all(each.inputs["kmsKeyArn"] for each in vaults)
    (selection,) = graph.of("backup/selection")
    assert ["${primetrade-dev-database.arn}"] == selection.inputs["resources"]
    rules: Any = graph.of("backup/plan")[0].inputs["rules"]
    assert [copied] * len(rules) == [bool(each.get("copyActions")) for each in rules]
    assert (copied and own) == bool(graph.of("rds/instanceAutomatedBackupsReplication"))


def test_without_days_there_is_no_vault(graph_of: Callable[..., Graph]) -> None:
    """Development can be made again."""
    assert [] == graph_of(recovery={"keep_days": 0}).of("backup/vault", "backup/plan")
