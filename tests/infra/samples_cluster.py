"""What passes and what fails the rules about the cluster."""

from __future__ import annotations

import json
from typing import Any

from infra.plan.graph import Graph, Resource
from infra.policy.cluster import FIRST, LOGS
from tests.infra.samples import Samples, graph, one

MINE = {"clusterName": "a", "policyArn": "arn:x/AmazonEKSClusterAdminPolicy"}
MAY = "iam/rolePolicyAttachment"


def cluster(**inputs: Any) -> Graph:
    return graph(one("eks/cluster", inputs))


def api(*, private: bool = True, **public: Any) -> Graph:
    return cluster(vpcConfig={"endpointPrivateAccess": private, **public})


def entered(role: str, policy: str = MINE["policyArn"]) -> Graph:
    entry = one("eks/accessPolicyAssociation", {**MINE, "policyArn": policy, "principalArn": role}, name="entry")
    return graph(one("eks/cluster", {"name": "a"}), entry)


def machines(*waits_for: str) -> Graph:
    addons = [one("eks/addon", {"addonName": name}, name=name, depends_on=("nodes",)) for name in sorted(FIRST)]
    return graph(*addons, one("eks/nodeGroup", {}, name="nodes", depends_on=waits_for))


def late(*waits_for: str) -> Graph:
    return graph(one("eks/nodeGroup", {}, name="nodes"), one("eks/addon", {"addonName": "x"}, depends_on=waits_for))


def template(**inputs: Any) -> Graph:
    return graph(one("ec2/launchTemplate", inputs))


def tokens(must: str, hops: int) -> Graph:
    return template(metadataOptions={"httpTokens": must, "httpPutResponseHopLimit": hops})


def disk(encrypted: str) -> Graph:
    return template(blockDeviceMappings=[{"deviceName": "/dev/xvda", "ebs": {"encrypted": encrypted}}])


def role(service: str | list[str], *others: Resource, **condition: Any) -> Graph:
    trust = {"Statement": [{"Principal": {"Service": service}, "Condition": condition}]}
    return graph(one("iam/role", {"assumeRolePolicy": json.dumps(trust)}), *others)


def attached(policy: str) -> Resource:
    return one(MAY, {"role": "${sample.name}", "policyArn": f"arn:aws:iam::aws:policy/{policy}"}, name="may")


def lent(
    *subjects: str, audience: str = "sts.amazonaws.com", action: str | list[str] = "sts:AssumeRoleWithWebIdentity"
) -> Graph:
    statement: dict[str, Any] = {"Action": action, "Condition": {}}
    if audience:
        statement["Condition"]["StringEquals"] = {"x:aud": audience}
    if subjects:
        statement["Condition"]["StringLike"] = {"x:sub": list(subjects)}
    return graph(one("iam/role", {"assumeRolePolicy": json.dumps({"Statement": [statement]})}))


BOOTSTRAP = Graph("primetrade-bootstrap", "sample", graph(one("iam/role", {})).resources, {}, ())
KEPT_IMAGES = {"imageTagMutability": "IMMUTABLE", "imageScanningConfiguration": {"scanOnPush": True}}
OWN = one("iam/rolePolicy", {"role": "${sample.id}", "policy": "{}"}, name="own")
KEY = {"provider": {"keyArn": "arn:x"}}
CLOSED = {"authenticationMode": "API", "bootstrapClusterCreatorAdminPermissions": False}

