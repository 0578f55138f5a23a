"""Shared exports: a file system that pods mount by TLS, as one user and in one folder."""

from __future__ import annotations

from typing import Final

import pulumi_aws as aws
from pulumi import Input

from infra.components.groups import group, let_in
from infra.components.iam import policy
from infra.components.keys import Keys
from infra.components.network import Network
from infra.components.site import Component, Site
from infra.config.later import Exports as Config

PORT: Final = 2049


class Exports(Component):
    """`point` is the access point that a volume names, `arn` the files' for backups; `clients` may come."""

    def __init__(self, site: Site, keys: Keys, network: Network, config: Config, clients: Input[str]) -> None:
        super().__init__("Exports", site)
        name = site.name("exports")
        files = aws.efs.FileSystem(
            name,
            encrypted=True,
            kms_key_id=keys.data,
            throughput_mode="elastic",
            lifecycle_policies=[{"transition_to_ia": config.cold}],
            tags={"Name": name},
            opts=self.kept(),
        )
        aws.efs.FileSystemPolicy(
            f"{name}-policy", file_system_id=files.id, policy=files.arn.apply(by_tls), opts=self.child()
        )
        own = group(self, network, "exports", "Shared exports")
        let_in(self, own, clients, PORT)
        for zone, subnet in network.subnets["private"].items():
            aws.efs.MountTarget(
                site.name("exports", zone),
                file_system_id=files.id,
                subnet_id=subnet,
                security_groups=[own],
                opts=self.child(),
            )
        self.point = aws.efs.AccessPoint(
            f"{name}-point",
            file_system_id=files.id,
            posix_user={"uid": config.uid, "gid": config.uid},
            root_directory={
                "path": config.path,
                "creation_info": {"owner_uid": config.uid, "owner_gid": config.uid, "permissions": "0750"},
            },
            tags={"Name": name},
            opts=self.child(),
        ).id
        self.arn = files.arn
        self.register_outputs({"point": self.point})


def by_tls(files: str) -> str:
    """A policy: mounting and writing for whoever comes by a mount target, nothing in clear, nothing as root."""
    return policy(
        {
            "Principal": {"AWS": "*"},
            "Action": ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"],
            "Resource": files,
            "Condition": {"Bool": {"elasticfilesystem:AccessedViaMountTarget": "true"}},
        },
        {
            "Effect": "Deny",
            "Principal": {"AWS": "*"},
            "Action": "*",
            "Resource": files,
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        },
    )
