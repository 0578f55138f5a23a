"""The values of each chart, as pure functions of what the platform said."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec
from pulumi import Input

from infra.addons.charts import ADOT_IMAGE, BALANCER
from infra.components.addons import SYSTEM

Values = dict[str, object]
ON_SYSTEM: Final[Values] = {"tolerations": [SYSTEM]}
METRICS_DAYS: Final = 15
METRICS_DISK: Final = "50Gi"
BALANCED: Final = "service.beta.kubernetes.io/aws-load-balancer"


class Facts(msgspec.Struct, frozen=True):
    """What values are made of."""

    cluster: Input[str]
    region: str
    tags: dict[str, str]
    vpc: Input[str]
    queue: Input[str] | None  # Karpenter's
    auto: bool  # EKS makes the nodes
    zones: tuple[str, ...]
    traces: bool
    runners: tuple[str, ...]  # private networks that reach the API, and Prometheus


def balancer(facts: Facts) -> Values:
    """It cannot ask the machine's metadata for region and VPC: pods do not get there."""
    return {
        "clusterName": facts.cluster,
        "region": facts.region,
        "vpcId": facts.vpc,
        "defaultTags": facts.tags,
        "serviceAccount": {"name": BALANCER},
        "enableServiceMutatorWebhook": False,  # else no Service can be made while it is down
        **ON_SYSTEM,
    }


def cert_manager(facts: Facts) -> Values:
    """With its kinds, which stay when the chart goes: certificates would go with them."""
    parts = dict.fromkeys(("webhook", "cainjector", "startupapicheck"), ON_SYSTEM)
    return {"crds": {"enabled": True, "keep": True}, **ON_SYSTEM, **parts}


def external_secrets(facts: Facts) -> Values:
    """Its service account is the one that has the role."""
    parts = dict.fromkeys(("webhook", "certController"), ON_SYSTEM)
    return {"installCRDs": True, "serviceAccount": {"name": "external-secrets"}, **ON_SYSTEM, **parts}


def external_dns(facts: Facts) -> Values:
    """It writes the names of Ingresses and takes none away, and touches only what it wrote."""
    return {
        "provider": {"name": "aws"},
        "policy": "upsert-only",
        "registry": "txt",
        "txtOwnerId": facts.cluster,
        "sources": ["ingress"],
        "extraArgs": [f"--zone-id-filter={zone}" for zone in facts.zones],
        "env": [{"name": "AWS_DEFAULT_REGION", "value": facts.region}],
        **ON_SYSTEM,
    }


def karpenter(facts: Facts) -> Values:
    """On the managed group, so that it never moves its own node. DNS by the node: CoreDNS may wait for it."""
    return {
        "settings": {"clusterName": facts.cluster, "interruptionQueue": facts.queue},
        "serviceAccount": {"name": "karpenter"},
        "dnsPolicy": "Default",
        "controller": {"resources": {"requests": {"cpu": "500m", "memory": "1Gi"}, "limits": {"memory": "1Gi"}}},
    }


def keda(facts: Facts) -> Values:
    """Nothing but where it runs."""
    return {**ON_SYSTEM}


def monitoring(facts: Facts) -> Values:
    """It finds every monitor and rule of every namespace. EKS shows no etcd, scheduler, controller manager.

    The release engine's gates ask it from outside the cluster, so it has a load balancer inside the VPC.
    """
    every = {f"{kind}SelectorNilUsesHelmValues": False for kind in ("serviceMonitor", "podMonitor", "rule", "probe")}
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": METRICS_DISK}}}
    return {
        "prometheus": {
            "prometheusSpec": {
                **every,
                "retention": f"{METRICS_DAYS}d",
                "nodeSelector": {"karpenter.sh/capacity-type": "on-demand"},
                "storageSpec": {"volumeClaimTemplate": {"spec": claim}},
            },
            **({"service": inside(facts.runners)} if facts.runners else {}),
        },
        **{kind: {"enabled": False} for kind in ("kubeEtcd", "kubeScheduler", "kubeControllerManager", "kubeProxy")},
    }


def inside(networks: tuple[str, ...]) -> Values:
    """A Service that only these reach. Its type asks for BALANCER: the webhook that does so otherwise is off."""
    said = {"type": "external", "scheme": "internal", "nlb-target-type": "ip"}
    return {
        "type": "LoadBalancer",
        "annotations": {f"{BALANCED}-{key}": value for key, value in said.items()},
        "loadBalancerSourceRanges": [*networks],
    }


def adot(facts: Facts) -> Values:
    """AWS's build of the OpenTelemetry collector: OTLP in, X-Ray out."""
    return {
        "mode": "deployment",
        "image": ADOT_IMAGE,
        "command": {"name": "awscollector"},
        "serviceAccount": {"name": "adot-collector"},
        "config": {
            "receivers": {"otlp": {"protocols": {"grpc": {"endpoint": "0.0.0.0:4317"}}}},
            "exporters": {"awsxray": {"region": facts.region}},
            "service": {"pipelines": {"traces": {"receivers": ["otlp"], "exporters": ["awsxray"]}}},
        },
    }


VALUES: Final[dict[str, Callable[[Facts], Values]]] = {
    BALANCER: balancer,
    "cert-manager": cert_manager,
    "external-secrets": external_secrets,
    "external-dns": external_dns,
    "karpenter-crd": lambda facts: {},
    "karpenter": karpenter,
    "keda": keda,
    "monitoring": monitoring,
    "adot-collector": adot,
}


def wanted(name: str, facts: Facts) -> bool:
    """Whether an environment has a chart: some need what only some have."""
    if name.startswith("karpenter"):
        return not facts.auto
    return {"external-dns": bool(facts.zones), "adot-collector": facts.traces}.get(name, True)
