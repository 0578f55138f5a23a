"""The archive as a plan makes it; what its function does is in test_archive_function.py."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.functions.archive.handler import Settings
from infra.plan.graph import Graph

PACKAGE = "0" * 64
READ = ("kms:Decrypt", "kms:GenerateDataKey", "s3:GetObject", "s3:PutObject", "secretsmanager:GetSecretValue")


@pytest.fixture(scope="session")
def prod(committed: Callable[[str], Graph]) -> Graph:
    """Production's plan."""
    return committed("prod")


def function(graph: Graph) -> dict[str, Any]:
    (found,) = graph.of("lambda/function")
    return found.inputs


def statements(graph: Graph, name: str) -> Iterator[dict[str, Any]]:
    yield from json.loads(str(graph[name].inputs["policy"]))["Statement"]


def rules_of(graph: Graph) -> list[dict[str, Any]]:
    return [each.inputs for each in graph.of("vpc/securityGroupEgressRule") if each.parent == "archive"]


def test_lambda_finds_the_handler_and_all_that_it_reads(prod: Graph) -> None:
    """The name leads to a function of this repository, and the variables are those it asks for."""
    module, _, name = function(prod)["handler"].rpartition(".")
    assert callable(getattr(importlib.import_module(module), name))
    found = Settings.read(function(prod)["environment"]["variables"])
    assert ("primetrade", 365, 1000) == (found.name, found.days, found.batch)
    assert "${primetrade-prod-archive.id}" == found.bucket
    assert "${primetrade-prod-proxy.endpoint}" == found.host


def test_the_function_may_do_its_work_and_no_more(prod: Graph) -> None:
    """Objects under tasks/, one secret, one key by the hands of three services, its own log and queue."""
    found = list(statements(prod, "primetrade-prod-archive-role-may"))
    by_action = {action: each for each in found for action in each["Action"]}
    assert {*READ} == {action for action in by_action if action.split(":")[0] in ("kms", "s3", "secretsmanager")}
    assert ["${primetrade-prod-archive.arn}/tasks/*"] == by_action["s3:PutObject"]["Resource"]
    assert ["${primetrade-prod-database-secret.arn}"] == by_action["secretsmanager:GetSecretValue"]["Resource"]
    via = by_action["kms:Decrypt"]["Condition"]["StringEquals"]["kms:ViaService"]
    assert [
        "lambda.us-east-1.amazonaws.com",
        "s3.us-east-1.amazonaws.com",
        "secretsmanager.us-east-1.amazonaws.com",
    ] == via
    wide = [action for each in found if "*" in each["Resource"] for action in each["Action"]]
    assert {"ec2"} == {action.partition(":")[0] for action in wide}


def test_nothing_deletes_from_the_archive_but_time(prod: Graph) -> None:
    """No role of the program may, and the bucket of production is protected."""
    policies = [str(each.inputs.get("policy", "")) for each in prod.of("iam/rolePolicy", "iam/policy")]
    assert [] == [text for text in policies if "s3:DeleteObject" in text and "-archive" in text]
    assert prod["primetrade-prod-archive"].protect


def test_files_grow_cold_and_end(prod: Graph) -> None:
    """Glacier after a month; seven years; what was overwritten and half uploads before."""
    tasks, regrets = prod["primetrade-prod-archive-cold"].inputs["rules"]  # type: ignore[misc]
    assert ("tasks/", [{"days": 30, "storageClass": "GLACIER"}], {"days": 2555}) == (
        tasks["filter"]["prefix"],
        tasks["transitions"],
        tasks["expiration"],
    )
    assert {"abortIncompleteMultipartUpload", "noncurrentVersionExpiration"} < regrets.keys()


