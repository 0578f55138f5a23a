"""The role of the release engine on GitHub: on AWS it finds cluster and load balancer, in the cluster it is a group."""

from __future__ import annotations

from typing import Final

import pulumi_aws as aws

from infra.components.cluster import Cluster
from infra.components.github import taken_by
from infra.components.iam import allow, policy
from infra.components.roles import granted
from infra.components.site import Component, Site

ENVIRONMENTS: Final = ("preview", "production", "operate")  # of release.yml and operate.yml
GROUP: Final = "primetrade:deployers"  # the addons program binds it to the deployer's Role of helm/router
SESSION_S: Final = 7200  # as long as the longest job of release.yml may take: without its role a bake has no way back
LOOKS: Final = ("LoadBalancers", "Listeners", "Rules", "TargetGroups", "TargetHealth", "Tags")


class Release(Component):
    """`role` is AWS_DEPLOY_ROLE of release.yml and operate.yml."""

    def __init__(self, site: Site, cluster: Cluster, github: str) -> None:
        super().__init__("Release", site)
        trust = taken_by(site.account, github, *(f"environment:{each}" for each in ENVIRONMENTS))
        own = may_release(site.arn("eks", f"cluster/{cluster.name}"))
        role = granted(self, site.name("release", "role"), trust, own=own, session_s=SESSION_S)
        self.role = role.arn
        name = site.name("access", "release")
        aws.eks.AccessEntry(
            name,
            cluster_name=cluster.control.name,
            principal_arn=role.arn,
            type="STANDARD",
            kubernetes_groups=[GROUP],
            tags={"Name": name},
            opts=self.child(),
        )
        self.register_outputs({"role": self.role})


def may_release(cluster: str) -> str:
    """A policy that finds one cluster, and looks at load balancers, which have no names to ask for beforehand."""
    looks = [f"elasticloadbalancing:Describe{each}" for each in LOOKS]
    return policy(allow(["eks:DescribeCluster"], [cluster]), allow(looks, ["*"]))
