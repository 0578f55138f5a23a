"""The cluster: who may come, in what order its parts are made, and what each choice makes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.components.addons import ADDONS
from infra.components.cluster import REVIEWERS
from infra.config.cluster import Cluster
from infra.config.platform import Platform
from infra.plan.graph import Graph, Resource
from infra.plan.run import plan_platform
from infra.policy.cluster import CLUSTER_RULES
from infra.policy.rule import judge
from infra.stackfile import read_stack
from tests.infra.conftest import SECRETS

AUTO_MODE = {"mode": "auto"}
ROLE_NAME = 64 - 8  # characters: Pulumi puts a dash and seven of its own behind it


def control(graph: Graph) -> dict[str, Any]:
    (found,) = graph.of("eks/cluster")
    return found.inputs


def addons(graph: Graph) -> dict[str, Resource]:
    return {str(each.inputs["addonName"]): each for each in graph.of("eks/addon")}


def needed(graph: Graph, name: str) -> set[str]:
    """All that is made before a resource."""
    found: set[str] = set()
    rest = [name]
    while rest:
        new = set(graph[rest.pop()].depends_on) - found
        found |= new
        rest += new
    return found


def statements(graph: Graph, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(str(graph[name].inputs["policy"]))["Statement"]
    return found


def test_roles_of_the_account_come_in_and_nobody_else(stack: Graph) -> None:
    """People at night, the pipeline, and what only reads; whoever made the cluster has no rights by that."""
    account = read_stack(stack.stack).platform.account
    found = {
        str(each.inputs["principalArn"]): str(each.inputs["policyArn"]).rpartition("/")[2]
        for each in stack.of("eks/accessPolicyAssociation")
    }
    assert {
        f"arn:aws:iam::{account}:role/primetrade-break-glass": "AmazonEKSClusterAdminPolicy",
        f"arn:aws:iam::{account}:role/primetrade-deploy": "AmazonEKSClusterAdminPolicy",
        f"arn:aws:iam::{account}:role/primetrade-plan": "AmazonEKSAdminViewPolicy",
    } == found
    review = stack[f"primetrade-{stack.stack}-access-review"].inputs
    assert (f"arn:aws:iam::{account}:role/primetrade-review", [REVIEWERS]) == (
        review["principalArn"],
        review["kubernetesGroups"],
    )
    assert {"authenticationMode": "API", "bootstrapClusterCreatorAdminPermissions": False} == control(stack)[
        "accessConfig"
    ]


def test_more_administrators_are_named_in_the_file(graph_of: Callable[..., Graph]) -> None:
    """Each by a role."""
    role = "arn:aws:iam::222222222222:role/sso/AdministratorAccess"
    graph = graph_of(cluster={"admins": [role]})
    assert role == graph["primetrade-dev-access-admin-1-policy"].inputs["principalArn"]


def test_the_api_has_a_public_address_only_for_named_networks(graph_of: Callable[..., Graph]) -> None:
    """A private one always."""
    public = control(graph_of(cluster={"public_from": ["203.0.113.0/24"]}))["vpcConfig"]
    closed = control(graph_of(cluster={"public_from": []}))["vpcConfig"]
    assert (True, True, ["203.0.113.0/24"]) == (
        public["endpointPrivateAccess"],
        public["endpointPublicAccess"],
        public["publicAccessCidrs"],
    )
    assert (True, False) == (closed["endpointPrivateAccess"], closed["endpointPublicAccess"])
    assert "publicAccessCidrs" not in closed


def test_private_networks_outside_reach_the_api_and_nothing_else(graph_of: Callable[..., Graph]) -> None:
    """Port 443 of the cluster's own group."""
    rule = graph_of(cluster={"private_from": ["10.0.0.0/16"]})["primetrade-dev-cluster-in-1"].inputs
    assert ("10.0.0.0/16", 443, 443) == (rule["cidrIpv4"], rule["fromPort"], rule["toPort"])
    assert "${primetrade-dev-cluster.vpcConfig.clusterSecurityGroupId}" == rule["securityGroupId"]


def test_the_network_comes_before_the_nodes_and_the_rest_after(stack: Graph) -> None:
    """Each edge is in the graph: an add-on at the wrong time is a deployment that hangs for twenty minutes."""
    (group,) = stack.of("eks/nodeGroup")
    before = needed(stack, group.name)
    found = addons(stack)
    assert {each.name for each in ADDONS} == found.keys()
    for each in ADDONS:
        if each.when == "before":
            assert found[each.name].name in before
        else:
            assert group.name in found[each.name].depends_on


