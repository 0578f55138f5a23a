"""What happens in a release as Events, for `kubectl get events` and whatever collects them.

Best effort: they are sent beside the release, one after the other, and whatever becomes of them a release goes on. The
journal is the record; Events are gone after an hour.
"""

from __future__ import annotations

import atexit
import datetime as dt
import hashlib
import queue
import socket
import threading
from contextlib import suppress
from typing import Final

from scripts.release.errors import ReleaseError
from scripts.release.journal import Entry
from scripts.release.kubernetes.client import Api, Forbidden, Object

MOST: Final = 200  # that wait; a release has about fifty
EACH_S: Final = 2.0
SAYS_MOST: Final = 1024  # letters of a message, by the API
WRONG: Final = ("failed",)
GOOD_ENDS: Final = ("", "done", "pass")


class Events:
    """Tells of entries in Events on the Lease `APP-rollout`; `tell` never waits and never raises."""

    def __init__(self, api: Api, namespace: str, app: str) -> None:
        self.api, self.namespace, self.name = api.within(EACH_S), namespace, f"{app}-rollout"
        self._all = f"/api/v1/namespaces/{namespace}/events"
        self._waiting: queue.Queue[Entry] = queue.Queue(MOST)
        self._worker: threading.Thread | None = None

    def tell(self, entry: Entry) -> None:
        """Queue an Event; a release that cannot tell its Events loses them."""
        with suppress(queue.Full):
            self._waiting.put_nowait(entry)
        if self._worker is None:
            self._worker = threading.Thread(target=self._work, daemon=True, name=f"events of {self.name}")
            self._worker.start()
            atexit.register(self.close)

    def close(self, limit_s: float = 1.0) -> None:
        """Wait a little for what is queued."""
        done = threading.Thread(target=self._waiting.join, daemon=True)
        done.start()
        done.join(limit_s)

    def _work(self) -> None:
        silent = False
        while True:
            entry = self._waiting.get()
            if not silent:
                try:
                    self.api.create(self._all, event(entry, self.namespace, self.name))
                except Forbidden:
                    silent = True  # the Role does not let us: the next one would fare no better
                except ReleaseError:
                    pass
            self._waiting.task_done()


def event(entry: Entry, namespace: str, name: str) -> Object:
    """The Event of an entry, on the Lease of that name. The same entry gives the same name, so it is there once."""
    told = f"{entry.run} {entry.at} {entry.phase} {entry.step} {entry.name}"
    at = dt.datetime.fromtimestamp(entry.at, dt.UTC)
    seconds, whole = at.strftime("%Y-%m-%dT%H:%M:%SZ"), at.isoformat(timespec="microseconds")[:-6] + "Z"
    return {
        "metadata": {"name": f"{name}.{hashlib.sha256(told.encode()).hexdigest()[:16]}", "namespace": namespace},
        "involvedObject": {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "name": name,
            "namespace": namespace,
        },
        "reason": "".join(word.capitalize() for word in f"{entry.step} {entry.phase}".split()),
        "message": message(entry)[:SAYS_MOST],
        "type": "Normal" if entry.phase not in WRONG and entry.outcome in GOOD_ENDS else "Warning",
        "firstTimestamp": seconds,
        "lastTimestamp": seconds,
        "eventTime": whole,
        "count": 1,
        "action": entry.verb,
        "source": {"component": "primetrade"},
        "reportingComponent": "primetrade",
        "reportingInstance": socket.gethostname()[:128],
    }


def message(entry: Entry) -> str:
    """One line for people."""
    what = f"{entry.verb} {entry.version}".strip()
    where = f" on {entry.slot}" if entry.slot else ""
    said = entry.words or (str(entry.target) if entry.target else "")
    return f"{what} by {entry.actor}, run {entry.run}: {f'{entry.step} {entry.phase}'.strip()}{where}" + (
        f": {said}" if said else ""
    )