CLUSTER_SAMPLES: Samples = {
    "api-doors": (
        [
            api(endpointPublicAccess=False),
            api(endpointPublicAccess=True, publicAccessCidrs=["203.0.113.0/24"]),
        ],
        [
            (api(private=False, endpointPublicAccess=False), "endpointPrivateAccess is false"),
            (api(endpointPublicAccess=True), r"the API answers 0\.0\.0\.0/0"),
            (api(), r"the API answers 0\.0\.0\.0/0"),
            (api(publicAccessCidrs=["0.0.0.0/1", "128.0.0.0/1"]), r"the API answers 0\.0\.0\.0/1, 128"),
            (api(endpointPublicAccess=True, publicAccessCidrs=["10.0.0.0/8", "0.0.0.0/0"]), r"the API answers 10\."),
        ],
    ),
    "entries-only": (
        [cluster(accessConfig=CLOSED)],
        [
            (cluster(accessConfig=CLOSED | {"authenticationMode": "API_AND_CONFIG_MAP"}), "authenticationMode is"),
            (cluster(accessConfig={"authenticationMode": "API"}), "whoever makes it is its administrator"),
            (cluster(), "authenticationMode is missing"),
        ],
    ),
    "way-back-in": (
        [entered("arn:role/primetrade-break-glass")],
        [
            (cluster(name="a"), "has no break-glass entry"),
            (entered("arn:role/primetrade-deploy"), "has no break-glass entry"),
            (entered("arn:role/primetrade-break-glass", "arn:x/AmazonEKSViewPolicy"), "has no break-glass entry"),
        ],
    ),
    "cluster-logs": (
        [cluster(enabledClusterLogTypes=sorted(LOGS))],
        [
            (cluster(), "does not log api, audit"),
            (cluster(enabledClusterLogTypes=sorted(LOGS - {"audit"})), "does not log audit$"),
        ],
    ),
    "cluster-sealed": ([cluster(encryptionConfig=KEY)], [(cluster(), "encryptionConfig names no key")]),
    "cluster-supported": (
        [cluster(upgradePolicy={"supportType": "STANDARD"})],
        [
            (cluster(), "supportType is missing"),
            (cluster(upgradePolicy={"supportType": "EXTENDED"}), 'supportType is "EXTENDED"'),
        ],
    ),
    "cluster-stays": (
        [cluster(deletionProtection=True), graph(one("eks/cluster", {}), environment="dev")],
        [(cluster(), "deletionProtection is missing")],
    ),
    "cluster-protected": (
        [graph(one("eks/cluster", {}, protect=True)), graph(one("eks/cluster", {}), environment="dev")],
        [(cluster(), "is not protected")],
    ),
    "network-first": (
        [machines(*FIRST)],
        [
            (machines(), "does not wait for eks-pod-identity-agent, kube-proxy, vpc-cni"),
            (machines(*(FIRST - {"vpc-cni"})), "does not wait for vpc-cni;"),
        ],
    ),
    "nodes-next": (
        [late("nodes"), graph(one("eks/addon", {"addonName": "x"})), machines(*FIRST)],
        [(late(), "waits for no nodes")],
    ),
    "machine-tokens": (
        [tokens("required", 1)],
        [
            (tokens("optional", 1), 'httpTokens is "optional"'),
            (tokens("required", 2), "httpPutResponseHopLimit is 2"),
            (template(), "httpTokens is missing"),
        ],
    ),
    "machine-disks": (
        [disk("true")],
        [
            (disk("false"), "/dev/xvda is not encrypted"),
            (template(), "names no disk in blockDeviceMappings"),
            (template(blockDeviceMappings=[]), "names no disk in blockDeviceMappings"),
        ],
    ),
    "machine-roles": (
        [role("ec2.amazonaws.com", attached("AmazonEKSWorkerNodePolicy")), role("rds.amazonaws.com", OWN)],
        [
            (role("ec2.amazonaws.com", attached("AmazonS3FullAccess")), "has AmazonS3FullAccess"),
            (role("ec2.amazonaws.com", OWN), "has a policy of its own"),
            (role(["ec2.amazonaws.com", "eks.amazonaws.com"], OWN), "has a policy of its own"),
        ],
    ),
    "pod-roles": (
        [role("pods.eks.amazonaws.com", ArnEquals={"aws:SourceArn": "arn:x"}), role("ec2.amazonaws.com")],
        [
            (role("pods.eks.amazonaws.com"), "is lent to pods of any cluster"),
            (role(["pods.eks.amazonaws.com"]), "is lent to pods of any cluster"),
        ],
    ),
    "roles-bounded": (
        [graph(one("iam/role", {"permissionsBoundary": "arn:x"})), BOOTSTRAP],
        [(graph(one("iam/role", {})), "has no permissionsBoundary")],
    ),
    "workflow-roles": (
        [lent("repo:a/b:environment:production", "repo:a/b:ref:refs/tags/v*"), role("ec2.amazonaws.com")],
        [
            (lent("repo:a/b:*"), r"is lent to repo:a/b:\*"),
            (lent("repo:a/*:environment:production"), r"is lent to repo:a/\*"),
            (lent(), "is lent to any repository"),
            (lent(action=["sts:TagSession", "sts:AssumeRoleWithWebIdentity"]), "is lent to any repository"),
            (lent(action="sts:assumerole*"), "is lent to any repository"),
            (lent("repo:a/b:pull_request", audience=""), "is lent for a token that is meant for others"),
        ],
    ),
    "images-stay": (
        [graph(one("ecr/repository", KEPT_IMAGES))],
        [
            (graph(one("ecr/repository", KEPT_IMAGES | {"imageTagMutability": "MUTABLE"})), "imageTagMutability is"),
            (
                graph(one("ecr/repository", {"imageTagMutability": "IMMUTABLE"})),
                "imageScanningConfiguration is missing",
            ),
        ],
    ),
    "images-end": (
        [graph(one("ecr/repository", {"name": "a"}), one("ecr/lifecyclePolicy", {"repository": "a"}, name="life"))],
        [(graph(one("ecr/repository", {"name": "a"})), "has no lifecycle policy")],
    ),
    "queues-sealed": (
        [graph(one("sqs/queue", {"sqsManagedSseEnabled": True})), graph(one("sqs/queue", {"kmsMasterKeyId": "x"}))],
        [(graph(one("sqs/queue", {})), "is not encrypted")],
    ),
}
