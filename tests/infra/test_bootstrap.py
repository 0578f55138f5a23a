"""The first program of an account: its state is safe, and each role may do its work and no more."""

from __future__ import annotations

import fnmatch
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.bootstrap import derive, page, policies
from infra.bootstrap.access import by_hand
from infra.bootstrap.config import Account, File
from infra.bootstrap.names import role_arn
from infra.components.controllers import may
from infra.components.github import HOST
from infra.components.watch import DEPLOYS
from infra.plan import golden, programs
from infra.plan.graph import Graph
from infra.plan.run import record, run_program
from infra.plan.tree import difference_lines
from infra.policy.rule import judge
from infra.policy.rules import RULES
from infra.stackfile import ROOT, read_file, read_stack, stacks
from tests.infra.samples import sound

STACKS = programs.PROGRAMS["bootstrap"].stacks


@cache
def planned(stack: str) -> Graph:
    return programs.plan("bootstrap", stack)


@pytest.fixture(params=STACKS)
def account(request: pytest.FixtureRequest) -> Graph:
    """The plan of each account in turn."""
    return planned(request.param)


def statements(graph: Graph, role: str) -> list[dict[str, Any]]:
    own = [each for each in graph.of("iam/policy") if f"-{role}-" in each.name]
    return [statement for each in own for statement in json.loads(str(each.inputs["policy"]))["Statement"]]


def allowed(graph: Graph, role: str, action: str) -> bool:
    """Whether any statement allows it on anything and none denies it everywhere."""
    found = about(graph, role, action)
    denied = [each for each in found if each["Effect"] == "Deny" and each.get("Resource") == ["*"]]
    return bool([each for each in found if each["Effect"] == "Allow"]) and not denied


def about(graph: Graph, role: str, action: str) -> list[dict[str, Any]]:
    """The statements that speak of an action. IAM does not mind case."""
    return [
        each
        for each in statements(graph, role)
        if any(fnmatch.fnmatch(action.lower(), pattern.lower()) for pattern in each["Action"])
    ]


def allowed_on(graph: Graph, role: str, action: str, arn: str) -> bool:
    """Whether it is allowed on this one: by some statement, and denied by none."""
    found = about(graph, role, action)
    effects = {
        each["Effect"]
        for each in found
        if any(fnmatch.fnmatchcase(arn, pattern) for pattern in each.get("Resource", ()))
        or ("NotResource" in each and not any(fnmatch.fnmatchcase(arn, pattern) for pattern in each["NotResource"]))
    }
    return effects == {"Allow"}


def test_the_plan_is_the_committed_one(account: Graph) -> None:
    """If a change is meant: primetrade infra plan STACK --program bootstrap --write."""
    before = golden.read(account.stack, account.project)
    assert before is not None
    assert [] == list(difference_lines(before, account))


def test_no_rule_is_broken(account: Graph) -> None:
    """The same rules as of the platform."""
    assert [] == judge(account, RULES)


def test_state_is_sealed_kept_and_protected(account: Graph) -> None:
    """It holds every secret of every environment; what is deleted by mistake has a version."""
    (bucket,) = account.of("s3/bucket")
    (versions,) = account.of("s3/bucketVersioning")
    (key,) = account.of("kms/key")
    assert (True, True) == (bucket.protect, key.protect)
    assert {"status": "Enabled"} == versions.inputs["versioningConfiguration"]
    assert f"${{{key.name}.arn}}" in str(account.of("s3/bucketServerSideEncryptionConfiguration")[0].inputs)
    (life,) = account.of("s3/bucketLifecycleConfiguration")
    assert "noncurrentVersionExpiration" in str(life.inputs)
    assert "'expiration'" not in str(life.inputs)


def test_the_page_shows_the_policies_that_are_planned() -> None:
    """If they changed: make docs."""
    assert page.PAGE.read_text() == page.page()


def test_the_permissions_are_those_of_the_committed_graphs() -> None:
    """A new type in the platform needs new rights first: python -m infra.bootstrap.derive, then this program's `up`."""
    assert derive.FILE.read_text() == derive.text(derive.derive(derive.committed()))


def test_aws_says_what_every_type_needs() -> None:
    """None would be deployed by chance."""
    assert () == derive.read_permissions().unknown


