"""The charts, each at one version: the one place that names where they come from.

Each was compared with its source repository at its tag: version, and every value that infra/addons/values.py gives. The
repositories of charts themselves were not reached: `helm show chart` each before a first deployment. Raise one at a
time, and read its notes. Of Kubernetes 1.33 to 1.35, cert-manager and KEDA are tested with all three by their makers,
External Secrets with 1.34 and 1.35.
"""

from __future__ import annotations

from typing import Final

import msgspec


class Chart(msgspec.Struct, frozen=True):
    """A chart that becomes a release of its name; `source` is a repository, or all of an OCI reference."""

    name: str
    chart: str
    version: str
    source: str
    namespace: str
    after: tuple[str, ...] = ()  # releases whose kinds or webhooks it needs
    on_pools: bool = False  # its pods tolerate no taint of the system's nodes: it waits for node pools and disks


BALANCER: Final = "aws-load-balancer-controller"
TIMEOUT_S: Final = 900  # Helm's own 300 end before a node has come, the disk is attached and images are pulled
CHARTS: Final = (
    # First: Kubernetes asks its webhooks about Ingresses and pods, and refuses those while it gets no answer.
    Chart(BALANCER, BALANCER, "1.14.0", "https://aws.github.io/eks-charts", "kube-system"),
    Chart("cert-manager", "cert-manager", "v1.21.1", "https://charts.jetstack.io", "cert-manager", (BALANCER,)),
    Chart(
        "external-secrets",
        "external-secrets",
        "2.6.0",
        "https://charts.external-secrets.io",
        "external-secrets",
        (BALANCER,),
    ),
    Chart(
        "external-dns",
        "external-dns",
        "1.19.0",
        "https://kubernetes-sigs.github.io/external-dns/",
        "external-dns",
        (BALANCER,),
    ),
    # Helm never changes kinds that a chart brings along, so they are a chart of their own.
    Chart("karpenter-crd", "karpenter-crd", "1.11.3", "oci://public.ecr.aws/karpenter/karpenter-crd", "kube-system"),
    Chart(
        "karpenter",
        "karpenter",
        "1.11.3",
        "oci://public.ecr.aws/karpenter/karpenter",
        "kube-system",
        (BALANCER, "karpenter-crd"),
    ),
    Chart("keda", "keda", "2.20.2", "https://kedacore.github.io/charts", "keda", (BALANCER,)),
    Chart(
        "monitoring",
        "kube-prometheus-stack",
        "79.5.0",
        "https://prometheus-community.github.io/helm-charts",
        "monitoring",
        (BALANCER,),
        on_pools=True,
    ),
    Chart(
        "adot-collector",
        "opentelemetry-collector",
        "0.138.0",
        "https://open-telemetry.github.io/opentelemetry-helm-charts",
        "opentelemetry",
        (BALANCER,),
        on_pools=True,
    ),
)
ADOT_IMAGE: Final = {"repository": "public.ecr.aws/aws-observability/aws-otel-collector", "tag": "v0.45.1"}
