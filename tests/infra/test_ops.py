"""Operations: on a fake of Pulumi, and on AWS as moto plays it in this process."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st
from moto import mock_aws
from moto.core import DEFAULT_ACCOUNT_ID

from infra.components.watch import DEPLOYS
from infra.errors import ConfigError, NeedsPersonError, OpsError
from infra.ops import engine as reading
from infra.ops import leftover
from infra.ops.account import Account
from infra.ops.deploy import announced, deploy
from infra.ops.drift import Tagged, by_tags, drift, sort
from infra.ops.drill import Exercise
from infra.ops.engine import PROGRAMS, Owned, Program, Stack, Step
from infra.ops.gates import ENDS, STATEFUL, refusals
from infra.ops.kubectl import Kubectl
from infra.ops.patience import Patience, Tell
from infra.ops.protection import lift
from infra.ops.teardown import Teardown
from infra.plan import golden
from infra.stackfile import read_stack, stacks
from scripts.commands import infra_ops
from scripts.commands.infra import command
from scripts.exits import Exit
from tests.infra.fakes import FakeEngine, FakeWorkloads

DATABASE = "aws:rds/instance:Instance"
TAGS = [{"Key": "project", "Value": "primetrade"}, {"Key": "environment", "Value": "dev"}]


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def patience(self, limit_s: float = 100) -> Patience:
        return Patience(limit_s, 1, self.sleep, lambda: self.now)


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    """An empty account of moto's."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "not a real one")
    with mock_aws():
        yield Account(DEFAULT_ACCOUNT_ID, "us-east-1")


def stack(engine: FakeEngine, told: list[str] | None = None) -> Stack:
    return Stack("dev", engine, PROGRAMS, (told if told is not None else []).append)


def database(account: Account, name: str, *, protected: bool = False) -> str:
    made = account.rds.create_db_instance(
        DBInstanceIdentifier=name,
        Engine="postgres",
        DBInstanceClass="db.t4g.medium",
        AllocatedStorage=20,
        MasterUsername="primetrade",
        MasterUserPassword="not a real one",
        BackupRetentionPeriod=1,
        DeletionProtection=protected,
        DBSubnetGroupName="subnets",
        Tags=TAGS,  # type: ignore[arg-type]
    )
    return made["DBInstance"]["DBInstanceArn"]


def network(account: Account) -> tuple[str, list[str]]:
    vpc = account.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        account.ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{at}.0/24", AvailabilityZone=f"us-east-1{zone}")
        for at, zone in enumerate("ab")
    ]
    ids = [each["Subnet"]["SubnetId"] for each in subnets]
    account.rds.create_db_subnet_group(DBSubnetGroupName="subnets", DBSubnetGroupDescription="x", SubnetIds=ids)
    return vpc, ids


# Deploy.


def test_programs_are_deployed_in_their_order_each_previewed_just_before() -> None:
    """Later ones read what earlier ones export."""
    engine = FakeEngine(previews={each.name: (Step("create", "x", "aws:sqs/queue:Queue"),) for each in PROGRAMS})
    deploy(stack(engine), (), nullcontext())
    names = [each.name for each in PROGRAMS]
    assert [word for name in names for word in (f"preview {name}", f"up {name}")] == engine.asked


def test_a_dry_deploy_previews_and_changes_nothing() -> None:
    """As does one that has nothing to do."""
    engine = FakeEngine(previews={"platform": (Step("create", "x", "aws:sqs/queue:Queue"),)})
    done = deploy(stack(engine), (), None)
    assert [f"preview {each.name}" for each in PROGRAMS] == engine.asked
    assert [False] * len(PROGRAMS) == [each.done for each in done]


def test_a_deploy_stops_before_data_would_be_lost_unless_that_is_named() -> None:
    """What came before stays; the message says which resource, why and how to go on."""
    loss = (Step("replace", "primetrade-dev-database", DATABASE, ("storageEncrypted",)),)
    engine = FakeEngine(previews={"platform": loss})
    with pytest.raises(NeedsPersonError, match=r"database: replace because of storageEncrypted would lose its data;.*"):
        deploy(stack(engine), (), nullcontext())
    assert "up platform" not in engine.asked
    deploy(stack(engine), ("primetrade-dev-database",), nullcontext())
    assert "up platform" in engine.asked


