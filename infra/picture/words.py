"""The lines under a part's name, from the inputs of its resources; each line is short enough for its box."""

from __future__ import annotations

from typing import Final

from infra.picture.parts import text
from infra.plan.graph import Graph, Resource

Found = list[Resource]


def _first(found: Found, kind: str) -> Resource:
    return next(each for each in found if f":{kind}:" in each.type)


def cdn(found: Found, graph: Graph) -> tuple[str, ...]:
    """CloudFront with its firewall."""
    acl = graph.of("wafv2/webAcl")
    rules = acl[0].inputs.get("rules") if acl else None
    return (f"WAF: {len(rules)} rules" if isinstance(rules, list) else "no firewall", "TLS, cache")


def ways_out(found: Found, graph: Graph) -> tuple[str, ...]:
    """How private subnets get out."""
    gateways = graph.of("ec2/natGateway")
    if any(text(each, "availabilityMode") == "regional" for each in gateways):
        return ("regional: every zone",)
    return ("one for all zones" if len(gateways) == 1 else f"one in each of {len(gateways)} zones",)


def endpoints(found: Found, graph: Graph) -> tuple[str, ...]:
    """Private ways to AWS's services; gateways cost nothing."""
    kinds = [text(each, "vpcEndpointType") for each in found]
    counts = [(kinds.count(kind), words) for kind, words in ENDPOINTS.items()]
    return (", ".join(f"{count} {words}" for count, words in counts if count),)


ENDPOINTS: Final = {"Interface": "interfaces", "Gateway": "gateways"}


def control(found: Found, graph: Graph) -> tuple[str, ...]:
    """The control plane and the nodes it begins with."""
    cluster, groups = _first(found, "eks/cluster"), graph.of("eks/nodeGroup")
    lines = [f"Kubernetes {text(cluster, 'version')}"]
    for group in groups:
        scaling, types = group.inputs.get("scalingConfig"), group.inputs.get("instanceTypes")
        if isinstance(scaling, dict) and isinstance(types, list):
            lines.append(f"{scaling['desiredSize']} {types[0]}, managed")
    return tuple(lines) if groups else (*lines, "Auto Mode")


def primary(found: Found, graph: Graph) -> tuple[str, ...]:
    """The instance that takes writes, or follows another region."""
    first = found[0]
    zones = ", Multi-AZ" if first.inputs.get("multiAz") else ""
    source = text(first, "replicateSourceDb")
    size = f"{text(first, 'allocatedStorage')} to {text(first, 'maxAllocatedStorage')} GB"
    return f"{text(first, 'instanceClass')}{zones}", f"follows {source.split(':')[3]}" if ":" in source else size


def valkey(found: Found, graph: Graph) -> tuple[str, ...]:
    """Nodes, or none where it is paid by use."""
    nodes = [each for each in found if "nodeType" in each.inputs]
    if not nodes:
        return ("serverless", "TLS, named users")
    return f"{text(nodes[0], 'numCacheClusters')} {text(nodes[0], 'nodeType')}", "TLS, named users"


def leads(resource: Resource, graph: Graph) -> bool:
    """Whether it is the instance that takes writes here, or will once it is promoted."""
    return not follows(resource, graph)


def follows(resource: Resource, graph: Graph) -> bool:
    """Whether it follows an instance of this region."""
    source = text(resource, "replicateSourceDb")
    return bool(source) and ":" not in source


def replicas(found: Found, graph: Graph) -> tuple[str, ...]:
    """How many follow the primary."""
    return f"{len(found)} {text(found[0], 'instanceClass')}", "follow the primary"


def watched(found: Found, graph: Graph) -> tuple[str, ...]:
    """Alarms, pages and log groups."""
    alarms = len(graph.of("cloudwatch/metricAlarm", "cloudwatch/compositeAlarm"))
    return (f"{alarms} alarms, {len(graph.of('cloudwatch/logGroup'))} log groups",)


COPIED: Final = ("backup/vault", "kms/replicaKey", "rds/instanceAutomatedBackupsReplication")


def home(graph: Graph) -> str:
    """The region of the stack."""
    return next((text(each, "region") for each in graph.of("pulumi:providers")), "")


def away(resource: Resource, graph: Graph) -> bool:
    """Whether it is in another region than the stack."""
    return text(resource, "region") not in ("", home(graph))


def here(resource: Resource, graph: Graph) -> bool:
    """Whether it is in the stack's own region."""
    return not away(resource, graph)


def other(graph: Graph) -> str:
    """The region that gets copies."""
    return next((text(each, "region") for each in graph.of(*COPIED) if away(each, graph)), "")