def test_the_deploy_role_may_do_what_the_graphs_need_and_the_plan_role_may_not() -> None:
    """Each action that makes, changes or deletes."""
    graph, write = planned("production"), derive.read_permissions().write
    assert {*policies.ASIDE, *policies.FORGETS} >= {action for action in write if not allowed(graph, "deploy", action)}
    assert [] == [action for action in write if allowed(graph, "plan", action)]


@pytest.mark.parametrize("role", ["deploy", "plan"])
def test_both_roles_may_look(role: str) -> None:
    """So that a plan sees what a deployment will."""
    assert [] == [each for each in derive.read_permissions().read if not allowed(planned("production"), role, each)]


NEEDS: dict[str, dict[str, str]] = yaml.safe_load(Path(__file__).with_name("calls.yaml").read_text())
KINDS = sorted({each.type.split(":")[1] for graph in derive.committed() for each in graph.made if "aws:" in each.type})


@pytest.mark.parametrize("kind", KINDS)
def test_the_deploy_role_may_all_that_the_provider_calls_for_a_type(kind: str) -> None:
    """By a table that is read from the provider's source, not from what the role is made of; a new type has none yet.

    The plan role may look at the same, else `drift` would stop half-way.
    """
    wanted = [f"{service}:{name}" for service, names in NEEDS[kind].items() for name in names.split()]
    assert [] == [action for action in wanted if not derive.known(action)]
    graph = planned("production")
    refused = {action for action in wanted if not allowed(graph, "deploy", action)}
    assert refused <= set(policies.FORGETS)  # there an administrator's
    assert [] == [action for action in refused if not allowed(planned("development"), "deploy", action)]
    looks = [action for action in wanted if action.partition(":")[2].startswith(("Describe", "Get", "List"))]
    assert [] == [action for action in looks if not allowed(graph, "plan", action)]


def test_the_table_has_no_type_that_is_not_made() -> None:
    """It would be nobody's to keep."""
    assert KINDS == sorted(NEEDS)


@pytest.mark.parametrize("role", ["break-glass", "deploy", "plan", "review"])
def test_every_action_is_one_of_iam(role: str) -> None:
    """Of a service that is known; what nobody can call gives a false feeling of having been granted."""
    graph = planned("production")
    actions = [action for each in statements(graph, role) for action in each["Action"]]
    assert actions
    assert [] == [action for action in actions if not derive.known(action)]


@pytest.mark.parametrize("role", ["deploy", "plan"])
@pytest.mark.parametrize("stack", stacks())
def test_a_role_reads_the_secrets_that_a_program_wrote_and_no_others(role: str, stack: str) -> None:
    """The provider reads each back; those of others, RDS's own among them, stay closed."""
    graph = golden.read(stack)
    assert graph is not None
    secrets = [each.name for each in graph.of("secretsmanager/secret")]
    assert secrets
    at, action = "arn:aws:secretsmanager:us-east-1:111111111111:secret", "secretsmanager:GetSecretValue"
    mine = planned("production")
    assert [] == [name for name in secrets if not allowed_on(mine, role, action, f"{at}:{name}-0a1b2c3-AbCdEf")]
    assert [] == [name for name in ("rds!db-1", "payroll") if allowed_on(mine, role, action, f"{at}:{name}-AbCdEf")]
    assert not allowed(mine, role, "secretsmanager:BatchGetSecretValue")


def test_a_role_touches_the_files_that_a_program_names_and_no_others() -> None:
    """What CloudFront shows when nothing answers, and the package of a function; no task of any user."""
    mine, put, get = planned("production"), "s3:PutObject", "s3:GetObject"
    for graph in derive.committed():
        for each in graph.of("s3/bucketObjectv2"):
            arn = f"arn:aws:s3:::{str(each.inputs['bucket'])[2:-4]}-0a1b2c3/{each.inputs['key']}"
            assert allowed_on(mine, "deploy", put, arn), arn
            assert allowed_on(mine, "deploy", "s3:DeleteObjectVersion", arn), arn
            assert allowed_on(mine, "plan", get, arn), arn
            assert not allowed_on(mine, "plan", put, arn), arn
        for each in graph.of("lambda/function"):
            bucket = f"arn:aws:s3:::{str(each.inputs['s3Bucket'])[2:-4]}-0a1b2c3"
            assert allowed_on(mine, "deploy", get, f"{bucket}/{each.inputs['s3Key']}")
            assert not allowed_on(mine, "deploy", get, f"{bucket}/tasks/2026/01.jsonl")