@given(st.sampled_from(sorted(STATEFUL)), st.sampled_from([*ENDS, "create", "update", "read"]))
def test_only_an_end_of_what_keeps_state_is_refused(kind: str, op: str) -> None:
    """Whatever it is."""
    assert (op in ENDS) == bool([*refusals([Step(op, "x", f"aws:{kind}:X")], ())])
    assert [] == [*refusals([Step(op, "x", "aws:sqs/queue:Queue")], ())]


def test_a_deploy_is_announced_to_the_alarms(account: Account) -> None:
    """By the metric that the alarm `deploying` looks at, while it runs."""
    told: list[str] = []
    with announced(account, "dev", told.append, every_s=0.01):
        pass
    assert [] == told
    (metric,) = account.cloudwatch.list_metrics(Namespace="primetrade/Deploys")["Metrics"]
    assert [{"Name": "Environment", "Value": "dev"}] == metric["Dimensions"]


def test_alarms_that_cannot_be_told_are_warned_of_once() -> None:
    """The deploy goes on; who watches it knows that somebody may be called."""
    told: list[str] = []
    tried = threading.Semaphore(0)
    refused = ClientError({"Error": {"Code": "AccessDenied", "Message": "not authorized"}}, "PutMetricData")

    class Deaf:
        def put_metric_data(self, **_: object) -> None:
            tried.release()
            raise refused

    account = Account("123456789012", "us-east-1")
    account.__dict__["cloudwatch"] = Deaf()
    with announced(account, "dev", told.append, every_s=0.01):
        assert all(tried.acquire(timeout=30) for _ in range(3))
    (line,) = told
    assert "do not know of this deploy" in line
    assert "AccessDenied" in line


def test_the_environment_that_alarms_look_at_is_the_one_that_is_announced() -> None:
    """Each stack's alarm `deploying` has the name of its stack."""
    for name in stacks():
        graph = golden.read(name)
        assert graph is not None
        (alarm,) = (each for each in graph.of("cloudwatch/metricAlarm") if "deploying" in each.name)
        assert (DEPLOYS[0], {"Environment": name}) == (alarm.inputs["namespace"], alarm.inputs["dimensions"])


# Pulumi's own words.


def test_what_pulumi_says_is_read() -> None:
    """Steps that change something, by name and type; components and providers are no resources of AWS."""
    urn = "urn:pulumi:dev::primetrade::primetrade:Database$aws:rds/instance:Instance::primetrade-dev-database"
    changed = {"op": "update", "urn": urn, "diffReasons": ["multiAz"]}
    digest = json.dumps({"steps": [changed, {"op": "same", "urn": urn}]})
    assert (Step("update", "primetrade-dev-database", DATABASE, ("multiAz",)),) == reading.steps(digest)
    kept = {"urn": urn, "type": DATABASE, "custom": True, "id": "db-1", "protect": True, "outputs": {"arn": "A"}}
    other = {"urn": "urn:pulumi:dev::primetrade::primetrade:Keys::keys", "type": "primetrade:Keys"}
    export = json.dumps({"deployment": {"resources": [kept, other]}})
    assert (Owned("primetrade-dev-database", DATABASE, "db-1", "A", protect=True),) == reading.owned(export)
    with pytest.raises(OpsError, match="pulumi said something else"):
        reading.steps("no json")


# Drift.


def test_drift_is_what_a_refresh_would_change_and_what_no_stack_owns(account: Account) -> None:
    """What the cluster made is told apart."""
    network(account)
    ours, stray = database(account, "ours"), database(account, "stray")
    balancer = account.balancing.create_load_balancer(
        Name="x",
        Subnets=network_of(account),
        Tags=[*TAGS, {"Key": "elbv2.k8s.aws/cluster", "Value": "c"}],  # type: ignore[list-item]
    )["LoadBalancers"][0]["LoadBalancerArn"]
    changed = Step("update", "db", DATABASE, ("multiAz",))
    engine = FakeEngine({"platform": (Owned("db", DATABASE, "db-1", ours),)}, {"platform": (changed,)})
    found = drift(stack(engine), by_tags(account, "primetrade", "dev"))
    assert ["preview platform refresh"] == engine.asked
    assert ((stray,), (balancer,), False) == (found.unowned, found.of_cluster, found.none)


