"""The addons program, built from the platform's file and its exports."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, cast

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi import Input, Output
from pulumi_kubernetes.apiextensions import CustomResource

from infra.addons import application, pools
from infra.addons.charts import CHARTS, TIMEOUT_S, Chart
from infra.addons.values import VALUES, Facts, wanted
from infra.components.cluster import REVIEWERS
from infra.components.identity import APP
from infra.components.release import GROUP
from infra.components.site import tags
from infra.config.platform import Platform
from infra.platform.outputs import Outputs as Said


class Outputs(NamedTuple):
    """Each is exported under its name; behind it stands who reads it."""

    namespace: str  # release.yaml's kubernetes.namespace
    secret: str  # release.yaml's kubernetes.secret


class Part(pulumi.ComponentResource):
    """A part of the program, in the platform's cluster."""

    def __init__(self, kind: str, cluster: kubernetes.Provider) -> None:
        super().__init__(f"primetrade:{kind}", kind.lower(), None, pulumi.ResourceOptions(providers=[cluster]))

    def child(self, *after: pulumi.Resource) -> pulumi.ResourceOptions:
        """Options of what is in it."""
        return pulumi.ResourceOptions(parent=self, depends_on=[*after])


def build(platform: Platform, said: Said) -> Outputs:
    """Charts, then what needs their kinds, then the charts whose pods need that."""
    cluster = provider(platform, said)
    charts = Charts(cluster, facts(platform, said))
    nodes = Nodes(cluster, platform, said, charts)
    charts.release_on(nodes.made)
    Application(cluster, platform, said, charts)
    return Outputs(namespace=APP, secret=APP)


def provider(platform: Platform, said: Said) -> kubernetes.Provider:
    """The cluster, by a token that AWS gives whoever deploys."""
    name = f"{platform.name}-{platform.profile}"
    token = ["eks", "get-token", "--cluster-name", said.cluster_name, "--region", platform.region]
    user = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "aws", "args": token}}
    where = {"server": said.cluster_endpoint, "certificate-authority-data": said.cluster_ca}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [{"name": name, "cluster": where}],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
    }
    return kubernetes.Provider(
        f"{name}-kubernetes",
        kubeconfig=Output.json_dumps(config, sort_keys=True),
        cluster_identifier=said.cluster_name,  # another address is not another cluster
        enable_server_side_apply=True,
    )


def facts(platform: Platform, said: Said) -> Facts:
    """What the charts' values are made of."""
    return Facts(
        cluster=said.cluster_name,
        region=platform.region,
        tags=tags(platform),
        vpc=said.vpc,
        queue=said.interruptions,
        auto=platform.cluster.mode == "auto",
        zones=platform.cluster.dns_zones,
        traces=platform.watch.trace_percent > 0,
        runners=platform.cluster.private_from,
    )


class Charts(Part):
    """`releases` by their names; those on pools come when `release_on` is given the pools."""

    def __init__(self, cluster: kubernetes.Provider, facts: Facts) -> None:
        super().__init__("Charts", cluster)
        self.facts = facts
        self.releases: dict[str, kubernetes.helm.v3.Release] = {}
        self._make(on_pools=False)
        self.register_outputs({})

    def release_on(self, pools: Sequence[pulumi.Resource]) -> None:
        """Make the releases whose pods run on pools, after these."""
        self._make(*pools, on_pools=True)

    def _make(self, *after: pulumi.Resource, on_pools: bool) -> None:
        for chart in CHARTS:
            if chart.on_pools is on_pools and wanted(chart.name, self.facts):
                self.releases[chart.name] = self._release(chart, *after)

    def _release(self, chart: Chart, *after: pulumi.Resource) -> kubernetes.helm.v3.Release:
        helm, oci = kubernetes.helm.v3, chart.source.startswith("oci:")
        return helm.Release(
            chart.name,
            name=chart.name,
            chart=chart.source if oci else chart.chart,
            version=chart.version,
            repository_opts=None if oci else helm.RepositoryOptsArgs(repo=chart.source),
            namespace=chart.namespace,
            create_namespace=chart.namespace != "kube-system",
            skip_crds=f"{chart.name}-crd" in self.releases,
            atomic=True,  # one that does not become ready is taken back
            timeout=TIMEOUT_S,
            values=VALUES[chart.name](self.facts),
            opts=self.child(*(self.releases[name] for name in chart.after), *after),
        )