def test_rights_are_there_before_who_needs_them(stack: Graph) -> None:
    """The control plane, the nodes and every add-on wait for the policies of their roles."""
    rights = [*stack.of("iam/rolePolicyAttachment"), *stack.of("iam/rolePolicy")]
    for user in (*stack.of("eks/cluster", "eks/nodeGroup", "eks/addon", "eks/podIdentityAssociation"),):
        roles = set(user.depends_on) & {each.name for each in stack.of("iam/role")}
        wanted = {each.name for each in rights if str(each.inputs["role"]).strip("${}").rpartition(".")[0] in roles}
        assert wanted <= set(user.depends_on)


def test_nodes_are_in_the_groups_that_come_to_the_data(stack: Graph) -> None:
    """With the cluster's own; Karpenter's nodes get the same list by the exports."""
    prefix = f"primetrade-{stack.stack}"
    groups = [
        f"${{{prefix}-cluster.vpcConfig.clusterSecurityGroupId}}",
        f"${{{prefix}-database-clients-group.id}}",
        f"${{{prefix}-cache-clients-group.id}}",
    ]
    assert groups == stack[f"{prefix}-nodes-template"].inputs["vpcSecurityGroupIds"]
    assert groups == stack.exports["node_groups"]


def rules_of(graph: Graph, prefix: str) -> list[Resource]:
    return [each for each in graph.of("cloudwatch/eventRule") if each.name.startswith(prefix)]


def test_a_node_waits_for_a_warning_before_it_goes(stack: Graph) -> None:
    """Four kinds, from EventBridge to the queue, which takes nothing from anybody else."""
    prefix = f"primetrade-{stack.stack}-interruptions"
    kinds = [json.loads(str(each.inputs["eventPattern"]))["detail-type"][0] for each in rules_of(stack, prefix)]
    assert "EC2 Spot Instance Interruption Warning" in kinds
    targets = [each for each in stack.of("cloudwatch/eventTarget") if each.name.startswith(prefix)]
    assert [f"${{{prefix}.arn}}"] * 4 == [each.inputs["arn"] for each in targets]
    send, deny = statements(stack, f"{prefix}-policy")
    assert {"Service": "events.amazonaws.com"} == send["Principal"]
    assert [f"${{{each.name}.arn}}" for each in rules_of(stack, prefix)] == sorted(
        send["Condition"]["ArnEquals"]["aws:SourceArn"]
    )
    assert ("Deny", {"Bool": {"aws:SecureTransport": "false"}}) == (deny["Effect"], deny["Condition"])


CHANGES = re.compile(r"(ec2|iam|elasticloadbalancing):(Create|Delete|Modify|Run|Terminate|Pass|Add|Remove|Set)")
FREE = {  # what bears no tag, or cannot be asked for one
    "iam:CreateServiceLinkedRole",
    "ec2:CreateSecurityGroup",
    *(f"elasticloadbalancing:{verb}{what}" for verb in ("Create", "Delete") for what in ("Listener", "Rule")),
    *(f"elasticloadbalancing:{verb}ListenerCertificates" for verb in ("Add", "Remove")),
    *(f"elasticloadbalancing:{what}" for what in ("ModifyListener", "ModifyRule", "SetRulePriorities", "SetWebAcl")),
    *(f"elasticloadbalancing:{verb}Tags" for verb in ("Add", "Remove")),
    "ec2:RunInstances",
    "ec2:CreateFleet",
}


@pytest.mark.parametrize("who", ["load-balancer-controller", "karpenter"])
def test_a_controller_changes_only_what_is_this_clusters(committed: Callable[[str], Graph], who: str) -> None:
    """By a condition on a tag, on the actions that AWS can ask one of."""
    for statement in statements(committed("prod"), f"primetrade-prod-{who}-role-may"):
        loose = [action for action in statement["Action"] if CHANGES.match(action) and "Condition" not in statement]
        assert [] == [action for action in loose if action not in FREE]


def test_secrets_are_read_one_by_one(stack: Graph) -> None:
    """Those of the database and the cache; no other secret of the account."""
    read, opened = statements(stack, f"primetrade-{stack.stack}-external-secrets-role-may")
    assert "*" not in "".join(read["Resource"])
    assert stack.exports["cache_secret"] in read["Resource"]
    assert {"StringEquals"} == opened["Condition"].keys()


