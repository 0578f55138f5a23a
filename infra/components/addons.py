"""EKS's own add-ons, each before or after the nodes.

A node without a network never becomes ready, and what runs on nodes never becomes ready before one.
"""

from __future__ import annotations

import json
from typing import Final, Literal

import msgspec
import pulumi
import pulumi_aws as aws

from infra.components.cluster import Cluster
from infra.components.identity import trust
from infra.components.roles import granted
from infra.components.site import Component, Site, tags
from infra.config.cluster import AddonName

When = Literal["before", "after"]
SYSTEM: Final = {"key": "CriticalAddonsOnly", "operator": "Exists"}  # what the system's nodes ask to be tolerated


class Addon(msgspec.Struct, frozen=True):
    """One add-on; with a service account it has a role, by a policy that AWS keeps."""

    name: AddonName
    when: When
    account: str = ""
    policy: str = ""
    settings: dict[str, object] = {}
    auto: bool = False  # whether Auto Mode leaves it to us


ADDONS: Final = (
    Addon(
        "vpc-cni",
        "before",
        account="aws-node",
        policy="AmazonEKS_CNI_Policy",
        # Prefixes: a small node holds 110 pods instead of 11. The policy agent: helm/slot has NetworkPolicies.
        settings={
            "enableNetworkPolicy": "true",
            "env": {"ENABLE_PREFIX_DELEGATION": "true", "WARM_PREFIX_TARGET": "1"},
        },
    ),
    Addon("kube-proxy", "before"),
    Addon("eks-pod-identity-agent", "before"),
    Addon("coredns", "after"),
    Addon(
        "aws-ebs-csi-driver",
        "after",
        account="ebs-csi-controller-sa",
        policy="service-role/AmazonEBSCSIDriverPolicy",
    ),
    Addon("metrics-server", "after", settings={"tolerations": [SYSTEM]}, auto=True),
)


def chosen(mode: str, when: When) -> list[Addon]:
    """The add-ons that are ours to install then."""
    return [each for each in ADDONS if each.when == when and (each.auto or mode != "auto")]


def settings(addon: Addon, site: Site) -> dict[str, object]:
    """An add-on's own, and the environment's tags for what it makes: a budget and a teardown look for them."""
    made = {"controller": {"extraVolumeTags": tags(site.platform)}} if addon.name == "aws-ebs-csi-driver" else {}
    return {**addon.settings, **made}


class Addons(Component):
    """Those of one time; `made` is what the next time waits for."""

    def __init__(self, site: Site, cluster: Cluster, when: When, after: list[pulumi.Resource]) -> None:
        super().__init__(f"Addons{when.title()}Nodes", site)
        self.cluster = cluster
        self.made: list[pulumi.Resource] = [
            self._addon(each, after) for each in chosen(site.platform.cluster.mode, when)
        ]
        self.register_outputs({})

    def _addon(self, addon: Addon, after: list[pulumi.Resource]) -> pulumi.Resource:
        name = self.site.name("addon", addon.name)
        rights, identities = after, None
        if addon.account:
            role = granted(self, f"{name}-role", trust(self.site), addon.policy)
            rights = [*after, *role.rights]
            identities = [aws.eks.AddonPodIdentityAssociationArgs(role_arn=role.arn, service_account=addon.account)]
        return aws.eks.Addon(
            name,
            addon_name=addon.name,
            addon_version=self.site.platform.cluster.addons.get(addon.name),
            cluster_name=self.cluster.control.name,
            configuration_values=json.dumps(found, sort_keys=True) if (found := settings(addon, self.site)) else None,
            pod_identity_associations=identities,
            resolve_conflicts_on_create="OVERWRITE",
            resolve_conflicts_on_update="PRESERVE",  # what was changed in the cluster stays, and a drift check shows it
            tags={"Name": name},
            opts=self.child(*rights),
        )
