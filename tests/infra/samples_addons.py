"""What passes and what fails the rules about what is in the cluster."""

from __future__ import annotations

from typing import Any

from infra.plan.graph import Graph, Resource
from tests.infra.samples import Samples, graph

TOKENS = {"httpTokens": "required", "httpPutResponseHopLimit": 1}
DISK = [{"ebs": {"encrypted": True}}]


def object_of(kind: str, **inputs: Any) -> Graph:
    return graph(Resource(name="sample", type=f"kubernetes:{kind}", provider="cluster", inputs=inputs))


def space(**labels: str) -> Graph:
    return object_of("core/v1:Namespace", metadata={"labels": labels})


def pool(**spec: Any) -> Graph:
    return object_of("karpenter.sh/v1:NodePool", spec=spec)


def machines(**spec: Any) -> Graph:
    return object_of("karpenter.k8s.aws/v1:EC2NodeClass", spec=spec)


AGE = {"spec": {"expireAfter": "336h"}}
ADDONS_SAMPLES: Samples = {
    "charts-pinned": (
        [object_of("helm.sh/v3:Release", version="1.0.0", atomic=True)],
        [
            (object_of("helm.sh/v3:Release", atomic=True), "version is missing"),
            (object_of("helm.sh/v3:Release", version="1.0.0"), "atomic is missing"),
        ],
    ),
    "pods-guarded": (
        [space(**{"pod-security.kubernetes.io/enforce": "restricted"})],
        [
            (space(), "pod-security.kubernetes.io/enforce is missing"),
            (space(**{"pod-security.kubernetes.io/enforce": "baseline"}), ".* is .baseline.; .restricted. is expected"),
        ],
    ),
    "pools-end": (
        [pool(limits={"cpu": "64"}, template=AGE)],
        [(pool(template=AGE), "has no limit of CPU"), (pool(limits={"cpu": "64"}), "has no expireAfter")],
    ),
    "karpenter-machines": (
        [machines(metadataOptions=TOKENS, blockDeviceMappings=DISK)],
        [
            (machines(metadataOptions={}, blockDeviceMappings=DISK), "httpTokens is missing"),
            (machines(metadataOptions=TOKENS), "has a disk that is not encrypted"),
        ],
    ),
    "volumes-sealed": (
        [object_of("storage.k8s.io/v1:StorageClass", parameters={"encrypted": "true"})],
        [(object_of("storage.k8s.io/v1:StorageClass", parameters={}), "encrypted is missing")],
    ),
}