def test_dns_is_written_only_in_the_zones_that_are_named(graph_of: Callable[..., Graph]) -> None:
    """And nobody may without one."""
    without = graph_of(cluster={"dns_zones": []})
    assert not {"primetrade-dev-external-dns-role", "primetrade-dev-cert-manager-role"} & {
        each.name for each in without.made
    }
    named = graph_of(cluster={"dns_zones": ["Z0123456789ABCDEFGHIJ"]})
    zone = "arn:aws:route53:::hostedzone/Z0123456789ABCDEFGHIJ"
    assert [zone] == statements(named, "primetrade-dev-external-dns-role-may")[0]["Resource"]
    texts = statements(named, "primetrade-dev-cert-manager-role-may")[1]
    assert ([zone], ["TXT"]) == (
        texts["Resource"],
        texts["Condition"]["ForAllValues:StringEquals"]["route53:ChangeResourceRecordSetsRecordTypes"],
    )


def test_auto_mode_leaves_nodes_to_eks(graph_of: Callable[..., Graph]) -> None:
    """Its three switches agree; no group, no Karpenter, no add-on that it brings itself."""
    graph = graph_of(cluster=AUTO_MODE)
    found = control(graph)
    assert [True] * 3 == [
        found["computeConfig"]["enabled"],
        found["storageConfig"]["blockStorage"]["enabled"],
        found["kubernetesNetworkConfig"]["elasticLoadBalancing"]["enabled"],
    ]
    assert ["system"] == found["computeConfig"]["nodePools"]
    assert "sts:TagSession" in str(graph["primetrade-dev-cluster-role"].inputs["assumeRolePolicy"])
    assert ["metrics-server"] == list(addons(graph))
    assert [] == [*graph.of("eks/nodeGroup", "ec2/launchTemplate", "sqs/queue")]
    assert "node_role" in graph.exports
    assert "interruptions" not in graph.exports


def test_a_version_of_an_addon_is_pinned_by_name(graph_of: Callable[..., Graph]) -> None:
    """One that is not named keeps what it was made with: no deployment upgrades it by the way."""
    found = addons(graph_of(cluster={"addons": {"coredns": "v1.12.4-eksbuild.1"}}))
    assert "v1.12.4-eksbuild.1" == found["coredns"].inputs["addonVersion"]
    assert "addonVersion" not in found["kube-proxy"].inputs


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"public_from": ["0.0.0.0/0"]}, "public_from: 0.0.0.0/0 is too wide"),
        ({"private_from": ["10.0.0.1/16"]}, "private_from: 10.0.0.1/16 has host bits set"),
        ({"addons": {"coredns": "v1.12.4-eksbuild.1"}, "mode": "auto"}, "Auto Mode has its own coredns"),
        ({"addons": {"vpc": "v1.12.4-eksbuild.1"}}, "Invalid enum value 'vpc'"),
        ({"admins": ["arn:aws:iam::222222222222:user/me"]}, "admins"),
    ],
)
def test_what_eks_would_refuse_or_we_would_regret_is_refused(changes: dict[str, Any], words: str) -> None:
    """Before anything is planned."""
    with pytest.raises(msgspec.ValidationError, match=re.escape(words)):
        msgspec.convert(changes, Cluster)


BLOCKS = st.lists(st.sampled_from(["203.0.113.0/24", "198.51.100.0/25", "192.0.2.1/32"]), max_size=3, unique=True)


@settings(max_examples=12)  # each runs the whole program
@given(
    st.from_regex(r"p[a-z0-9]{1,7}(-[a-z0-9]{1,7})?", fullmatch=True),
    st.fixed_dictionaries(
        {"deletion_protection": st.just(value=True)},
        optional={
            "mode": st.sampled_from(["karpenter", "auto"]),
            "public_from": BLOCKS,
            "private_from": BLOCKS,
            "system_nodes": st.integers(2, 9),
            "dns_zones": st.lists(st.just("Z0123456789ABCDEFGHIJ"), max_size=1),
            "admins": st.lists(st.just("arn:aws:iam::222222222222:role/admin"), max_size=1),
        },
    ),
)
def test_no_configuration_breaks_a_rule(name: str, changes: dict[str, Any]) -> None:
    """Whatever was chosen: every rule holds, and no role has a name that AWS refuses."""
    whole = msgspec.to_builtins(read_stack("staging").platform) | {"name": name}
    whole["cluster"] |= changes
    graph = plan_platform(msgspec.convert(whole, Platform), "staging", secrets=SECRETS)
    assert [] == judge(graph, CLUSTER_RULES)
    assert [] == [each.name for each in graph.of("iam/role", "iam/instanceProfile") if len(each.name) > ROLE_NAME]
