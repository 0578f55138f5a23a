"""The rules about the cluster, its machines and the rights of its pods."""

from __future__ import annotations

import json
from collections.abc import Iterator
from fnmatch import fnmatch
from typing import Any, Final

from infra.plan.graph import Graph, Json, Resource
from infra.policy.rights import listed, stated
from infra.policy.rule import Rule, everybody, protected, said, wants, where_kept

LOGS: Final = {"api", "audit", "authenticator", "controllerManager", "scheduler"}
FIRST: Final = {"vpc-cni", "kube-proxy", "eks-pod-identity-agent"}  # add-ons that nodes need
MACHINES: Final = {
    "AmazonEKSWorkerNodePolicy",
    "AmazonEKSWorkerNodeMinimalPolicy",
    "AmazonEC2ContainerRegistryPullOnly",
}
WEB_IDENTITY: Final = "sts:assumerolewithwebidentity"
ADMIN: Final = "/AmazonEKSClusterAdminPolicy"


def inside(resource: Resource, key: str) -> dict[str, Any]:
    """The fields of an input that has some; none where it is not given."""
    found = resource.inputs.get(key)
    return found if isinstance(found, dict) else {}


def doors(resource: Resource, graph: Graph) -> Iterator[str]:
    """The API answers inside, and outside only networks that are named."""
    found = inside(resource, "vpcConfig")
    if found.get("endpointPrivateAccess") is not True:
        yield f"endpointPrivateAccess is {said(found.get('endpointPrivateAccess'))}; nodes would come from outside"
    open_to = found.get("publicAccessCidrs") or ["0.0.0.0/0"]  # what EKS makes of none
    if found.get("endpointPublicAccess") is not False and any(map(everybody, open_to)):
        yield f"the API answers {', '.join(open_to)}; name networks in cluster.public_from"


def entries_only(resource: Resource, graph: Graph) -> Iterator[str]:
    """Rights come by access entries, which are seen here, and to nobody for having made the cluster."""
    found = inside(resource, "accessConfig")
    if found.get("authenticationMode") != "API":
        yield f"authenticationMode is {said(found.get('authenticationMode'))}; API is expected"
    if found.get("bootstrapClusterCreatorAdminPermissions") is not False:
        yield "whoever makes it is its administrator for ever; turn bootstrapClusterCreatorAdminPermissions off"


def way_back(resource: Resource, graph: Graph) -> Iterator[str]:
    """Somebody of this account can always come in: an administrator's entry that no pipeline uses."""
    ways = [
        each
        for each in graph.of("eks/accessPolicyAssociation")
        if str(each.inputs.get("policyArn")).endswith(ADMIN)
        and str(each.inputs.get("principalArn")).endswith("-break-glass")
        and each.inputs.get("clusterName") == resource.inputs.get("name")
    ]
    if not ways:
        yield "has no break-glass entry; one mistake in the others locks everybody out"


def logged(resource: Resource, graph: Graph) -> Iterator[str]:
    """All five logs."""
    found = resource.inputs.get("enabledClusterLogTypes")
    if missing := LOGS - set(found if isinstance(found, list) else ()):
        yield f"does not log {', '.join(sorted(missing))}"


def sealed(resource: Resource, graph: Graph) -> Iterator[str]:
    """Kubernetes' secrets are sealed by a key of ours."""
    if not inside(resource, "encryptionConfig").get("provider", {}).get("keyArn"):
        yield "encryptionConfig names no key; give one"


def in_support(resource: Resource, graph: Graph) -> Iterator[str]:
    """EKS upgrades it at the end of standard support instead of billing six times as much."""
    found = inside(resource, "upgradePolicy").get("supportType")
    if found != "STANDARD":
        yield f'supportType is {said(found)}; "STANDARD" is expected'


def after_network(resource: Resource, graph: Graph) -> Iterator[str]:
    """Nodes wait for the add-ons without which they never become ready."""
    names = {each.inputs.get("addonName") for each in graph.of("eks/addon") if each.name in resource.depends_on}
    if missing := FIRST - names:
        yield f"does not wait for {', '.join(sorted(missing))}; no node would become ready"


def after_nodes(resource: Resource, graph: Graph) -> Iterator[str]:
    """The other add-ons wait for nodes, where there is a group of them."""
    groups = {each.name for each in graph.of("eks/nodeGroup")}
    if resource.inputs.get("addonName") not in FIRST and groups and not groups & set(resource.depends_on):
        yield "waits for no nodes; it would time out"


def metadata(resource: Resource, graph: Graph) -> Iterator[str]:
    """Only the machine itself gets its credentials: by a token, and not one hop further."""
    found = inside(resource, "metadataOptions")
    if found.get("httpTokens") != "required":
        yield f'httpTokens is {said(found.get("httpTokens"))}; "required" is expected'
    if found.get("httpPutResponseHopLimit") != 1:
        yield f"httpPutResponseHopLimit is {said(found.get('httpPutResponseHopLimit'))}; pods would be the machine"


def disks(resource: Resource, graph: Graph) -> Iterator[str]:
    """Every disk of a machine."""
    found = resource.inputs.get("blockDeviceMappings")
    if not found:
        yield "names no disk in blockDeviceMappings; those of its image may be in clear"
    for each in found if isinstance(found, list) else ():
        if each.get("ebs", {}).get("encrypted") != "true":
            yield f"{each.get('deviceName')} is not encrypted"


def trusts(resource: Resource, service: str) -> list[dict[str, Json]]:
    """The statements by which a role trusts a service."""
    whole = stated(resource.inputs.get("assumeRolePolicy"))
    return [
        each
        for each in whole
        if isinstance(trusted := each.get("Principal"), dict) and service in listed(trusted.get("Service"))
    ]


