"""EKS: the control plane, who may come to it, and where from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import pulumi_aws as aws

from infra.bootstrap.names import role_arn
from infra.components.iam import allow, assumed_by, policy
from infra.components.keys import Keys
from infra.components.network import Network
from infra.components.roles import Granted, granted, node_role
from infra.components.site import Component, Site

LOGS: Final = ("api", "audit", "authenticator", "controllerManager", "scheduler")
POLICIES: Final = {
    "karpenter": ("AmazonEKSClusterPolicy",),
    "auto": (
        "AmazonEKSClusterPolicy",
        "AmazonEKSComputePolicy",
        "AmazonEKSBlockStoragePolicy",
        "AmazonEKSLoadBalancingPolicy",
        "AmazonEKSNetworkingPolicy",
    ),
}
REVIEWERS: Final = "primetrade:reviewers"  # what pull requests are in the cluster
ACCESS: Final = "arn:aws:eks::aws:cluster-access-policy"


class Entry(NamedTuple):
    """Who may come, by a role: with one of EKS's access policies, or as a group that the addons program lets in."""

    part: str
    role: str
    policy: str = ""
    group: str = ""


class Cluster(Component):
    """`group` is the security group of control plane and nodes; rights of pods come by Pod Identity, not by OIDC."""

    def __init__(self, site: Site, keys: Keys, network: Network) -> None:
        super().__init__("Cluster", site)
        self.config = site.platform.cluster
        self.keys, self.network = keys, network
        self.name = site.prefix
        self.auto = self.config.mode == "auto"
        self.node_role = node_role(self, "nodes", "AmazonEKSWorkerNodeMinimalPolicy") if self.auto else None
        self.control = self._control()
        self.group = self.control.vpc_config.cluster_security_group_id
        self._doors()
        for entry in entries(site):
            self._enter(entry)
        self.register_outputs({"name": self.control.name})

    def _control(self) -> aws.eks.Cluster:
        logs = aws.cloudwatch.LogGroup(
            self.site.name("cluster", "logs"),
            name=f"/aws/eks/{self.name}/cluster",  # made before EKS makes it, which would keep it for ever
            retention_in_days=self.site.platform.log_days,
            kms_key_id=self.keys.logs,
            opts=self.child(),
        )
        role = self._role()
        return aws.eks.Cluster(
            self.site.name("cluster"),
            name=self.name,
            version=self.config.version,
            role_arn=role.arn,
            access_config=aws.eks.ClusterAccessConfigArgs(
                authentication_mode="API", bootstrap_cluster_creator_admin_permissions=False
            ),
            bootstrap_self_managed_addons=False,
            deletion_protection=self.config.deletion_protection,
            enabled_cluster_log_types=list(LOGS),
            encryption_config=aws.eks.ClusterEncryptionConfigArgs(
                provider=aws.eks.ClusterEncryptionConfigProviderArgs(key_arn=self.keys.data), resources=["secrets"]
            ),
            # Extended support costs six times as much.
            upgrade_policy=aws.eks.ClusterUpgradePolicyArgs(support_type="STANDARD"),
            zonal_shift_config=aws.eks.ClusterZonalShiftConfigArgs(enabled=True),
            vpc_config=aws.eks.ClusterVpcConfigArgs(
                subnet_ids=list(self.network.subnets["private"].values()),
                endpoint_private_access=True,
                endpoint_public_access=bool(self.config.public_from),
                public_access_cidrs=list(self.config.public_from) or None,
            ),
            tags={"Name": self.name},
            opts=self.kept(logs, *role.rights),
            **(self._auto() if self.auto else {}),
        )

    def _auto(self) -> dict[str, Any]:
        """The three parts of Auto Mode, which must agree; its pool `system` runs what the managed group would."""
        args = aws.eks
        return {
            "compute_config": args.ClusterComputeConfigArgs(
                enabled=True, node_pools=["system"], node_role_arn=self.node_role and self.node_role.arn
            ),
            "storage_config": args.ClusterStorageConfigArgs(
                block_storage=args.ClusterStorageConfigBlockStorageArgs(enabled=True)
            ),
            "kubernetes_network_config": args.ClusterKubernetesNetworkConfigArgs(
                elastic_load_balancing=args.ClusterKubernetesNetworkConfigElasticLoadBalancingArgs(enabled=True)
            ),
        }

    def _role(self) -> Granted:
        trust = assumed_by("eks.amazonaws.com", self.site.account, *(["sts:TagSession"] if self.auto else []))
        own = self.keys.data.apply(may_seal)
        return granted(self, self.site.name("cluster", "role"), trust, *POLICIES[self.config.mode], own=own)

    def _doors(self) -> None:
        for number, block in enumerate(self.config.private_from, 1):
            aws.vpc.SecurityGroupIngressRule(
                self.site.name("cluster", "in", str(number)),
                security_group_id=self.group,
                cidr_ipv4=block,
                description="The API, from a network of ours",
                ip_protocol="tcp",
                from_port=443,
                to_port=443,
                opts=self.child(),
            )

    def _enter(self, entry: Entry) -> None:
        name = self.site.name("access", entry.part)
        made = aws.eks.AccessEntry(
            name,
            cluster_name=self.control.name,
            principal_arn=entry.role,
            type="STANDARD",
            kubernetes_groups=[entry.group] if entry.group else None,
            tags={"Name": name},
            opts=self.child(),
        )
        if not entry.policy:
            return
        aws.eks.AccessPolicyAssociation(
            f"{name}-policy",
            cluster_name=self.control.name,
            principal_arn=entry.role,
            policy_arn=f"{ACCESS}/{entry.policy}",
            access_scope=aws.eks.AccessPolicyAssociationAccessScopeArgs(type="cluster"),
            opts=self.child(made),
        )


def entries(site: Site) -> Iterator[Entry]:
    """Everybody who comes by a role of the account. Whoever made the cluster is not among them by that."""
    name = site.platform.name
    yield Entry("break-glass", role_arn(site.account, name, "break-glass"), "AmazonEKSClusterAdminPolicy")
    yield Entry("deploy", role_arn(site.account, name, "deploy"), "AmazonEKSClusterAdminPolicy")
    yield Entry("plan", role_arn(site.account, name, "plan"), "AmazonEKSAdminViewPolicy")  # Secrets too
    yield Entry("review", role_arn(site.account, name, "review"), group=REVIEWERS)
    for number, role in enumerate(site.platform.cluster.admins, 1):
        yield Entry(f"admin-{number}", role, "AmazonEKSClusterAdminPolicy")


def may_seal(key: str) -> str:
    """A policy that lets the control plane seal Kubernetes' secrets with this key."""
    return policy(allow(["kms:Encrypt", "kms:Decrypt", "kms:ListGrants", "kms:DescribeKey"], [key]))
