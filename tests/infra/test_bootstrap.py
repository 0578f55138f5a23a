"""The first program of an account: its state is safe, and each role may do its work and no more."""

from __future__ import annotations

import fnmatch
import json
from functools import cache
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.bootstrap import derive, page, policies
from infra.bootstrap.config import Account, File
from infra.bootstrap.names import role_arn
from infra.components.controllers import may
from infra.components.github import HOST
from infra.plan import golden, programs
from infra.plan.graph import Graph
from infra.plan.tree import difference_lines
from infra.policy.rule import judge
from infra.policy.rules import RULES
from infra.stackfile import read_file, read_stack, stacks

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
    """Whether any statement allows it on anything and none denies it everywhere. IAM does not mind case."""
    found = [
        each
        for each in statements(graph, role)
        if any(fnmatch.fnmatch(action.lower(), pattern.lower()) for pattern in each["Action"])
    ]
    denied = [each for each in found if each["Effect"] == "Deny" and each["Resource"] == ["*"]]
    return bool([each for each in found if each["Effect"] == "Allow"]) and not denied


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
    assert set(policies.ASIDE) >= {action for action in write if not allowed(graph, "deploy", action)}
    assert [] == [action for action in write if allowed(graph, "plan", action)]


@pytest.mark.parametrize("role", ["deploy", "plan"])
def test_both_roles_may_look(role: str) -> None:
    """So that a plan sees what a deployment will."""
    assert [] == [each for each in derive.read_permissions().read if not allowed(planned("production"), role, each)]


@pytest.mark.parametrize("action", ["secretsmanager:GetSecretValue", "dynamodb:Scan", "iam:CreateAccessKey"])
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
    """A pull request only reads; a deployment has reviewers."""
    subjects = {}
    for role in account.of("iam/role"):
        trust = json.loads(str(role.inputs["assumeRolePolicy"]))["Statement"][0]
        subjects[role.inputs["name"]] = trust["Condition"].get("StringLike", {}).get(f"{HOST}:sub")
    assert ["repo:primetrade/task-api:environment:infrastructure"] == subjects["primetrade-deploy"]
    assert ["repo:primetrade/task-api:pull_request", "repo:primetrade/task-api:ref:refs/heads/main"] == (
        subjects["primetrade-plan"]
    )


def test_the_glass_is_broken_by_named_people_with_a_second_factor(account: Graph) -> None:
    """And gives no more on AWS than finding the cluster; inside it is an administrator."""
    role = next(each for each in account.of("iam/role") if each.inputs["name"] == "primetrade-break-glass")
    (trust,) = json.loads(str(role.inputs["assumeRolePolicy"]))["Statement"]
    assert {"Bool": {"aws:MultiFactorAuthPresent": "true"}} == trust["Condition"]
    assert all(":role/" in each for each in trust["Principal"]["AWS"])
    assert {"eks:ListClusters", "eks:DescribeCluster"} == {
        action for each in statements(account, "break-glass") for action in each["Action"]
    }


def test_every_environment_has_an_account_that_lets_it_deploy() -> None:
    """Its account and region stand in a file of this program."""
    directory = programs.PROGRAMS["bootstrap"].directory
    accounts = [read_file(stack, directory, File).config.account for stack in STACKS]
    regions = {(each.account, region) for each in accounts for region in each.regions}
    assert {(read_stack(stack).platform.account, read_stack(stack).platform.region) for stack in stacks()} <= regions


WORDS = st.text("abcdefghijklmnopqrstuvwxyz", min_size=8, max_size=30)


@given(st.lists(st.lists(WORDS.map(lambda word: f"s3:Get{word}"), min_size=1, max_size=400), max_size=5))
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
        "people": ["arn:aws:iam::111111111111:role/on-call"],
    }
    with pytest.raises(msgspec.ValidationError, match=words):
        msgspec.convert({**good, **changes}, Account)
