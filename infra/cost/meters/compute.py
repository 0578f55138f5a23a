"""Meters of the cluster, and models of what it makes itself: no graph has Karpenter's nodes or the load balancer."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

from infra.cost.charge import Basis, Charge, Meter
from infra.cost.meters.data import vcpus
from infra.cost.meters.network import private_zones
from infra.cost.usage import HOURS
from infra.plan.graph import Resource

X86: Final = {"m7g": "m7i", "t4g": "t3"}  # the x86 family of the same size; that both do the same work is not measured
ARM: Final = {x86: arm for arm, x86 in X86.items()}
NODE: Final = "m7g.large"  # what the model takes Karpenter to choose
NODE_DISK_GIB: Final = 50
AUTO_SYSTEM: Final = 2  # nodes of Auto Mode's pool `system`
# One LCU is the most of these; https://aws.amazon.com/elasticloadbalancing/pricing/.
LCU_NEW: Final = 25.0  # connections begun per second
LCU_GB: Final = 1.0  # per hour
LCU_RULES: Final = 1000.0  # rules looked at per second, beyond ten a request
PER_CONNECTION: Final = 100.0  # requests, between CloudFront and the load balancer


def cluster(resource: Resource, basis: Basis) -> Iterator[Charge]:
    """The control plane."""
    yield Charge("control plane", "EKS", "cluster standard support", HOURS)


def node_group(resource: Resource, basis: Basis) -> Iterator[Charge]:
    """Its nodes and their disks."""
    types, scaling = resource.inputs.get("instanceTypes"), resource.inputs.get("scalingConfig")
    assert isinstance(types, list)
    assert isinstance(scaling, dict)
    count = float(scaling["desiredSize"])
    yield from machines(str(types[0]), count, 0, basis, awake=basis.awake)


def machines(kind: str, count: float, spot: float, basis: Basis, awake: float = 1.0) -> Iterator[Charge]:
    """Nodes by the hour for a share of all hours, a share of them on spot, with their disks."""
    family, _, size = kind.partition(".")
    twin = (ARM if basis.terms.graviton else X86).get(family, family)
    kind = f"{twin}.{size}"
    every, plan = count * HOURS, basis.terms.savings_plan
    hours = every * awake
    less = "" if plan == "none" else f"Compute Savings Plan {plan} no upfront"
    if spot < 1:
        words = f"{count * (1 - spot):.3g} {kind} on demand"
        used, whole = hours * (1 - spot), every * (1 - spot)
        yield Charge(words, "EC2", f"{kind} linux on-demand", used, less=less, committed=whole)
    if spot:
        yield Charge(
            f"{count * spot:.3g} {kind} on spot", "EC2", f"{kind} linux spot (median over zones)", hours * spot
        )
    yield Charge(f"disks of {count:.3g} nodes", "EBS", "gp3 volume", count * NODE_DISK_GIB * awake)
    if basis.auto:
        yield Charge("Auto Mode", "EKS", f"Auto Mode surcharge {kind}", hours)


def karpenter(basis: Basis) -> Iterator[Charge]:
    """As many nodes as the traffic's CPU needs with headroom, and one in each zone at least; no night stops them."""
    if basis.usage.peak_rps == 0:
        return  # a second region waits without pods of the application
    rps = basis.usage.mean_rps if basis.terms.elastic else basis.usage.peak_rps
    count = nodes_for(rps, basis) + (AUTO_SYSTEM if basis.auto else 0)
    yield from machines(NODE, count, basis.terms.spot, basis)
    yield Charge("volumes of pods", "EBS", "gp3 volume", basis.usage.volume_gib)


def nodes_for(rps: float, basis: Basis) -> int:
    """Nodes that hold `rps` in every slot with headroom."""
    cpu = rps * basis.usage.cpu_ms / 1000 * basis.usage.slots * basis.usage.headroom
    return max(private_zones(basis), math.ceil(cpu / vcpus(NODE)))


def load_balancer(basis: Basis) -> Iterator[Charge]:
    """One Application Load Balancer of the router's Ingress, with an address in each zone."""
    if basis.usage.peak_rps == 0:
        return
    zones = private_zones(basis)
    yield Charge("load balancer", "ELB", "Application Load Balancer", HOURS)
    yield Charge(f"its {zones} addresses", "VPC", "public IPv4 address in use", zones * HOURS)
    usage = basis.usage
    most = max(usage.mean_rps / PER_CONNECTION / LCU_NEW, usage.out_gb / HOURS / LCU_GB, usage.mean_rps / LCU_RULES)
    yield Charge("its capacity units", "ELB", "Application Load Balancer LCU", most * HOURS, grows=True)


def transfer(basis: Basis) -> Iterator[Charge]:
    """Between zones: what pods ask and are answered crosses in two of three cases; out, where no CloudFront is."""
    zones, gb = private_zones(basis), basis.usage.out_gb
    crossing = gb * HOPS * (zones - 1) / zones
    yield Charge("between zones", "Data transfer", "between zones, each direction", 2 * crossing, grows=True)
    if not basis.graph.of("cloudfront/distribution"):
        yield Charge("answers", "Data transfer", "out to internet, first 10 TB/month", gb, grows=True)


HOPS: Final = 3  # of an answer inside: database or cache to pod, pod to load balancer, and what is asked for it
MODELS: Final = {"nodes": karpenter, "load balancer": load_balancer, "transfer": transfer}
METERS: Final[dict[str, Meter]] = {"eks/cluster": cluster, "eks/nodeGroup": node_group}