def network_of(account: Account) -> list[str]:
    return [each["SubnetId"] for each in account.ec2.describe_subnets()["Subnets"] if not each["DefaultForAz"]][:2]


def test_a_disk_of_the_cluster_is_told_from_what_nobody_owns() -> None:
    """It has the environment's tags, and its driver's."""
    disk = Tagged("arn:aws:ec2:us-east-1:1:volume/vol-1", {"environment": "dev", "ebs.csi.aws.com/cluster": "true"})
    assert ((), (disk.arn,)) == sort([disk], [])


def test_a_resource_is_known_by_its_arn_or_by_its_id() -> None:
    """States have one or the other."""
    arn = "arn:aws:ec2:us-east-1:1:vpc/vpc-1"
    for known in (Owned("x", "t", "vpc-1"), Owned("x", "t", "other", arn), Owned("x", "t", arn)):
        assert ((), ()) == sort([Tagged(arn, {})], [known])
    assert ((arn,), ()) == sort([Tagged(arn, {})], [Owned("x", "t", "vpc-2", "")])


# Teardown.


def test_a_teardown_goes_from_the_cluster_down_to_the_network(account: Account) -> None:
    """Fronts, budgets, pools, disks, interfaces, AWS's protection, then the programs from the last to the first."""
    vpc, subnets = network(account)
    account.ec2.create_network_interface(SubnetId=subnets[0])
    arn = database(account, "primetrade-dev-database", protected=True)
    state = (Owned("db", DATABASE, "db-1", arn, protect=True), Owned("vpc", "aws:ec2/vpc:Vpc", vpc))
    engine = FakeEngine({"platform": state})
    work = Teardown(stack(engine), account, FakeWorkloads(engine.asked), lambda: by_tags(account, "primetrade", "dev"))
    assert ["db"] == work.look().protected
    assert [] == engine.asked
    with pytest.raises(NeedsPersonError, match="add --confirm dev"):
        work.run("", Clock().patience())
    found = work.run("dev", Clock().patience())
    destroyed = [f"destroy {each.name}" for each in reversed(PROGRAMS)]
    cluster = [f"delete {part}" for part in ("fronts", "budgets", "pools", "disks")]
    assert [*cluster, "unprotect platform", *destroyed] == engine.asked
    assert [] == leftover.interfaces(account, vpc)
    assert not account.rds.describe_db_instances()["DBInstances"][0]["DeletionProtection"]
    assert [arn] == found.leftovers


def protected_table(account: Account, name: str) -> Owned:
    table = account.dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "about", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "about", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        DeletionProtectionEnabled=True,
    )["TableDescription"]
    return Owned("audit", "aws:dynamodb/table:Table", name, table["TableArn"])


def test_protection_is_lifted_from_what_has_it_and_a_second_time_nothing_is_asked(account: Account) -> None:
    """A teardown that stopped half-way goes on: AWS refuses to be told what is so already."""
    network(account)
    arn = database(account, "primetrade-dev-database", protected=True)
    state = (Owned("db", DATABASE, "db-1", arn), protected_table(account, "primetrade-dev-audit"))
    asked: list[str] = []
    for client in (account.rds, account.dynamodb):
        client.meta.events.register("before-call", lambda model, **_: asked.append(model.name))
    for _ in range(2):
        Teardown(stack(FakeEngine({"platform": state})), account, None, list).run("", Clock().patience())
    changes = [name for name in asked if not name.startswith("Describe")]
    assert ["ModifyDBInstance", "UpdateTable"] == changes
    account.dynamodb.delete_table(TableName="primetrade-dev-audit")  # which AWS refuses while it is protected
    account.rds.delete_db_instance(DBInstanceIdentifier="primetrade-dev-database", SkipFinalSnapshot=True)
    found = Teardown(stack(FakeEngine({"platform": state})), account, None, list).run("", Clock().patience())
    assert "" == found.stopped