# boto3's client of infra/ops/account.py → the service, where IAM's words are not those of the API.
CLIENTS = {"balancing": "elasticloadbalancing", "tags": "tag"}
WORDS = {"ListObjectVersions": "ListBucketVersions", "DeleteObjects": "DeleteObjectVersion"}


def test_the_verbs_may_what_they_call() -> None:
    """Deploy, drift, drill and teardown run as the deploy role; what they call is read from their source."""
    text = "".join(path.read_text() for path in sorted((ROOT / "infra/ops").glob("*.py")))
    clients = "|".join(re.findall(r"def (\w+)\(self\) -> \w+Client", text))
    called = re.findall(rf'\b(?:account|there)\.({clients})\.(?:get_paginator\("(\w+)"\)|(\w+)\()', text)
    actions = set()
    for client, pages, method in called:
        name = "".join(word.capitalize() for word in (pages or method).split("_")).replace("Db", "DB")
        actions.add(f"{CLIENTS.get(client, client)}:{WORDS.get(name, name)}")
    assert {"tag:GetResources", "cloudwatch:PutMetricData", "rds:ModifyDBInstance"} <= actions
    assert [] == sorted(each for each in actions if not allowed(planned("development"), "deploy", each))


def test_numbers_are_told_only_of_deploys() -> None:
    """CloudWatch asks for a namespace, since numbers have no ARN."""
    (statement,) = about(planned("production"), "deploy", "cloudwatch:PutMetricData")
    assert {"StringEquals": {"cloudwatch:namespace": DEPLOYS[0]}} == statement["Condition"]


@pytest.mark.parametrize("action", policies.FORGETS)
def test_no_backup_of_production_ends_before_its_time(action: str) -> None:
    """By the deploy role, nor by any that it makes: the vault's lock would not hold who may lift it."""
    assert not allowed(planned("production"), "deploy", action)
    boundary = next(each for each in planned("production").of("iam/policy") if each.name.endswith("-boundary"))
    denied = [each for each in json.loads(str(boundary.inputs["policy"]))["Statement"] if each["Effect"] == "Deny"]
    assert action in [name for each in denied for name in each.get("Action", ())]


def test_what_a_teardown_empties_is_emptied_only_where_no_data_is_kept() -> None:
    """Production's account has an administrator for that."""
    at = "arn:aws:s3:::primetrade-staging-edge-logs-0a1b2c3/log.gz"
    for stack, empties in (("development", True), ("production", False)):
        assert empties is allowed_on(planned(stack), "deploy", "s3:DeleteObjectVersion", at)
        assert empties is allowed(planned(stack), "deploy", "ecr:BatchDeleteImage")
        assert empties is allowed(planned(stack), "deploy", "backup:DeleteRecoveryPoint")


@pytest.mark.parametrize("action", ["dynamodb:Scan", "lambda:InvokeFunction", "iam:CreateAccessKey"])
def test_no_role_reads_what_users_entrusted_or_makes_a_key(action: str) -> None:
    """Who deploys what holds data does not need the data."""
    assert not allowed(planned("production"), "plan", action)
    assert not allowed(planned("production"), "deploy", action)


def test_a_role_is_made_only_within_the_boundary(account: Graph) -> None:
    """Else the deploy role could make one that may more than itself."""
    boundary = next(each for each in account.of("iam/policy") if each.name.endswith("-boundary"))
    for statement in statements(account, "deploy"):
        if statement["Effect"] == "Allow" and set(statement["Action"]) & set(policies.BOUND):
            bound = statement["Condition"]["StringEquals"]["iam:PermissionsBoundary"]
            assert bound.endswith(f":policy/{boundary.inputs['name']}")
            assert ["arn:aws:iam::*:role/*"] != statement["Resource"]


def test_what_the_platform_makes_is_within_it() -> None:
    """Every role of every stack names the policy that the account's program makes."""
    made = {str(each.inputs["name"]) for stack in STACKS for each in planned(stack).of("iam/policy")}
    for stack in stacks():
        graph = golden.read(stack)
        assert graph is not None
        roles = graph.of("iam/role")
        assert roles
        assert {str(each.inputs.get("permissionsBoundary")).rpartition("/")[2] for each in roles} <= made


