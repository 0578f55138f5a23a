"""The API server that a rehearsal of `addons` asks: objects by kind and name, by the release engine's own client."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from infra.rehearsal.world import RefusedError
from scripts.release.errors import ReleaseError
from scripts.release.kubernetes.client import Api

MANAGER: Final = "primetrade-rehearsal"
PATIENCE_S: Final = 15.0  # for one answer
Object = Mapping[str, Any]


class ApiServer:
    """Every call raises RefusedError for a no and for silence."""

    def __init__(self, kubeconfig: str) -> None:
        """By the kubeconfig's current context. Raises ReleaseError where it cannot be used."""
        from kubernetes import config  # noqa: PLC0415 - 0.2 s

        self._api = Api.connect(kubeconfig=kubeconfig).within(PATIENCE_S)
        _, context = config.list_kube_config_contexts(kubeconfig)  # type: ignore[no-untyped-call]
        self.where = f"{context['name']} at {self._api.host}"
        self._kinds: dict[str, dict[str, tuple[str, bool]]] = {}

    def knows(self, found: Object) -> bool:
        """Whether it has that kind."""
        return found["kind"] in self._of(found["apiVersion"])

    def uid(self, found: Object) -> str:
        """Of the object of that kind and name; empty where there is none."""
        with _refusing():
            there = self._api.get(self._path(found))
        return str(there["metadata"]["uid"]) if there else ""

    def make(self, found: Object) -> str:
        """Make it new, never over another; gives its uid."""
        with _refusing():
            made = self._api.create(self._collection(found), dict(found), MANAGER)
        return str(made["metadata"]["uid"])

    def apply(self, found: Object) -> None:
        """Lay it over what is there, server-side."""
        with _refusing():
            self._api.apply(self._path(found), dict(found), MANAGER)

    def delete(self, found: Object, uid: str) -> None:
        """Let go of it, if it is still the one of that uid."""
        with _refusing():
            self._api.delete(self._path(found), {"preconditions": {"uid": uid}})

    def _of(self, version: str) -> dict[str, tuple[str, bool]]:
        """The kinds of a group and version: what they are called in a path, and whether they are in namespaces."""
        if version not in self._kinds:
            with _refusing():
                said = self._api.get(_root(version)) or {"resources": []}
            self._kinds[version] = {
                each["kind"]: (each["name"], each["namespaced"])
                for each in said["resources"]
                if "/" not in each["name"]  # a part of another, such as its status
            }
        return self._kinds[version]

    def _collection(self, found: Object) -> str:
        plural, namespaced = self._of(found["apiVersion"])[found["kind"]]
        place = f"/namespaces/{found['metadata'].get('namespace', 'default')}" if namespaced else ""
        return f"{_root(found['apiVersion'])}{place}/{plural}"

    def _path(self, found: Object) -> str:
        return f"{self._collection(found)}/{found['metadata']['name']}"


def _root(version: str) -> str:
    return f"/apis/{version}" if "/" in version else f"/api/{version}"


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except ReleaseError as exc:
        raise RefusedError(str(exc)) from exc
