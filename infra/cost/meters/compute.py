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
NODE: Final = "m7g.large"  # what the model takes Karpenter to choose, or its x86 twin
MONITORING: Final = (
    1.0  # node that runs in every stack, and on demand: Prometheus asks for it in infra/addons/values.py
)
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
    kind = twin(str(types[0]), arm=basis.terms.graviton)
    yield from machines(kind, float(scaling["desiredSize"]), 0, basis, awake=basis.awake)


def twin(kind: str, *, arm: bool) -> str:
    """The instance type of the same size on Graviton or x86."""
    family, _, size = kind.partition(".")
    return f"{(ARM if arm else X86).get(family, family)}.{size}"


def machines(kind: str, demand: float, spot: float, basis: Basis, awake: float = 1.0) -> Iterator[Charge]:
    """Nodes on demand and on spot by the hour, for a share of all hours, with their disks."""
    plan, count = basis.terms.savings_plan, demand + spot
    less = "" if plan == "none" else f"Compute Savings Plan {plan} no upfront"
    if demand:
        sku, whole = f"{kind} linux on-demand", demand * HOURS
        yield Charge(f"{demand:.3g} {kind} on demand", "EC2", sku, whole * awake, less=less, committed=whole)
    if spot:
        sku = f"{kind} linux spot (median over zones)"
        yield Charge(f"{spot:.3g} {kind} on spot", "EC2", sku, spot * HOURS * awake)
    yield Charge(f"disks of {count:.3g} nodes", "EBS", "gp3 volume", count * NODE_DISK_GIB * awake)
    if basis.auto:
        yield Charge("Auto Mode", "EKS", f"Auto Mode surcharge {kind}", count * HOURS * awake)


def karpenter(basis: Basis) -> Iterator[Charge]:
    """As many nodes as the traffic's CPU needs with headroom, and one in each zone at least; no night stops them.

    A second region waits without pods of the application, but not unwatched.
    """
    rps = basis.usage.mean_rps if basis.terms.elastic else basis.usage.peak_rps
    count = nodes_for(rps, basis) if basis.usage.peak_rps else MONITORING
    count += AUTO_SYSTEM if basis.auto else 0
    demand = max(MONITORING, count * (1 - basis.terms.spot))
    yield from machines(twin(NODE, arm=basis.terms.graviton and basis.pool_arm), demand, count - demand, basis)
    yield Charge("volumes of pods", "EBS", "gp3 volume", basis.usage.volume_gib)


def nodes_for(rps: float, basis: Basis) -> int:
    """Nodes that hold `rps` in every slot with headroom."""
    cpu = rps * basis.usage.cpu_ms / 1000 * basis.usage.slots * basis.usage.headroom
    return max(private_zones(basis), math.ceil(cpu / vcpus(NODE)))


def load_balancer(basis: Basis) -> Iterator[Charge]:
    """One Application Load Balancer of the router's Ingress, with an address in each zone."""
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