def test_a_stopped_database_is_started_to_be_unlocked(account: Account) -> None:
    """At night it is; RDS would refuse the change."""
    network(account)
    arn = database(account, "primetrade-dev-database", protected=True)
    account.rds.stop_db_instance(DBInstanceIdentifier="primetrade-dev-database")
    engine = FakeEngine({"platform": (Owned("db", DATABASE, "db-1", arn),)})
    Teardown(stack(engine), account, None, list).run("", Clock().patience())
    (found,) = account.rds.describe_db_instances()["DBInstances"]
    assert ("available", False) == (found["DBInstanceStatus"], found["DeletionProtection"])


@pytest.mark.parametrize("protected", [True, False])
def test_a_cluster_is_unlocked_where_it_is_locked(account: Account, protected: bool) -> None:
    """Calls and answers are held against AWS's own description of them: moto's clusters have no such lock."""
    cluster = Owned("cluster", "aws:eks/cluster:Cluster", "primetrade-dev")
    with Stubber(account.eks) as stubber:
        name = {"name": cluster.id}
        stubber.add_response("describe_cluster", {"cluster": {"deletionProtection": protected}}, name)
        if protected:
            stubber.add_response("update_cluster_config", {"update": {}}, {**name, "deletionProtection": False})
            for on in (True, False):  # it takes a while
                stubber.add_response("describe_cluster", {"cluster": {"deletionProtection": on}}, name)
        lift(account, cluster, Clock().patience(), lambda line: None)
        stubber.assert_no_pending_responses()


CLUSTER = {
    "poddisruptionbudgets --all-namespaces": [
        {"metadata": {"namespace": "task-api", "name": "task-api-blue"}},
        {"metadata": {"namespace": "kube-system", "name": "coredns"}},
    ],
    "persistentvolumes": [
        {"spec": {"csi": {"driver": driver}, "persistentVolumeReclaimPolicy": policy, "claimRef": claim}}
        for driver, policy, claim in (
            ("ebs.csi.aws.com", "Delete", {"namespace": "monitoring", "name": "metrics"}),
            ("ebs.csi.aws.com", "Retain", {"namespace": "monitoring", "name": "kept"}),
            ("efs.csi.aws.com", "Delete", {"namespace": "task-api", "name": "exports"}),
        )
    ],
}
KUBECTL = """#!{python}
import json, sys
words = [word for word in sys.argv[1:] if word not in ("--context", "dev") and "request-timeout" not in word]
open({log!r}, "a").write(" ".join(words) + "\\n")
if words[0] == "get":
    print(json.dumps({{"items": {cluster!r}[" ".join(words[1:-2])]}}))
"""


