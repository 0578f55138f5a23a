"""What holds for every resource of every committed stack."""

from __future__ import annotations

import importlib
import inspect
import json
from collections.abc import Callable

import pulumi_aws
import pytest

from infra.plan import golden
from infra.plan.graph import Graph, Resource, to_json
from infra.plan.run import STAND_IN
from infra.plan.tree import difference_lines
from infra.platform.outputs import Outputs
from infra.policy.rule import judge
from infra.policy.rules import RULES
from infra.stackfile import ROOT, STACKS, read_stack

OTHERWISE = ("kms/key", "kms/replicaKey", "ecr/lifecyclePolicy")  # policies of keys allow their account all
KEEPS_DATA = ("kms/key", "rds/instance")


def can_have_tags(resource: Resource) -> bool:
    """As the SDK's own type says."""
    _, module, kind = resource.type.split(":")
    package = module.partition("/")[0].replace("lambda", "lambda_")  # a word of Python's own
    found = getattr(importlib.import_module(f"{pulumi_aws.__name__}.{package}"), kind)
    return "tags" in inspect.signature(found._internal_init).parameters


def test_the_plan_is_the_committed_one(stack: Graph) -> None:
    """A change of what AWS gets is a change of a file; if it is meant: primetrade infra plan STACK --write."""
    before = golden.read(stack.stack)
    assert before is not None
    assert [] == list(difference_lines(before, stack))


def test_the_first_deployment_names_nothing_that_is_not_there_yet(graph_of: Callable[..., Graph]) -> None:
    """A load balancer and a package: the page says to leave them out; without them production is right."""
    page = (ROOT / "docs/how-to/first-deployment-aws.md").read_text()
    graph = graph_of("prod", edge={"load_balancer": None}, archive={"package": None})
    left = {"edge.load_balancer": "route53/healthCheck", "archive.package": "lambda/function"}
    assert [] == [key for key, kind in left.items() if f"- `{key}`" not in page or graph.of(kind)]
    assert [] == judge(graph, RULES)


def test_everything_is_in_the_account_and_region_of_its_stack(stack: Graph) -> None:
    """By the one provider, which refuses any other account."""
    (provider,) = stack.of("pulumi:providers")
    platform = read_stack(stack.stack).platform
    assert [] == [each.name for each in stack.made if each.provider != provider.name]
    assert platform.region == provider.inputs["region"]
    regions = {platform.region, platform.recovery.copy_to}
    assert [] == [each.name for each in stack.made if each.inputs.get("region", platform.region) not in regions]
    assert [platform.account] == json.loads(str(provider.inputs["allowedAccountIds"]))


def test_everything_that_can_have_tags_says_whose_it_is(stack: Graph) -> None:
    """Costs are told apart by tags; the provider puts them on, and nothing overrides them."""
    (provider,) = stack.of("pulumi:providers")
    common = json.loads(str(provider.inputs["defaultTags"]))["tags"]
    assert {"project", "environment", "owner", "managed-by"} == common.keys()
    tagged = [each for each in stack.made if can_have_tags(each)]
    assert len(tagged) > 20
    own = {each.name: each.inputs.get("tags", {}) for each in tagged}
    assert {} == {name: tags for name, tags in own.items() if isinstance(tags, dict) and tags.keys() & common.keys()}


def test_no_secret_stands_in_clear(stack: Graph) -> None:
    """Wherever it goes, the program hands it on as a secret."""
    assert STAND_IN.encode() not in to_json(stack)


def test_everything_is_in_a_component(stack: Graph) -> None:
    """So that a plan reads as parts, and each has an owner in the code."""
    components = {each.name for each in stack.resources if each.is_component}
    assert [] == [each.name for each in stack.made if each.parent not in components]


@pytest.mark.parametrize("name", ["prod", "dr"])
def test_what_holds_data_is_protected(committed: Callable[[str], Graph], name: str) -> None:
    """Pulumi refuses to delete or replace it until a person lifts that."""
    kept = [each for each in committed(name).of(*KEEPS_DATA) if "-replica-" not in each.name]
    assert kept
    assert [] == [each.name for each in kept if not each.protect]


def test_development_can_be_torn_down(committed: Callable[[str], Graph]) -> None:
    """Nothing there is protected."""
    assert [] == [each.name for each in committed("dev").resources if each.protect]


def test_keys_are_turned_every_year(stack: Graph) -> None:
    """CIS AWS Foundations 3.6."""
    keys = stack.of("kms/key")
    assert keys
    assert [] == [each.name for each in keys if not each.inputs["enableKeyRotation"]]


def test_logs_are_encrypted_and_end(stack: Graph) -> None:
    """CloudWatch keeps them for ever unless told."""
    groups = stack.of("cloudwatch/logGroup")
    assert groups
    assert [] == [each.name for each in groups if not {"kmsKeyId", "retentionInDays"} <= each.inputs.keys()]


def test_no_statement_allows_every_action(stack: Graph) -> None:
    """But that of a key to its own account, which leaves the choice to IAM; whoever denies may deny all."""
    policies = {
        each.name: json.loads(str(text))
        for each in stack.made
        for key in ("policy", "policyDocument", "assumeRolePolicy")
        if (text := each.inputs.get(key)) and not any(f"aws:{kind}:" in each.type for kind in OTHERWISE)
    }
    assert policies
    wide = [
        name
        for name, policy in policies.items()
        for statement in policy["Statement"]
        if statement["Effect"] == "Allow"
        for actions in [[statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]]
        if any(action.endswith("*") for action in actions)
    ]
    assert [] == wide


def test_nothing_is_open_to_the_world(stack: Graph) -> None:
    """No rule of any security group lets anybody in from anywhere."""
    rules = stack.of("vpc/securityGroupIngressRule")
    anywhere = ("0.0.0.0/0", "::/0")
    assert [] == [
        each.name for each in rules if {each.inputs.get("cidrIpv4"), each.inputs.get("cidrIpv6")} & {*anywhere}
    ]
    assert [] == [each.name for each in stack.of("ec2/securityGroup") if "ingress" in each.inputs]


def test_exports_are_the_contract(stack: Graph) -> None:
    """What the next programs read is there on every stack, under the names they know."""
    exports = stack.exports
    assert [] == [name for name in Outputs._fields if name not in {*exports, *Outputs._field_defaults}]
    assert [] == [name for name in exports if name not in Outputs._fields]


def test_secrets_stand_in_fields_that_no_state_keeps(stack: Graph) -> None:
    """Pulumi's state would hold every other for ever, sealed; CloudFront has no such field for what it sends."""
    found = [(each.name, path) for each in stack.made for path in each.secrets if not path.endswith("Wo")]
    assert [] == [each for each in found if each[1] != "origins[0].customHeaders[0].value"]
    assert () == stack.secret_exports


def test_the_program_is_short() -> None:
    """Load, build, export."""
    assert len((STACKS / "__main__.py").read_text().splitlines()) < 40
