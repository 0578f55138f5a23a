"""The stand-in for Kubernetes' provider: charts are noted and not fetched, objects judged by the SDK's types."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from infra.plan.graph import Graph, Json
from infra.rehearsal.kinds import misfits
from infra.rehearsal.protocol import Properties, StandIn
from infra.rehearsal.world import Thing

RELEASE: Final = "kubernetes:helm.sh/v3:Release"
# What an API server never changes, besides an object's place, of the kinds that the program makes.
SETTLED: Final = {
    "RoleBinding": ("roleRef",),
    "StorageClass": ("parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"),
}
OF_SDK: Final = "compat"  # which the SDK adds to every release for its provider
PLACE: Final = ("name", "namespace")


class Cluster(StandIn):
    """Where what it makes goes is its world's business."""

    anchors = ("clusterIdentifier",)  # where it is given; another address is the same cluster

    def named(self, token: str, name: str, inputs: Properties, before: Properties, seed: str) -> Properties:
        """As they are: what has no name is refused."""
        return inputs

    def faults(self, token: str, inputs: Properties, config: Properties) -> Iterable[tuple[str, str]]:
        """By the SDK's types; whatever only a chart brings has none."""
        if not _place(token, inputs).get("name"):
            yield "metadata.name", "not given; the provider would make one up at each rehearsal"
        yield from misfits(token, {key: each for key, each in inputs.items() if key != OF_SDK})

    def settled(self, token: str, key: str, changed: tuple[Json, Json], inputs: Properties, config: Properties) -> bool:
        """Names, kinds, and what the API server settles."""
        if key == "metadata":
            old, new = (each if isinstance(each, dict) else {} for each in changed)
            return any(old.get(name) != new.get(name) for name in PLACE)
        kind = token.rpartition(":")[2]
        return key in ("apiVersion", "kind", *SETTLED.get(kind, ())) or (token == RELEASE and key in PLACE)

    def thing(self, token: str, name: str, inputs: Properties, config: Properties, made: str = "") -> Thing:
        """Known by namespace and name."""
        place = _place(token, inputs)
        return Thing(
            "/".join(str(place[key]) for key in ("namespace", "name") if key in place), token, name, inputs, inputs
        )


def _place(token: str, inputs: Mapping[str, Json]) -> Mapping[str, Json]:
    """What has the name and the namespace."""
    found = inputs if token == RELEASE else inputs.get("metadata")
    return found if isinstance(found, dict) else {}


def charts(graph: Graph) -> Iterator[str]:
    """Each release's chart and version."""
    for each in graph.of("helm.sh/v3"):
        yield f"{str(each.inputs['chart']).rpartition('/')[2]} {each.inputs['version']}"


def title(found: Mapping[str, Json]) -> str:
    """`Namespace task-api`, of an object's inputs."""
    return f"{found.get('kind')} {_place('', found).get('name')}"