def test_budgets_and_disks_are_found_and_asked_to_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By kubectl's own words; EKS's own budgets, disks that shall stay, and what is no disk are left alone."""
    program, log = tmp_path / "kubectl", tmp_path / "log"
    program.write_text(KUBECTL.format(python=sys.executable, log=str(log), cluster=CLUSTER))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    cluster = Kubectl("dev")
    assert (["budget task-api/task-api-blue"], ["disk monitoring/metrics"]) == (cluster.budgets(), cluster.disks())
    cluster.delete_budgets()
    cluster.delete_disks()
    assert [
        f"delete {what} --wait=false --ignore-not-found"
        for what in (
            "poddisruptionbudget task-api-blue --namespace task-api",
            "persistentvolumeclaim metrics --namespace monitoring",
        )
    ] == [line for line in log.read_text().splitlines() if line.startswith("delete")]


BUCKET, REPOSITORY = "aws:s3/bucket:Bucket", "aws:ecr/repository:Repository"


def filled(account: Account, bucket: str, number: int = 3) -> Owned:
    """A bucket with versions of files, of which the last was deleted."""
    if bucket not in [each["Name"] for each in account.s3.list_buckets()["Buckets"]]:
        account.s3.create_bucket(Bucket=bucket)
        account.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for at in range(number):
        for text in (b"old", b"new"):
            account.s3.put_object(Bucket=bucket, Key=f"static/{at}", Body=text)
    account.s3.delete_object(Bucket=bucket, Key="static/0")
    return Owned(f"name-of-{bucket}", BUCKET, bucket, f"arn:aws:s3:::{bucket}")


def pushed(account: Account, name: str) -> Owned:
    """A repository with two images."""
    ecr: Any = account.ecr
    arn = ecr.create_repository(repositoryName=name)["repository"]["repositoryArn"]
    for tag in ("v1", "v2"):
        manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "tag": tag}
        ecr.put_image(repositoryName=name, imageManifest=json.dumps(manifest), imageTag=tag)
    return Owned("images", REPOSITORY, name, arn)


def test_a_teardown_empties_what_aws_would_not_delete(account: Account) -> None:
    """All versions, marks and images; a dry run names what it would empty and touches nothing."""
    bucket, repository = filled(account, "edge-logs"), pushed(account, "primetrade/task-api")
    engine = FakeEngine({"platform": (bucket, repository)})
    work = Teardown(stack(engine), account, None, list)
    names = ["name-of-edge-logs", "images"]
    assert names == work.look().found["contents"]
    assert names == work.look().found["contents"]
    assert names == work.run("", Clock().patience()).found["contents"]
    account.s3.delete_bucket(Bucket="edge-logs")  # which AWS refuses while anything is in it
    assert [] == account.ecr.list_images(repositoryName="primetrade/task-api")["imageIds"]


def test_nothing_of_what_is_protected_is_emptied_before_its_name_was_typed(account: Account) -> None:
    """The data is there whoever asked."""
    bucket = filled(account, "archive")
    kept = Owned("archive", bucket.type, bucket.id, bucket.arn, protect=True)
    work = Teardown(stack(FakeEngine({"platform": (bucket, kept)})), account, None, list)
    with pytest.raises(NeedsPersonError, match="add --confirm dev"):
        work.run("staging", Clock().patience())
    assert 7 == len([*account.s3.list_object_versions(Bucket="archive")["Versions"], "and a mark"])
    work.run("dev", Clock().patience())
    assert "Versions" not in account.s3.list_object_versions(Bucket="archive")


def test_a_bucket_that_filled_again_is_emptied_once_more(account: Account) -> None:
    """Logs are written until what writes them is gone."""
    engine = FakeEngine({"platform": (filled(account, "edge-logs"),)})
    engine.destroy = late(engine, account)  # type: ignore[method-assign]
    found = Teardown(stack(engine), account, None, list).run("", Clock().patience())
    assert ["destroy addons", "destroy platform", "destroy platform", "destroy bootstrap"] == engine.asked
    assert ("", []) == (found.stopped, found.leftovers)


def late(engine: FakeEngine, account: Account) -> Callable[..., None]:
    """A `destroy` that finds one more file the first time."""
    files = [1]

    def destroy(program: Program, stack: str, tell: Tell) -> None:
        engine.asked.append(f"destroy {program.name}")
        if program.name == "platform" and files:
            filled(account, "edge-logs", files.pop())
            raise OpsError("BucketNotEmpty")
        assert "Versions" not in account.s3.list_object_versions(Bucket="edge-logs")

    return destroy


def test_a_vault_is_emptied_when_its_lock_is_gone(account: Account) -> None:
    """In its own region; calls and answers are held against AWS's own description of them."""
    vault = Owned("copy", "aws:backup/vault:Vault", "copy", "arn:aws:backup:eu-west-1:1:backup-vault:copy")
    there = Account(DEFAULT_ACCOUNT_ID, "eu-west-1")
    account.at = lambda region: {"eu-west-1": there}[region]  # type: ignore[method-assign]
    point = "arn:aws:rds:eu-west-1:1:snapshot:awsbackup:job-1"
    with Stubber(there.backup) as stubber:
        name = {"BackupVaultName": "copy"}
        full, none = {"RecoveryPoints": [{"RecoveryPointArn": point}]}, {"RecoveryPoints": []}
        stubber.add_response("list_recovery_points_by_backup_vault", full, name)  # for who reads along
        stubber.add_response("list_recovery_points_by_backup_vault", full, name)  # is it to be emptied?
        stubber.add_response("delete_backup_vault_lock_configuration", {}, name)
        stubber.add_response("list_recovery_points_by_backup_vault", full, name)  # of what?
        stubber.add_response("delete_recovery_point", {}, {**name, "RecoveryPointArn": point})
        for left in (full, none):  # it takes a while
            stubber.add_response("list_recovery_points_by_backup_vault", left, name)
        told: list[str] = []
        Teardown(stack(FakeEngine({"platform": (vault,)}), told), account, None, list).run("", Clock().patience())
        stubber.assert_no_pending_responses()
    assert "waiting for copy" in told