class Nodes(Part):
    """What machines the pods get, and the disks; `made` is what a pod waits for."""

    def __init__(self, cluster: kubernetes.Provider, platform: Platform, said: Said, charts: Charts) -> None:
        super().__init__("Nodes", cluster)
        auto = platform.cluster.mode == "auto"
        after = [charts.releases["karpenter"]] if not auto else []
        subnets, groups = (_by_id(each) for each in (said.private_subnets, said.node_groups))
        common = (subnets, groups, tags(platform))
        kind, version = ("NodeClass", "eks.amazonaws.com/v1") if auto else ("EC2NodeClass", "karpenter.k8s.aws/v1")
        spec = pools.auto_class(said.node_role, *common) if auto else pools.node_class(said.node_profile, *common)
        made = CustomResource(
            "node-class", version, kind, metadata={"name": pools.CLASS}, spec=spec, opts=self.child(*after)
        )
        self.made: list[pulumi.Resource] = [
            CustomResource(
                f"nodes-{capacity}",
                "karpenter.sh/v1",
                "NodePool",
                metadata={"name": capacity},
                spec=pool,
                opts=self.child(made),
            )
            for capacity, pool in pools.pools(platform.cluster.nodes, auto=auto).items()
        ]
        disks = kubernetes.storage.v1.StorageClass(
            "gp3",
            metadata={"name": "gp3", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
            provisioner="ebs.csi.eks.amazonaws.com" if auto else "ebs.csi.aws.com",
            parameters={"type": "gp3", "encrypted": "true"},
            volume_binding_mode="WaitForFirstConsumer",  # in the zone of its pod
            allow_volume_expansion=True,
            opts=self.child(),
        )
        self.made.append(disks)
        self.register_outputs({})


def _by_id(found: Sequence[Input[str]]) -> Output[list[dict[str, str]]]:
    ids: Output[list[str]] = Output.from_input(cast("list[str]", found))  # one Output of them all, as it is read
    return ids.apply(lambda each: [{"id": one} for one in each])


class Application(Part):
    """The application's namespace, its Secret, and who may release there."""

    def __init__(self, cluster: kubernetes.Provider, platform: Platform, said: Said, charts: Charts) -> None:
        super().__init__("Application", cluster)
        space = kubernetes.core.v1.Namespace(
            APP, metadata={"name": APP, "labels": application.PROFILE}, opts=self.child()
        )
        if platform.github:
            self._bind("deployers", f"{APP}-deployer", GROUP, space)  # a Role that helm/router makes
            reviewer = f"{APP}-reviewer"
            kubernetes.rbac.v1.Role(
                reviewer,
                metadata={"name": reviewer, "namespace": APP},
                rules=application.looks(),
                opts=self.child(space),
            )
            self._bind("reviewers", reviewer, REVIEWERS, space)
        self._secret(platform, said, space, charts.releases["external-secrets"])
        self.register_outputs({})

    def _bind(self, name: str, to: str, group: str, *after: pulumi.Resource) -> None:
        role, subjects = application.binding(to, group)
        kubernetes.rbac.v1.RoleBinding(
            name,
            metadata={"name": name, "namespace": APP},
            role_ref=role,
            subjects=subjects,
            opts=self.child(*after),
        )

    def _secret(self, platform: Platform, said: Said, *after: pulumi.Resource) -> None:
        version = "external-secrets.io/v1"
        store = CustomResource(
            "secret-store",
            version,
            "ClusterSecretStore",
            metadata={"name": application.STORE},
            spec=application.store(platform.region),
            opts=self.child(*after),
        )
        if platform.database.replica_of:
            return  # nobody writes here until it is promoted, and so has a secret
        for title, name, spec in (
            ("secret", APP, application.secret(said)),
            ("owner-secret", application.OWNER, application.owner_secret(said)),
        ):
            CustomResource(
                title,
                version,
                "ExternalSecret",
                metadata={"name": name, "namespace": APP},
                spec=spec,
                opts=self.child(store),
            )
