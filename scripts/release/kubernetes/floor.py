"""The least pods of a slot that an autoscaler scales: lifted while a release is under way, put back afterwards.

Neither slot may shrink meanwhile: the one that loses users may get all of them back, and the one that gets them has not
yet the figures that its autoscaler would keep its size by.
"""

from __future__ import annotations

from typing import NamedTuple

from scripts.release.kubernetes.client import Api, Object
from scripts.release.kubernetes.slots import annotation

OWN = "primetrade/least"  # annotation: the least pods by the values, while it is lifted


class Kind(NamedTuple):
    """A kind of autoscaler."""

    group: str
    plural: str
    least: str  # field of its spec
    most: str


KINDS = {
    "hpa": Kind("autoscaling/v2", "horizontalpodautoscalers", "minReplicas", "maxReplicas"),
    "keda": Kind("keda.sh/v1alpha1", "scaledobjects", "minReplicaCount", "maxReplicaCount"),
}


class Floor:
    """The autoscaler of one slot, by the `driver` of its values."""

    def __init__(self, api: Api, namespace: str, name: str, driver: str) -> None:
        self._api, self._kind = api, KINDS.get(driver)
        if self._kind:
            self._path = f"/apis/{self._kind.group}/namespaces/{namespace}/{self._kind.plural}/{name}"

    @property
    def found(self) -> Object | None:
        return self._api.get(self._path) if self._kind else None

    def lift(self, replicas: int, *, installed: bool = False) -> bool:
        """At least so many pods until it is put back; whether there is an autoscaler.

        `installed`: the values' own number has just been written.
        """
        found = self.found
        if found and self._kind:
            own = "" if installed else annotation(found, OWN)
            self._api.merge_patch(self._path, lifted(found["spec"], self._kind, replicas, own))
        return found is not None

    def put_back(self) -> None:
        """The least pods of the values again. It takes none away: the autoscaler decides."""
        found = self.found
        if found and self._kind and (own := annotation(found, OWN)):
            change = {"metadata": {"annotations": {OWN: None}}, "spec": {self._kind.least: int(own)}}
            self._api.merge_patch(self._path, change)


def lifted(spec: Object, kind: Kind, replicas: int, own: str) -> Object:
    """The change that makes the least `replicas`: neither under that of the values, `own`, nor over the most."""
    least = int(own) if own else int(spec.get(kind.least, 1))
    wanted = min(max(least, replicas), int(spec.get(kind.most, replicas)))
    return {"metadata": {"annotations": {OWN: str(least)}}, "spec": {kind.least: max(wanted, least)}}
