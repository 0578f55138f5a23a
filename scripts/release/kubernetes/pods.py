"""What pods say and are told through the API server's proxy: version, drain, requests in flight, last words."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final, TypeVar

import msgspec

from scripts.release.errors import ReleaseError
from scripts.release.file import Kubernetes, Probes
from scripts.release.kubernetes import metrics, slots
from scripts.release.kubernetes.client import Api, Reply
from scripts.release.kubernetes.slots import Object, Parts, Says

PROBE_S: Final = 2.0
# The API server keeps `Authorization` for itself: the pod's token needs a header of its own.
TOKEN: Final = "X-Admin-Token"  # noqa: S105 - a header's name
LINES: Final = 5  # of a log, as words
MOST: Final = 16  # pods that are asked at a time
Said = TypeVar("Said")


class Pods:
    """The pods of one application."""

    def __init__(self, api: Api, settings: Kubernetes, probes: Probes) -> None:
        self._api, self._settings, self._probes = api, settings, probes
        self._said: dict[str, Says] = {}  # by identity: what runs in a container does not change
        self._space = f"/api/v1/namespaces/{settings.namespace}"

    def says(self, parts: Parts) -> list[Says]:
        """What each pod of the slot that runs answers; where some are ready, only these: who hangs says nothing."""
        running = [pod for pod in parts.current if slots.started(pod)]
        return _each(self._says, [pod for pod in running if slots.is_ready(pod)] or running)

    def drain(self, pods: Sequence[Object], *, on: bool) -> dict[str, str]:
        """Have kept connections closed with their next answer, or no more: all of them are asked, and at once.

        Why not, by the name of each pod that did not do so. Raises ReleaseError where none can be asked.
        """
        if not self._settings.drain or not all(slots.has_admin(pod) for pod in pods):
            if on:
                raise ReleaseError(
                    "the application has no drain path on an admin port (kubernetes.drain, ports.admin), so clients "
                    "that keep their connections stay until they or the pods end them"
                )
            return {}
        # Ready meanwhile: the route keeps users away, and the way back need not wait for probes.
        body = msgspec.json.encode({"draining": on, "ready": True})
        headers = {TOKEN: self._token(), "content-type": "application/json"}

        def told(pod: Object) -> str:
            try:
                reply = self._api.proxy(self._at(pod, self._settings.drain), "POST", headers, body, PROBE_S)
            except ReleaseError as exc:
                return str(exc)
            return "" if reply.status == 200 else _words(reply)

        said = zip(pods, _each(told, pods), strict=True)
        return {pod["metadata"]["name"]: words for pod, words in said if words}

    def in_flight(self, pods: Sequence[Object]) -> int | None:
        """The requests that they have begun and not answered; None where one of them does not say."""

        def told(pod: Object) -> int | None:
            reply = self._ask(pod, self._probes.metrics)
            return metrics.in_flight(reply.data.decode(errors="replace")) if reply else None

        said = _each(told, pods)
        known = [number for number in said if number is not None]
        return sum(known) if len(known) == len(said) else None

    def trouble(self, parts: Parts) -> str:
        """Why a slot is not ready, with the last lines of what ended; "" where nothing is known against it."""
        words = slots.trouble(parts)
        if not words:
            return next((said for pod in parts.current if (said := self._unready(pod))), "")
        ended = next((pod for pod in parts.current if slots.restarted(pod)), None)
        return f"{words}{self._last_words(ended)}" if ended else words

    def where(self, slot: str) -> str:
        """The command that shows the slot's log."""
        app, space = self._settings.app, self._settings.namespace
        return f"`kubectl -n {space} logs -l app.kubernetes.io/instance={app},slot={slot} --tail=50`"

    def _says(self, pod: Object) -> Says:
        if not self._probes.version:  # the image alone says what runs
            return Says((pod["metadata"].get("labels") or {}).get("app.kubernetes.io/version", ""))
        known = slots.identity(pod)
        if known not in self._said:
            reply = self._ask(pod, self._probes.version)
            with suppress(msgspec.DecodeError):
                if reply:
                    self._said[known] = msgspec.json.decode(reply.data, type=Says)
        return self._said.get(known, Says())

    def _unready(self, pod: Object) -> str:
        """What a pod that runs says against its being ready."""
        if slots.is_ready(pod) or not slots.running_for(pod, self._api.now()) > PROBE_S:
            return ""
        name, path = pod["metadata"]["name"], self._probes.ready
        with suppress(ReleaseError):
            return f"pod {name} says on {path}: {_words(self._api.proxy(self._at(pod, path), timeout=PROBE_S))}"
        return f"pod {name} does not answer {path}"

    def _ask(self, pod: Object, path: str) -> Reply | None:
        with suppress(ReleaseError):
            reply = self._api.proxy(self._at(pod, path), timeout=PROBE_S)
            return reply if reply.status == 200 else None
        return None

    def _at(self, pod: Object, path: str) -> str:
        return f"{self._space}/pods/{pod['metadata']['name']}:{slots.port_of(pod)}/proxy{path}"

    def _last_words(self, pod: Object) -> str:
        at = f"{self._space}/pods/{pod['metadata']['name']}/log?tailLines={LINES}"
        with suppress(ReleaseError):
            text = self._api.text(f"{at}&previous=true") or self._api.text(at) or ""
            lines = [line.strip() for line in text.splitlines() if line.strip()]
            return f"; its last words: {' | '.join(lines)}" if lines else ""
        return ""

    def _token(self) -> str:
        """The pods' admin token. Raises ReleaseError."""
        secret, key = self._settings.secret, self._settings.drain_token
        found = self._api.get(f"{self._space}/secrets/{secret}") if secret else None
        text = ((found or {}).get("data") or {}).get(key)
        if text is None:
            raise ReleaseError(f"Secret {secret or '(kubernetes.secret is empty)'} has no {key}: pods take no orders")
        return base64.b64decode(text).decode()


def _each(ask: Callable[[Object], Said], pods: Sequence[Object]) -> list[Said]:
    """What each pod says; those that do not answer take their time all together."""
    with ThreadPoolExecutor(min(len(pods), MOST) or 1) as pool:
        return list(pool.map(ask, pods))


def _words(reply: Reply) -> str:
    return f"{reply.status} {reply.data[:200].decode(errors='replace').strip()}"
