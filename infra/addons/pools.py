"""Node pools as plain data: how much is on spot, on which architecture, and what comes and goes.

A share of pods on spot is had by a label: four values of it, some given to the pool on spot and some to that on
demand, and the application's pods spread over the values.
https://karpenter.sh/docs/concepts/scheduling/#on-demandspot-ratio-split.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

from infra.config.cluster import Nodes

SHARE: Final = "primetrade.ai/share"  # the label; helm/eks-slot.yaml spreads over it
QUARTERS: Final = 4
CLASS: Final = "default"
Manifest = dict[str, object]
Capacity = Literal["spot", "on-demand"]


def pools(nodes: Nodes, *, auto: bool) -> dict[Capacity, Manifest]:
    """The spec of each NodePool: one for each capacity that has a share, together within the limit."""
    on_spot = nodes.spot_percent * QUARTERS // 100
    values: dict[Capacity, list[str]] = {
        "spot": [str(each) for each in range(on_spot)],
        "on-demand": [str(each) for each in range(on_spot, QUARTERS)],
    }
    # Some things must not be on spot, such as the metrics' disk: a quarter more is for them where all pods are.
    parts = {capacity: len(each) or (1 if capacity == "on-demand" else 0) for capacity, each in values.items()}
    return {
        capacity: _pool(nodes, capacity, values[capacity], nodes.max_cpu * part // sum(parts.values()), auto=auto)
        for capacity, part in parts.items()
        if part
    }


def _pool(nodes: Nodes, capacity: Capacity, shares: Sequence[str], cpu: int, *, auto: bool) -> Manifest:
    prefix = "eks.amazonaws.com" if auto else "karpenter.k8s.aws"
    group, kind = ("eks.amazonaws.com", "NodeClass") if auto else ("karpenter.k8s.aws", "EC2NodeClass")
    requirements = [
        _in("kubernetes.io/arch", nodes.architectures),
        _in("kubernetes.io/os", ["linux"]),
        _in("karpenter.sh/capacity-type", [capacity]),
        _in(f"{prefix}/instance-category", ["c", "m", "r"]),
        {"key": f"{prefix}/instance-generation", "operator": "Gt", "values": ["5"]},
        *([_in(SHARE, shares)] if shares else []),
    ]
    return {
        "template": {
            "spec": {
                "nodeClassRef": {"group": group, "kind": kind, "name": CLASS},
                "requirements": requirements,
                "expireAfter": f"{nodes.days * 24}h",
            }
        },
        "limits": {"cpu": str(cpu)},
        "disruption": {
            "consolidationPolicy": "WhenEmptyOrUnderutilized",
            "consolidateAfter": "5m",
            "budgets": [{"nodes": "10%"}],
        },
    }


def _in(key: str, values: Sequence[str]) -> Manifest:
    return {"key": key, "operator": "In", "values": list(values)}


def node_class(profile: object, subnets: object, groups: object, tags: object) -> Manifest:
    """Karpenter's EC2NodeClass: the machines that the managed group has, with the same doors and metadata."""
    return {
        "amiSelectorTerms": [{"alias": "al2023@latest"}],
        "instanceProfile": profile,
        "subnetSelectorTerms": subnets,
        "securityGroupSelectorTerms": groups,
        "metadataOptions": {"httpEndpoint": "enabled", "httpTokens": "required", "httpPutResponseHopLimit": 1},
        "blockDeviceMappings": [
            {"deviceName": "/dev/xvda", "ebs": {"volumeType": "gp3", "volumeSize": "50Gi", "encrypted": True}}
        ],
        "tags": tags,
    }


def auto_class(role: object, subnets: object, groups: object, tags: object) -> Manifest:
    """Auto Mode's NodeClass; it has no choice of image and metadata."""
    return {"role": role, "subnetSelectorTerms": subnets, "securityGroupSelectorTerms": groups, "tags": tags}
