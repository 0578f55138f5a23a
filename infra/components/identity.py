"""Pod Identity: the rights of pods, by namespace and service account."""

from __future__ import annotations

from typing import Final

import pulumi_aws as aws
from pulumi import Input, Output

from infra.components import controllers
from infra.components.cluster import Cluster
from infra.components.iam import policy
from infra.components.keys import Keys
from infra.components.roles import Granted, granted
from infra.components.site import Component, Site

APP: Final = "task-api"  # namespace of the application, and how its slots' service accounts begin
SLOTS: Final = ("blue", "green")


class Identities(Component):
    """`app` is the role of the application's pods: who makes something for them gives it the right to use it."""

    def __init__(self, site: Site, keys: Keys, cluster: Cluster, secrets: list[Output[str]]) -> None:
        super().__init__("Identities", site)
        self.cluster = cluster
        region, zones = site.region, site.platform.cluster.dns_zones
        balancing = controllers.load_balancer(cluster.name, region, site.account)
        lend(self, cluster, "kube-system", "aws-load-balancer-controller", policy(*balancing))
        if zones:
            lend(self, cluster, "external-dns", "external-dns", policy(*controllers.external_dns(zones)))
            lend(self, cluster, "cert-manager", "cert-manager", policy(*controllers.cert_manager(zones)))
        read = Output.all(keys.data, *secrets).apply(
            lambda all_: policy(*controllers.external_secrets(all_[0], all_[1:], region))
        )
        lend(self, cluster, "external-secrets", "external-secrets", read)
        if site.platform.watch.trace_percent:
            lend(self, cluster, "opentelemetry", "adot-collector", policy(*controllers.tracing()))
        self.app = granted(self, site.name("app", "role"), trust(site))
        for slot in SLOTS:
            associate(self, cluster, APP, f"{APP}-{slot}", self.app)
        self.register_outputs({})


def lend(of: Component, cluster: Cluster, namespace: str, account: str, may: Input[str]) -> None:
    """Give the pods of a service account a role of their own that may do this."""
    name = of.site.name(account.removeprefix("aws-"), "role")  # a role's name has 64 characters at most
    associate(of, cluster, namespace, account, granted(of, name, trust(of.site), own=may))


def associate(of: Component, cluster: Cluster, namespace: str, account: str, role: Granted) -> None:
    """Lend a role to the pods of a service account."""
    name = of.site.name("identity", account)
    aws.eks.PodIdentityAssociation(
        name,
        cluster_name=cluster.control.name,
        namespace=namespace,
        service_account=account,
        role_arn=role.arn,
        tags={"Name": name},
        opts=of.child(*role.rights),
    )


def trust(site: Site) -> str:
    """The trust policy of a role that EKS lends to pods of this cluster and of no other."""
    return policy(
        {
            "Action": ["sts:AssumeRole", "sts:TagSession"],
            "Principal": {"Service": "pods.eks.amazonaws.com"},
            "Condition": {
                "StringEquals": {"aws:SourceAccount": site.account},
                "ArnEquals": {"aws:SourceArn": site.arn("eks", f"cluster/{site.prefix}")},
            },
        }
    )