def test_no_program_changes_who_may_run_it(account: Graph) -> None:
    """Nor ends its state: denied by name, whatever else is allowed."""
    denied = [each for each in statements(account, "deploy") if each["Effect"] == "Deny"]
    fixed = next(each["Resource"] for each in denied if each["Action"] == ["iam:*"])
    number = account.of("pulumi:providers")[0].inputs["allowedAccountIds"]
    for role in account.of("iam/role"):
        assert role_arn(json.loads(str(number))[0], "primetrade", str(role.inputs["name"])[11:]) in fixed  # type: ignore[arg-type]
    assert {"s3:DeleteBucket", "kms:ScheduleKeyDeletion"} <= {action for each in denied for action in each["Action"]}


def test_workflows_plan_pull_requests_and_deploy_from_a_guarded_environment(account: Graph) -> None:
    """What opens state and secrets is taken from main only; a deployment has reviewers."""
    subjects = {}
    for role in account.of("iam/role"):
        trust = json.loads(str(role.inputs["assumeRolePolicy"]))["Statement"][0]
        subjects[role.inputs["name"]] = trust.get("Condition", {}).get("StringLike", {}).get(f"{HOST}:sub")
    assert ["repo:primetrade/task-api:environment:infrastructure"] == subjects["primetrade-deploy"]
    assert ["repo:primetrade/task-api:ref:refs/heads/main"] == subjects["primetrade-plan"]
    assert ["repo:primetrade/task-api:pull_request"] == subjects["primetrade-review"]


def test_a_pull_request_opens_nothing(account: Graph) -> None:
    """Nobody has read its code: it finds the cluster and looks at load balancers, and that is all it may."""
    found = {action for each in statements(account, "review") for action in each["Action"]}
    assert {"eks:DescribeCluster"} == {each for each in found if not each.startswith("elasticloadbalancing:Describe")}
    (cluster,) = about(account, "review", "eks:DescribeCluster")
    number = json.loads(str(account.of("pulumi:providers")[0].inputs["allowedAccountIds"]))[0]
    assert [f"arn:aws:eks:*:{number}:cluster/primetrade-*"] == cluster["Resource"]


def test_the_glass_is_broken_by_named_people(account: Graph) -> None:
    """And gives no more on AWS than finding the cluster; inside it is an administrator."""
    role = next(each for each in account.of("iam/role") if each.inputs["name"] == "primetrade-break-glass")
    (trust,) = json.loads(str(role.inputs["assumeRolePolicy"]))["Statement"]
    assert all("/AWSReservedSSO_" in each for each in trust["Principal"]["AWS"])
    assert {"eks:ListClusters", "eks:DescribeCluster"} == {
        action for each in statements(account, "break-glass") for action in each["Action"]
    }


def test_people_deploy_by_hand_only_where_they_are_named(account: Graph) -> None:
    """The first deployment and a tear-down are theirs; nobody else but GitHub comes in."""
    role = next(each for each in account.of("iam/role") if each.inputs["name"] == "primetrade-deploy")
    github, people = json.loads(str(role.inputs["assumeRolePolicy"]))["Statement"]
    assert "sts:AssumeRoleWithWebIdentity" == github["Action"]
    named = read_file(account.stack, programs.PROGRAMS["bootstrap"].directory, File).config.account.deployers
    assert list(named) == people["Principal"]["AWS"]
    assert [] == by_hand([])


SSO = "arn:aws:iam::111111111111:role/aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_sre_0123456789abcdef"
USER = "arn:aws:iam::111111111111:user/ada"


def test_a_second_factor_is_asked_of_who_can_show_one() -> None:
    """No session of Identity Center says that there was one, so a condition on it would let nobody in."""
    users, roles = by_hand([SSO, USER])
    assert ({"AWS": [USER]}, {"Bool": {"aws:MultiFactorAuthPresent": "true"}}) == (
        users["Principal"],
        users["Condition"],
    )
    assert ({"AWS": [SSO]}, False) == (roles["Principal"], "Condition" in roles)


def test_every_environment_has_an_account_that_lets_it_deploy() -> None:
    """Its account and region stand in a file of this program."""
    directory = programs.PROGRAMS["bootstrap"].directory
    accounts = [read_file(stack, directory, File).config.account for stack in STACKS]
    regions = {(each.account, region) for each in accounts for region in each.regions}
    assert {(read_stack(stack).platform.account, read_stack(stack).platform.region) for stack in stacks()} <= regions


