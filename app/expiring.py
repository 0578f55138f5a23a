"""A bounded dictionary whose entries go stale: the process's own level of every cache here."""

from __future__ import annotations

import time
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Expiring(Generic[K, V]):
    """Thread-safe by the atomicity of single dict operations; a full one drops what is stale, else everything."""

    def __init__(self, max_entries: int) -> None:
        self._max_entries = max_entries
        self._entries: dict[K, tuple[V, float]] = {}

    def get(self, key: K) -> V | None:
        """The value, or None when absent or stale."""
        entry = self._entries.get(key)
        if entry is None or entry[1] <= time.monotonic():
            return None
        return entry[0]

    def put(self, key: K, value: V, ttl_s: float) -> None:
        now = time.monotonic()
        if len(self._entries) >= self._max_entries and key not in self._entries:
            fresh = {k: entry for k, entry in self._entries.copy().items() if entry[1] > now}
            self._entries = fresh if len(fresh) < self._max_entries else {}
        self._entries[key] = (value, now + ttl_s)

    def drop(self, key: K) -> None:
        self._entries.pop(key, None)

    def __len__(self) -> int:
        return len(self._entries)
