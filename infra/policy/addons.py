"""The rules about what is in the cluster."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from infra.plan.graph import Graph, Resource
from infra.policy.cluster import inside, metadata
from infra.policy.rule import Rule, has, said

ENFORCED: Final = "pod-security.kubernetes.io/enforce"


def guarded(resource: Resource, graph: Graph) -> Iterator[str]:
    """A namespace lets in only pods of the strictest profile."""
    found = inside(resource, "metadata").get("labels", {}).get(ENFORCED)
    if found != "restricted":
        yield f'{ENFORCED} is {said(found)}; "restricted" is expected'


def limited(resource: Resource, graph: Graph) -> Iterator[str]:
    """A pool has an end, and so has each of its nodes."""
    spec = inside(resource, "spec")
    if not spec.get("limits", {}).get("cpu"):
        yield "has no limit of CPU; one runaway Deployment would buy all of the region"
    if not spec.get("template", {}).get("spec", {}).get("expireAfter"):
        yield "has no expireAfter; nodes would grow old and stay unmended"


def machine(resource: Resource, graph: Graph) -> Iterator[str]:
    """The machines that Karpenter makes are like those of a launch template."""
    spec = inside(resource, "spec")
    yield from metadata(Resource(resource.name, resource.type, inputs=spec), graph)
    disks = spec.get("blockDeviceMappings", [])
    if not disks or not all(each.get("ebs", {}).get("encrypted") for each in disks):
        yield "has a disk that is not encrypted"


def sealed(resource: Resource, graph: Graph) -> Iterator[str]:
    """Volumes are encrypted."""
    found = inside(resource, "parameters").get("encrypted")
    if found != "true":
        yield f'encrypted is {said(found)}; "true" is expected'


ADDONS_RULES: Final = (
    Rule("charts-pinned", ("helm.sh/v3",), "Tomorrow's chart was not tried", "", has("version", "atomic")),
    Rule("pods-guarded", ("core/v1:Namespace",), "Root in a pod is a step from the machine", "CIS EKS 4.2", guarded),
    Rule("pools-end", ("NodePool",), "Nodes that nobody asked for are billed", "", limited),
    Rule("karpenter-machines", ("EC2NodeClass",), "Pods would be the machine", "EC2.8, EC2.7", machine),
    Rule("volumes-sealed", ("storage.k8s.io/v1",), "Disks are copied", "EC2.7", sealed),
)
