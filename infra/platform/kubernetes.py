"""The cluster with all that belongs to it, in the order in which it becomes usable."""

from __future__ import annotations

from collections.abc import Sequence

from pulumi import Input, Output, Resource

from infra.components.addons import Addons
from infra.components.cluster import Cluster
from infra.components.identity import Identities
from infra.components.karpenter import Karpenter
from infra.components.keys import Keys
from infra.components.network import Network
from infra.components.nodes import Nodes
from infra.components.release import Release
from infra.components.site import Site


class Kubernetes:
    """`groups` are the security groups of every node, and so of its pods; None is what the mode does without."""

    def __init__(
        self,
        site: Site,
        keys: Keys,
        network: Network,
        clients: Sequence[Input[str]],
        secrets: Sequence[Output[str] | None],
    ) -> None:
        self.cluster = Cluster(site, keys, network)
        self.groups: list[Input[str]] = [self.cluster.group, *clients]
        ready: list[Resource] = [self.cluster.control]
        karpenter = None
        self.nodes: Nodes | None = None
        if not self.cluster.auto:
            before = Addons(site, self.cluster, "before", ready)
            self.nodes = Nodes(site, self.cluster, network, self.groups, before.made)
            ready = self.nodes.made
            karpenter = Karpenter(site, self.cluster)
        Addons(site, self.cluster, "after", ready)
        self.profile = karpenter.profile if karpenter else None
        self.queue = karpenter.queue if karpenter else None
        self.node_role = self.cluster.node_role.name if self.cluster.node_role else None
        self.app = Identities(site, keys, self.cluster, [each for each in secrets if each is not None]).app.name
        github = site.platform.github
        self.release = Release(site, self.cluster, github).role if github else None