LETTERS = st.text("abcdefghijklmnopqrstuvwxyz", min_size=8, max_size=30)


@given(st.lists(st.lists(LETTERS.map(lambda word: f"s3:Get{word}"), min_size=1, max_size=400), max_size=5))
def test_policies_are_cut_to_what_iam_takes_and_lose_nothing(lists: list[list[str]]) -> None:
    """6,144 characters each, all actions in order."""
    packed = policies.packed([may(actions) for actions in lists])
    assert [] == [text for text in packed if len("".join(text.split())) > policies.LIMIT]
    found = [action for text in packed for each in json.loads(text)["Statement"] for action in each["Action"]]
    assert [action for actions in lists for action in actions] == found


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"regions": ["eu-west-1"]}, "regions: has no us-east-1"),
        ({"people": []}, "people"),
        ({"people": ["arn:aws:iam::111111111111:role/on-call"]}, "people"),  # any session of it, without a factor
        ({"deployers": ["arn:aws:iam::111111111111:root"]}, "deployers"),
        ({"github": "primetrade"}, "github"),
    ],
)
def test_an_account_that_could_not_be_deployed_to_is_refused(changes: dict[str, Any], words: str) -> None:
    """By key."""
    good = {
        "account": "111111111111",
        "profile": "prod",
        "region": "us-east-1",
        "regions": ["us-east-1"],
        "owner": "sre",
        "github": "a/b",
        "people": [USER, SSO],
    }
    msgspec.convert(good, Account)
    with pytest.raises(msgspec.ValidationError, match=words):
        msgspec.convert({**good, **changes}, Account)


def people(least: int) -> st.SearchStrategy[list[str]]:
    """Users of IAM and roles of Identity Center."""
    center = "role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_"
    ways = st.sampled_from(["user/", center])
    names = st.from_regex(r"\A[a-z]{1,20}\Z")
    return st.lists(
        st.builds("arn:aws:iam::111111111111:{}{}".format, ways, names), min_size=least, max_size=4, unique=True
    )


@settings(max_examples=5)  # each runs the whole program
@given(
    st.fixed_dictionaries(
        {
            "account": st.just("111111111111"),
            "profile": st.sampled_from(["prod", "dev"]),
            "region": st.just("us-east-1"),
            "regions": st.sampled_from([["us-east-1"], ["us-east-1", "eu-west-1"], ["eu-west-1", "us-east-1"]]),
            "owner": st.from_regex(r"\A[a-z]{1,10}@[a-z]{1,10}\Z"),
            "github": st.from_regex(r"\A[a-z0-9-]{1,39}/[a-z0-9._-]{1,60}\Z"),
            "people": people(1),
        },
        optional={
            "deployers": people(0),
            "name": st.from_regex(r"\A[a-z][a-z0-9]{1,7}(-[a-z0-9]{1,7})?\Z"),
            "state_days": st.integers(30, 3650),
        },
    )
)
def test_every_account_keeps_its_state_and_lends_its_roles_to_those_who_are_named(whole: dict[str, Any]) -> None:
    """To GitHub's one repository, and by hand to exactly these people; nothing of it is deleted by a slip."""
    program = programs.PROGRAMS["bootstrap"]
    config = {"primetrade-bootstrap:account": json.dumps(whole)}
    graph = record(lambda: run_program(program.directory), program.project, "some", config)
    sound(graph)
    name = whole.get("name", "primetrade")
    roles = {str(each.inputs["name"]): each for each in graph.of("iam/role")}
    assert {f"{name}-plan", f"{name}-review", f"{name}-deploy", f"{name}-break-glass"} == roles.keys()
    kinds = ("iam/role", "iam/policy", "kms/key", "s3/bucket")
    assert [] == [each.name for each in graph.of(*kinds) if not each.protect]
    trust = {key: json.loads(str(each.inputs["assumeRolePolicy"]))["Statement"] for key, each in roles.items()}
    hands = {key: {arn for each in found for arn in each["Principal"].get("AWS", [])} for key, found in trust.items()}
    assert {*whole["people"]} == hands[f"{name}-break-glass"]
    assert {*whole.get("deployers", [])} == hands[f"{name}-deploy"]
    asked = re.findall(r"repo:([^:\"]+):", json.dumps(trust))
    assert {whole["github"]} == {*asked}
