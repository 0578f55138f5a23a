"""The pods of a load run: what they say, and why they do not start."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, Final

from loadtest.distributed import log
from scripts.load_job.manifests import COMPONENT, INSTANCE, Place
from scripts.release.errors import ReleaseError
from scripts.release.kubernetes.client import Api
from scripts.release.kubernetes.slots import STUCK, containers, pod_trouble

LAST_LINES: Final = 12

Pod = Mapping[str, Any]


class Pods:
    """Read anew by each call; any may raise ReleaseError but those that say otherwise."""

    def __init__(self, api: Api, place: Place) -> None:
        self._api, self._place = api, place
        self._space = f"/api/v1/namespaces/{place.namespace}"

    def all(self) -> list[Pod]:
        """Of the master and of the workers."""
        return list(self._api.list(f"{self._space}/pods", labels=f"{INSTANCE}={self._place.name}"))

    def text(self, pod: Pod, query: str = "") -> str:
        """Its log."""
        return self._api.text(f"{self._space}/pods/{name(pod)}/log{query}") or ""

    def refusals(self, job: str) -> Iterator[str]:
        """Why a Job makes no pods, as its controller says: a quota, PodSecurity, an admission webhook."""
        fields = f"involvedObject.name={job},reason=FailedCreate"
        for event in self._api.list(f"{self._space}/events", fields=fields):
            yield f"Job {job} cannot make its pods: {event['message']}"

    def unstarted(self) -> str:
        """Why pods did not start; "" where all did."""
        waiting = [pod for pod in self.all() if not started(pod)]
        return "; ".join(pod_trouble(pod) or f"pod {name(pod)} did not start" for pod in waiting)

    def logs(self) -> str:
        """All of them, whole."""
        return "\n".join(f"--- {name(pod)}\n{self.text(pod)}" for pod in self.all() if started(pod))

    def last_words(self) -> str:
        """The ends of the logs of the pods that failed, or of all. Raises nothing."""
        with suppress(ReleaseError):
            pods = [pod for pod in self.all() if started(pod)]
            failed = [pod for pod in pods if pod["status"].get("phase") == "Failed"] or pods
            ends = [f"{name(pod)}:\n{_end(self.text(pod))}" for pod in failed]
            return "the end of the logs:\n" + "\n".join(ends) if ends else "no pod of it ever ran"
        return "the logs cannot be read"


def component(pods: list[Pod], wanted: str) -> list[Pod]:
    """Those of the "master", or of the "worker"s."""
    return [pod for pod in pods if pod["metadata"]["labels"][COMPONENT] == wanted]


def name(pod: Pod) -> str:
    return str(pod["metadata"]["name"])


def stuck(pod: Pod) -> bool:
    """Whether it cannot start, and will not by itself."""
    return any((each.get("state", {}).get("waiting") or {}).get("reason") in STUCK for each in containers(pod))


def started(pod: Pod) -> bool:
    """Whether its container runs, or ran."""
    return any(each.get("state", {}).keys() & {"running", "terminated"} for each in containers(pod))


def _end(text: str) -> str:
    lines = [line for line in text.splitlines() if not line.startswith(log.MARK)]
    return "\n".join(lines[-LAST_LINES:]) or "(empty)"
