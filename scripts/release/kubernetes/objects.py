"""The slots' objects in the cluster, read with one call a kind."""

from __future__ import annotations

from typing import Any

from scripts.release.errors import ReleaseError
from scripts.release.kubernetes.client import Api, Missing, Object
from scripts.release.kubernetes.slots import Parts
from scripts.release.route import SLOTS


class Objects:
    """Deployments, pods and EndpointSlices of one application."""

    def __init__(self, api: Api, namespace: str, app: str) -> None:
        self._api, self._namespace, self._app = api, namespace, app

    def both(self) -> dict[str, Parts]:
        """The objects of both slots."""
        ours = f"app.kubernetes.io/instance={self._app},slot in ({','.join(SLOTS)})"
        names = ",".join(f"{self._app}-{slot}" for slot in SLOTS)
        deployments = self._api.list(self._path("apis/apps/v1", "deployments"), labels=ours)
        pods = self.pods()
        slices = self._api.list(
            self._path("apis/discovery.k8s.io/v1", "endpointslices"), labels=f"kubernetes.io/service-name in ({names})"
        )
        return {slot: self._parts(slot, deployments, pods, slices) for slot in SLOTS}

    def one(self, slot: str) -> Parts:
        """Those of one slot."""
        return self.both()[slot]

    def pods(self) -> list[Object]:
        """The pods of both slots."""
        ours = f"app.kubernetes.io/instance={self._app},slot in ({','.join(SLOTS)})"
        return self._api.list(self._path("api/v1", "pods"), labels=ours)

    def change(self, slot: str, body: dict[str, Any]) -> None:
        """Lay `body` over the slot's Deployment. Raises ReleaseError where there is none."""
        try:
            self._api.merge_patch(self._path("apis/apps/v1", f"deployments/{self._app}-{slot}"), body)
        except Missing as exc:
            raise ReleaseError(f"{slot} does not run: there is no Deployment {self._app}-{slot}") from exc

    def delete(self, slot: str) -> None:
        """Take the slot's Deployment away, its pods in the background; nothing to do where there is none."""
        path = self._path("apis/apps/v1", f"deployments/{self._app}-{slot}")
        self._api.delete(path, {"propagationPolicy": "Background"})

    def _path(self, group: str, rest: str) -> str:
        return f"/{group}/namespaces/{self._namespace}/{rest}"

    def _parts(self, slot: str, deployments: list[Object], pods: list[Object], slices: list[Object]) -> Parts:
        name = f"{self._app}-{slot}"
        return Parts(
            name=slot,
            deployment=next((each for each in deployments if each["metadata"]["name"] == name), None),
            pods=[each for each in pods if each["metadata"]["labels"].get("slot") == slot],
            slices=[each for each in slices if each["metadata"]["labels"]["kubernetes.io/service-name"] == name],
        )
