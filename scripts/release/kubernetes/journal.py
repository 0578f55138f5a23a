"""The journal as a ConfigMap: an entry a key, in order, each one JSON object that a person can read with kubectl.

An entry is added by a JSON Patch that tests the resourceVersion, so that of two writers none loses anything: who comes
second reads again, is refused if the other one's number is higher, and adds its own behind. Only the new key is sent,
whatever the journal's size; a ConfigMap takes 1 MiB, so whole old runs are forgotten before that (see pruning).
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from scripts.release.errors import ReleaseError
from scripts.release.journal import Entry, refuse_late
from scripts.release.kubernetes.client import Api, Conflict, Missing, Object, Unprocessable
from scripts.release.kubernetes.events import Events
from scripts.release.kubernetes.pruning import forgettable

# Bytes it may hold, about 25 releases, and the share that is left when something is forgotten. The API server takes an
# entry in 20 ms then, and in 60 ms at 900 kB: it writes the whole object every time.
MOST, LEFT = 300_000, 2 / 3
FULL = 1_000_000  # bytes; a ConfigMap takes a little more


class _Seen(msgspec.Struct, frozen=True):
    """The ConfigMap as last read or written. `texts` and `entries` by key, oldest first."""

    version: str = ""  # "": there is none
    texts: dict[str, str] = {}
    entries: dict[str, Entry] = {}
    empty: bool = True  # it has no data at all

    @property
    def newest(self) -> list[Entry]:
        return list(self.entries.values())[-1:]

    @property
    def next_key(self) -> str:
        return f"{int(next(reversed(self.entries), '0')) + 1:06}"

    def sizes(self) -> list[int]:
        """Bytes of each entry with its key."""
        return [len(key) + len(text.encode()) for key, text in self.texts.items()]


class ConfigMapJournal:
    """The journal in the ConfigMap `APP-rollout` of a namespace; every entry is told in an Event too."""

    def __init__(self, api: Api, namespace: str, app: str, *, most: int = MOST) -> None:
        self.api, self.name, self.most = api, f"{app}-rollout", most
        self.events = Events(api, namespace, app)
        self._all = f"/api/v1/namespaces/{namespace}/configmaps"
        self.path = f"{self._all}/{self.name}"
        self._seen = _Seen()

    def read(self) -> Sequence[Entry]:
        """Every entry. Raises ReleaseError where one was spoilt by hand."""
        self._seen = self._parsed(self.api.get(self.path))
        return tuple(self._seen.entries.values())

    def append(self, entry: Entry) -> None:
        """Add an entry; it is on the server when this returns. Raises Fenced where a newer run has written."""
        text = msgspec.json.encode(entry).decode()
        if not self._seen.version:
            self.read()
        while True:
            refuse_late(entry, self._seen.newest)
            before = self._seen.version
            try:
                self._seen = self._parsed(self._written(text))
            except (Conflict, Unprocessable, Missing):
                self.read()
                if self._seen.version == before:  # nobody was faster: the entry itself is refused
                    raise
            else:
                break
        self.events.tell(entry)

    def _written(self, text: str) -> Object:
        """The ConfigMap with an entry more. Raises Conflict, Unprocessable or Missing where it was changed."""
        seen = self._seen
        if not seen.version:
            metadata = {"name": self.name}
            return self.api.create(self._all, {"metadata": metadata, "data": {seen.next_key: text}})
        new = {"path": "/data", "value": {}} if seen.empty else None
        ops: list[Object] = [
            {"op": "test", "path": "/metadata/resourceVersion", "value": seen.version},
            *({"op": "remove", "path": f"/data/{key}"} for key in self._forgettable(len(text.encode()))),
            *([{"op": "add", **new}] if new else []),
            {"op": "add", "path": f"/data/{seen.next_key}", "value": text},
        ]
        return self.api.json_patch(self.path, ops)

    def _forgettable(self, size: int) -> list[str]:
        """The keys that make room for an entry of so many bytes, where room is needed."""
        sizes = self._seen.sizes()
        full = sum(sizes) + size
        if full <= self.most:
            return []
        keys = list(self._seen.entries)
        gone = sorted(forgettable(list(self._seen.entries.values()), sizes, full - int(self.most * LEFT)))
        if full - sum(sizes[position] for position in gone) > FULL:
            raise ReleaseError(
                f"the journal, ConfigMap {self.name}, is full and nothing in it is old enough to be forgotten: keep a "
                "copy (`kubectl get configmap -o yaml`) and delete it, and the next run adopts the route as it stands"
            )
        return [keys[position] for position in gone]

    def _parsed(self, found: Object | None) -> _Seen:
        """Raises ReleaseError where an entry is none."""
        if found is None:
            return _Seen()
        data = found.get("data") or {}
        texts = {key: data[key] for key in sorted(filter(str.isdigit, data), key=int)}
        known = self._seen
        entries = {
            key: known.entries[key] if known.texts.get(key) == text else self._decoded(key, text)
            for key, text in texts.items()
        }
        return _Seen(found["metadata"]["resourceVersion"], texts, entries, not data)

    def _decoded(self, key: str, text: str) -> Entry:
        try:
            return msgspec.json.decode(text, type=Entry)
        except (msgspec.DecodeError, ReleaseError) as exc:
            raise ReleaseError(
                f"the journal, ConfigMap {self.name}, key {key}: not a journal entry ({exc}); delete that key, or the "
                "ConfigMap, and the next run adopts the route as it stands"
            ) from exc
