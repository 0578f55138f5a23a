"""The managed group of nodes, for what must run before anything else can make nodes."""

from __future__ import annotations

from typing import Final

import pulumi
import pulumi_aws as aws
from pulumi import Input

from infra.components.cluster import Cluster
from infra.components.network import Network
from infra.components.roles import node_role
from infra.components.site import Component, Site, tags

DISK_GB: Final = 50
TAINT: Final = (
    "CriticalAddonsOnly"  # the same as that of Auto Mode's pool; CoreDNS and Karpenter tolerate it as they come
)


class Nodes(Component):
    """`made` is what waits for nodes; `groups` are the security groups that every node of the cluster is in."""

    def __init__(
        self, site: Site, cluster: Cluster, network: Network, groups: list[Input[str]], after: list[pulumi.Resource]
    ) -> None:
        super().__init__("Nodes", site)
        self.cluster, self.network, self.groups = cluster, network, groups
        self.group = self._group(after)
        self.made: list[pulumi.Resource] = [self.group]
        self.register_outputs({})

    def _template(self) -> aws.ec2.LaunchTemplate:
        """No machine's metadata for pods: they are a hop further away."""
        name, args = self.site.name("nodes", "template"), aws.ec2
        own = {"Name": self.site.name("nodes"), **tags(self.site.platform)}  # the provider's do not get to machines
        return args.LaunchTemplate(
            name,
            update_default_version=True,
            vpc_security_group_ids=self.groups,
            metadata_options=args.LaunchTemplateMetadataOptionsArgs(
                http_endpoint="enabled", http_tokens="required", http_put_response_hop_limit=1
            ),
            block_device_mappings=[
                args.LaunchTemplateBlockDeviceMappingArgs(
                    device_name="/dev/xvda",
                    ebs=args.LaunchTemplateBlockDeviceMappingEbsArgs(
                        volume_type="gp3", volume_size=DISK_GB, encrypted="true", delete_on_termination="true"
                    ),
                )
            ],
            tag_specifications=[
                args.LaunchTemplateTagSpecificationArgs(resource_type=kind, tags=own) for kind in ("instance", "volume")
            ],
            tags={"Name": name},
            opts=self.child(),
        )

    def _group(self, after: list[pulumi.Resource]) -> aws.eks.NodeGroup:
        config, name = self.site.platform.cluster, self.site.name("nodes")
        role, template, args = node_role(self, "nodes"), self._template(), aws.eks
        opts = self.child(*after, *role.rights)
        return args.NodeGroup(
            name,
            cluster_name=self.cluster.control.name,
            version=self.cluster.control.version,  # the nodes follow the control plane
            node_role_arn=role.arn,
            subnet_ids=list(self.network.subnets["private"].values()),
            ami_type="AL2023_ARM_64_STANDARD",
            capacity_type="ON_DEMAND",
            instance_types=[config.system_instance],
            scaling_config=args.NodeGroupScalingConfigArgs(
                min_size=config.system_nodes, desired_size=config.system_nodes, max_size=config.system_nodes + 1
            ),
            update_config=args.NodeGroupUpdateConfigArgs(max_unavailable=1),
            node_repair_config=args.NodeGroupNodeRepairConfigArgs(enabled=True),
            launch_template=args.NodeGroupLaunchTemplateArgs(
                id=template.id, version=template.latest_version.apply(str)
            ),
            taints=[args.NodeGroupTaintArgs(key=TAINT, value="true", effect="NO_SCHEDULE")],
            tags={"Name": name},
            # Whoever scales it at night does not scale it back by deploying.
            opts=pulumi.ResourceOptions.merge(
                opts, pulumi.ResourceOptions(ignore_changes=["scalingConfig.desiredSize"])
            ),
        )
