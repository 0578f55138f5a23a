"""The charts, each at one version: the one place that names where they come from.

The versions are as known at writing; none was fetched. `helm show chart` each before a first deployment. Raise one at a
time, and read its notes for values that infra/addons/values.py gives.
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


BALANCER: Final = "aws-load-balancer-controller"
CHARTS: Final = (
    # First: its webhook looks at every Ingress and every pod's readiness gates.
    Chart(BALANCER, BALANCER, "1.14.0", "https://aws.github.io/eks-charts", "kube-system"),
    Chart("cert-manager", "cert-manager", "v1.19.1", "https://charts.jetstack.io", "cert-manager"),
    Chart("external-secrets", "external-secrets", "0.20.4", "https://charts.external-secrets.io", "external-secrets"),
    Chart(
        "external-dns",
        "external-dns",
        "1.19.0",
        "https://kubernetes-sigs.github.io/external-dns/",
        "external-dns",
    ),
    # Helm never changes kinds that a chart brings along, so they are a chart of their own.
    Chart("karpenter-crd", "karpenter-crd", "1.11.1", "oci://public.ecr.aws/karpenter/karpenter-crd", "kube-system"),
    Chart(
        "karpenter",
        "karpenter",
        "1.11.1",
        "oci://public.ecr.aws/karpenter/karpenter",
        "kube-system",
        ("karpenter-crd",),
    ),
    Chart("keda", "keda", "2.18.1", "https://kedacore.github.io/charts", "keda"),
    Chart(
        "monitoring",
        "kube-prometheus-stack",
        "79.5.0",
        "https://prometheus-community.github.io/helm-charts",
        "monitoring",
    ),
    Chart(
        "adot-collector",
        "opentelemetry-collector",
        "0.138.0",
        "https://open-telemetry.github.io/opentelemetry-helm-charts",
        "opentelemetry",
    ),
)
ADOT_IMAGE: Final = {"repository": "public.ecr.aws/aws-observability/aws-otel-collector", "tag": "v0.45.1"}