def machine_role(resource: Resource, graph: Graph) -> Iterator[str]:
    """A machine joins and pulls images: what its role may do every pod on it might."""
    if not trusts(resource, "ec2.amazonaws.com"):
        return
    own = (f"${{{resource.name}.id}}", f"${{{resource.name}.name}}")
    if [each for each in graph.of("iam/rolePolicy") if each.inputs.get("role") in own]:
        yield "has a policy of its own; give the right to the pods that need it"
    for each in graph.of("iam/rolePolicyAttachment"):
        policy = str(each.inputs.get("policyArn")).rpartition("/")[2]
        if each.inputs.get("role") in own and policy not in MACHINES:
            yield f"has {policy}; give the right to the pods that need it"


def lent_here(resource: Resource, graph: Graph) -> Iterator[str]:
    """EKS lends a role to the pods of one cluster."""
    for each in trusts(resource, "pods.eks.amazonaws.com"):
        conditions = json.dumps(each.get("Condition", {}))
        if "aws:SourceArn" not in conditions:
            yield "is lent to pods of any cluster; name one by aws:SourceArn"


def bounded(resource: Resource, graph: Graph) -> Iterator[str]:
    """A role that a program makes stays within the account's boundary; those of the bootstrap program make the rest."""
    if not graph.project.endswith("-bootstrap") and not resource.inputs.get("permissionsBoundary"):
        yield "has no permissionsBoundary, and the deploy role may not make it so; use granted() of components/roles.py"


def from_where(resource: Resource, graph: Graph) -> Iterator[str]:
    """GitHub's token names the repository and what runs in it, and is meant for AWS."""
    for each in stated(resource.inputs.get("assumeRolePolicy")):
        if not any(fnmatch(WEB_IDENTITY, str(action).lower()) for action in listed(each.get("Action"))):
            continue
        tests: Any = each.get("Condition", {})
        found = {key: value for test in tests.values() for key, value in test.items()}
        subjects = next((value for key, value in found.items() if key.endswith(":sub")), ())
        wide = [each for each in [subjects] if isinstance(each, str)] or list(subjects)
        if not wide or any("*" in str(subject).rpartition(":")[0] or str(subject).endswith(":*") for subject in wide):
            yield f"is lent to {', '.join(wide) or 'any repository'}; name the repository, and a branch or environment"
        if not any(key.endswith(":aud") for key in found):
            yield "is lent for a token that is meant for others; name the audience"


def queue_sealed(resource: Resource, graph: Graph) -> Iterator[str]:
    """By SQS's key or by ours."""
    if resource.inputs.get("sqsManagedSseEnabled") is not True and not resource.inputs.get("kmsMasterKeyId"):
        yield "is not encrypted; set sqsManagedSseEnabled or kmsMasterKeyId"


def images_end(resource: Resource, graph: Graph) -> Iterator[str]:
    """A repository says which images go."""
    if not any(
        resource.inputs.get("name") == each.inputs.get("repository") for each in graph.of("ecr/lifecyclePolicy")
    ):
        yield "has no lifecycle policy"


CLUSTER: Final = ("eks/cluster",)
CLUSTER_RULES: Final = (
    Rule("api-doors", CLUSTER, "Every flaw of the API would be anybody's", "EKS.1, CIS EKS 5.4.1", doors),
    Rule("entries-only", CLUSTER, "Rights that no file shows are found by thieves", "", entries_only),
    Rule("way-back-in", CLUSTER, "A cluster that nobody may enter is rebuilt", "", way_back),
    Rule("cluster-logs", CLUSTER, "Who did it is asked afterwards", "EKS.8, CIS EKS 2.1.1", logged),
    Rule("cluster-sealed", CLUSTER, "Backups of etcd hold every secret", "EKS.3, CIS EKS 5.3.1", sealed),
    Rule("cluster-supported", CLUSTER, "Old versions cost more and are not mended", "EKS.2", in_support),
    Rule("cluster-stays", CLUSTER, "Hands slip", "", where_kept(wants(deletionProtection=True))),
    Rule("cluster-protected", CLUSTER, "Hands slip, in Pulumi first", "", where_kept(protected)),
    Rule("network-first", ("eks/nodeGroup",), "Else nodes wait for it for ever", "", after_network),
    Rule("nodes-next", ("eks/addon",), "Else add-ons wait for them for ever", "", after_nodes),
    Rule("machine-tokens", ("ec2/launchTemplate",), "Pods would be the machine", "EC2.170, EC2.8", metadata),
    Rule("machine-disks", ("ec2/launchTemplate",), "Disks are copied", "EC2.7", disks),
    Rule("machine-roles", ("iam/role",), "What a machine may, its pods may", "", machine_role),
    Rule("pod-roles", ("iam/role",), "Another cluster's pods would have it", "", lent_here),
    Rule("roles-bounded", ("iam/role",), "Who may make any role may do anything", "", bounded),
    Rule("workflow-roles", ("iam/role",), "Anybody's repository would deploy", "", from_where),
    Rule(
        "images-stay",
        ("ecr/repository",),
        "A tag that moves is two images",
        "ECR.2",
        wants(imageTagMutability="IMMUTABLE", imageScanningConfiguration={"scanOnPush": True}),
    ),
    Rule("images-end", ("ecr/repository",), "Kept for ever they cost", "ECR.3", images_end),
    Rule("queues-sealed", ("sqs/queue",), "Messages are copied", "SQS.1", queue_sealed),
)