def test_a_night_that_fails_or_does_not_come_calls_somebody(prod: Graph) -> None:
    """Failed runs lie in a queue with an alarm; so does what the schedule could not start; silence has one too."""
    (queue,) = [each for each in prod.of("sqs/queue") if each.parent == "archive"]
    arn = f"${{{queue.name}.arn}}"
    (schedule,) = prod.of("scheduler/schedule")
    target: Any = schedule.inputs["target"]
    assert [arn, arn] == [function(prod)["deadLetterConfig"]["targetArn"], target["deadLetterConfig"]["arn"]]
    alarms = [each.inputs for each in prod.of("cloudwatch/metricAlarm") if each.parent == "archive"]
    assert [{"QueueName": queue.inputs["name"]}, {"FunctionName": function(prod)["name"]}] == [
        each["dimensions"] for each in alarms
    ]
    assert [["${primetrade-prod-on-call.arn}"]] * 2 == [each["alarmActions"] for each in alarms]


def test_one_run_at_a_time_inside_the_vpc(prod: Graph) -> None:
    """Among the database's clients, out to the database, its proxy and AWS, in from nobody."""
    found = function(prod)
    assert 1 == found["reservedConcurrentExecutions"]
    own, clients = found["vpcConfig"]["securityGroupIds"]
    assert prod.exports["database_clients"] == clients
    assert {5432, 443} == {each["fromPort"] for each in rules_of(prod)}
    targets = {each.get("referencedSecurityGroupId") for each in rules_of(prod)}
    assert {"${primetrade-prod-database-group.id}", "${primetrade-prod-proxy-group.id}", None} == targets
    ingress = prod.of("vpc/securityGroupIngressRule")
    assert [] == [each.name for each in ingress if own == each.inputs["securityGroupId"]]


def test_without_a_package_there_is_a_bucket_to_bring_it_to(graph_of: Callable[..., Graph]) -> None:
    """And nothing that would run."""
    graph = graph_of(archive={"after_days": 90})
    assert "${primetrade-dev-archive.id}" == graph.exports["archive_bucket"]
    assert [] == [each for each in graph.of("lambda/function", "scheduler/schedule") if each.parent == "archive"]


@settings(max_examples=10)  # each runs the whole program
@given(
    st.fixed_dictionaries(
        {"package": st.just(PACKAGE)},
        optional={
            "after_days": st.integers(30, 3650),
            "batch": st.integers(1, 10_000),
            "at": st.times().map(lambda time: f"{time:%H:%M}"),
            "cold_days": st.integers(1, 365),
            "keep_years": st.integers(1, 100),
        },
    ).filter(lambda changes: changes.get("cold_days", 30) < 365 * changes.get("keep_years", 7))
)
def test_every_configuration_reaches_the_function(graph_of: Callable[..., Graph], changes: dict[str, Any]) -> None:
    """As the variables, the schedule and the ages that were asked for; cold before gone."""
    graph = graph_of(archive=changes)
    found = Settings.read(function(graph)["environment"]["variables"])
    assert (changes.get("after_days", 365), changes.get("batch", 1000)) == (found.days, found.batch)
    (schedule,) = [each for each in graph.of("scheduler/schedule") if each.parent == "archive"]
    hour, minute = map(int, changes.get("at", "01:30").split(":"))
    assert f"cron({minute} {hour} * * ? *)" == schedule.inputs["scheduleExpression"]
    assert f"functions/archive-{PACKAGE}.zip" == function(graph)["s3Key"]
    (lifecycle,) = [each for each in graph.of("s3/bucketLifecycleConfiguration") if each.parent == "archive"]
    tasks: Any = lifecycle.inputs["rules"][0]  # type: ignore[index]
    assert tasks["transitions"][0]["days"] < tasks["expiration"]["days"]


def test_only_one_role_reads_the_databases_login_for_it(prod: Graph) -> None:
    """The schedule may start the function, and no more."""
    found = list(statements(prod, "primetrade-prod-archive-scheduler-may"))
    assert ["lambda:InvokeFunction", "sqs:SendMessage"] == [action for each in found for action in each["Action"]]
    assert ["${primetrade-prod-archiver.arn}"] == found[0]["Resource"]


@pytest.mark.parametrize("name", ["dev", "dr"])
def test_an_environment_without_an_archive_has_nothing_of_it(committed: Callable[[str], Graph], name: str) -> None:
    """A replica could not delete; development keeps what it has."""
    assert [] == committed(name).below("archive")