def test_a_teardown_that_stops_half_way_says_what_is_left(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the reason, and exit code 6: a person must look."""
    network(account)
    arn = database(account, "primetrade-dev-database")
    engine = FakeEngine({"platform": (Owned("db", DATABASE, "db-1", arn),)})
    engine.refuses = ["deleting: DependencyViolation"]
    monkeypatch.setattr(infra_ops, "engine", lambda: engine)
    monkeypatch.setattr(Account, "check", lambda self: None)
    done = call("teardown", "dev", "--context", "none", "--really")
    assert Exit.NEEDS_PERSON == done.exit_code
    assert f"left over: {arn}" in done.stdout
    assert "stopped: deleting: DependencyViolation" in done.stdout


def test_waiting_ends_with_what_is_left() -> None:
    """It names it once, and does not wait for ever."""
    told: list[str] = []
    with pytest.raises(OpsError, match="after 10 s there is still a load balancer"):
        Clock().patience(10).until(lambda: "a load balancer", told.append)
    assert ["waiting for a load balancer"] == told


# Drill.


NOW = datetime(2026, 1, 1, tzinfo=UTC)


def backups(
    account: Account,
    age: timedelta = timedelta(minutes=5),
    statuses: tuple[str, ...] = ("creating", "available"),
    refused: str = "",
) -> Stubber:
    """AWS as described, since moto knows neither ARNs nor windows of automated backups."""
    stubber, arn = Stubber(account.rds), "arn:aws:rds:us-east-1:1:db:primetrade-dev-database"
    answer = {"DBInstanceArn": arn, "DBInstanceAutomatedBackupsArn": "arn:aws:rds:us-east-1:1:auto-backup:ab-1"}
    window = {"RestoreWindow": {"EarliestTime": NOW - timedelta(days=7), "LatestTime": NOW - age}}
    instance = {
        "DBInstanceIdentifier": "primetrade-dev-database",
        "DBInstanceArn": arn,
        "DBInstanceStatus": "available",
        "DBInstanceClass": "db.t4g.medium",
        "DBSubnetGroup": {"DBSubnetGroupName": "subnets"},
        "VpcSecurityGroups": [{"VpcSecurityGroupId": "sg-1", "Status": "active"}],
    }
    stubber.add_response("describe_db_instances", {"DBInstances": [instance]})
    found = {"DBInstanceAutomatedBackups": [{**answer, **window}]}
    stubber.add_response("describe_db_instance_automated_backups", found)
    stubber.add_response("describe_db_instances", {"DBInstances": []})
    stubber.add_response("describe_db_instances", {"DBInstances": [instance]})
    stubber.add_response("restore_db_instance_to_point_in_time", {"DBInstance": {}})
    for status in statuses:
        copy = {**instance, "DBInstanceStatus": status}
        stubber.add_response("describe_db_instances", {"DBInstances": [copy]})
    if refused:
        stubber.add_client_error("delete_db_instance", "InvalidDBInstanceState", refused)
    else:
        stubber.add_response("delete_db_instance", {"DBInstance": {}})
    return stubber


@pytest.mark.parametrize(("age", "missed"), [(timedelta(minutes=5), []), (timedelta(hours=1), ["RPO: the copy"])])
def test_a_drill_restores_a_copy_times_it_and_deletes_it(account: Account, age: timedelta, missed: list[str]) -> None:
    """Calls and answers are held against AWS's own description of them."""
    platform = read_stack("dev").platform
    with backups(account, age) as stubber:
        exercise = Exercise(platform, account, lambda: NOW)
        look = exercise.look()
        steps = exercise.run(look, Clock().patience(), lambda line: None)
        stubber.assert_no_pending_responses()
    found = exercise.report("dev", look, steps)
    assert 1 == found.rto_s
    assert missed == [words.rpartition(" is ")[0] for words in found.missed]


def test_a_copy_that_cannot_be_deleted_is_named_and_hides_no_other_error(account: Account) -> None:
    """With the command that deletes it, also where nothing else went wrong."""
    told: list[str] = []
    exercise = Exercise(read_stack("dev").platform, account, lambda: NOW)
    with backups(account, statuses=("creating",) * 2, refused="is being created"):
        look = exercise.look()
        with pytest.raises(OpsError, match="after 1 s there is still primetrade-dev-database-drill, which is creating"):
            exercise.run(look, Clock().patience(1), told.append)
    assert "is being created" in told[-1]
    assert "--db-instance-identifier primetrade-dev-database-drill --skip-final-snapshot" in told[-1]
    with backups(account, refused="is being modified"):
        look = exercise.look()
        with pytest.raises(
            OpsError, match=r"drill was not deleted \(.* is being modified\).*aws rds delete-db-instance"
        ):
            exercise.run(look, Clock().patience(), told.append)


def test_a_copy_that_a_killed_drill_left_is_seen(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the next drill, which does not start, by a dry one, and by whoever looks for our tags."""
    network(account)
    database(account, "primetrade-dev-database")
    arn = database(account, "primetrade-dev-database-drill")
    tags = Exercise(read_stack("dev").platform, account)._tags()
    account.rds.remove_tags_from_resource(ResourceName=arn, TagKeys=[each["Key"] for each in TAGS])
    account.rds.add_tags_to_resource(
        ResourceName=arn, Tags=[{"Key": key, "Value": value} for key, value in tags.items()]
    )
    assert arn in [each.arn for each in by_tags(account, "primetrade", "dev")]
    monkeypatch.setattr(infra_ops, "engine", FakeEngine)
    monkeypatch.setattr(Account, "check", lambda self: None)
    said = "primetrade-dev-database-drill of an earlier drill is available and costs money; aws rds delete-db-instance"
    assert said in call("drill", "dev").stdout
    exercise = Exercise(read_stack("dev").platform, account)
    look = msgspec.structs.replace(exercise.look(), backups="arn:aws:rds:us-east-1:1:auto-backup:ab-1")
    with pytest.raises(OpsError, match="of an earlier drill is available"):
        exercise.run(look, Clock().patience(), lambda line: None)


def test_a_drill_without_backups_says_so(account: Account) -> None:
    """Those of moto are none that can be restored."""
    network(account)
    database(account, "primetrade-dev-database")
    exercise = Exercise(read_stack("dev").platform, account)
    look = exercise.look()
    assert ["RPO: nothing says how old the copy is"] == exercise.report("dev", look, ()).missed
    with pytest.raises(OpsError, match="no backups to restore"):
        exercise.run(look, Clock().patience(), lambda line: None)


# The verbs.


def call(*words: str) -> Result:
    return CliRunner().invoke(command, list(words))


def test_the_wrong_account_is_refused(account: Account) -> None:
    """Before anything is read or changed."""
    with pytest.raises(ConfigError, match="credentials are of 123456789012, the stack is in 1"):
        Account("1", "us-east-1").check()
    assert Exit.USAGE == call("drift", "dev").exit_code


def test_a_shell_without_credentials_is_told_how_to_get_some(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was asked yet, so nothing was changed."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    done = call("drift", "dev")
    assert Exit.USAGE == done.exit_code
    assert "no credentials, the stack is in 222222222222: log in, such as by `aws sso login`" in done.stderr


def test_the_verbs_end_with_the_codes_of_the_one_table(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """6 where a person must decide, 0 where nothing is to be decided."""
    engine = FakeEngine(previews={"platform": (Step("delete", "db", DATABASE),)})
    monkeypatch.setattr(infra_ops, "engine", lambda: engine)
    monkeypatch.setattr(Account, "check", lambda self: None)
    assert Exit.NEEDS_PERSON == call("deploy", "dev").exit_code
    assert Exit.DONE == call("deploy", "dev", "--allow", "db").exit_code
    assert Exit.DONE == call("drift", "dev").exit_code
    assert Exit.USAGE == call("teardown", "dev").exit_code
    done = call("teardown", "dev", "--context", "none")
    assert (Exit.DONE, "nothing was changed; add --really to do it") == (done.exit_code, done.stdout.splitlines()[-1])
    assert [] == [words for words in engine.asked if not words.startswith("preview")]
    network(account)
    database(account, "stray")
    assert Exit.NEEDS_PERSON == call("drift", "dev", "--json").exit_code
