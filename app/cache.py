"""Two levels of cache: this process for two seconds, Valkey for thirty, and one computation at a time.

Keys in Valkey carry the owner's version, which every write of the owner's data replaces: a value computed before a
write and stored after it lands under a version nobody reads. Another process may show its own level for two seconds
more.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from app.call import DEADLINE_S, remaining_s
from app.expiring import Expiring
from app.metrics import Metrics
from app.problems import Problem
from app.valkey import Valkey, ValkeyDown

T = TypeVar("T")
L1_S = 2.0
L2_S = 30
# No version comes twice, and "0", for none, comes back only when all that was stored under it has gone: a value is
# stored within a request's deadline of the look at its version.
VERSION_S = 2 * (L2_S + int(DEADLINE_S))
MAX_ENTRIES = 20_000
STRIPES = 1024

# KEYS: the owner's version, the value's prefix (same hash tag, so same cluster slot). Answer: version, value or nil.
LOOK_UP = """
local version = redis.call('GET', KEYS[1]) or '0'
return {version, redis.call('GET', KEYS[2] .. ':' .. version)}
"""


class _Flight:
    """A computation under way, for others to wait for."""

    __slots__ = ("done", "error", "value")

    def __init__(self) -> None:
        self.done = threading.Event()
        self.value: Any = None
        self.error: Exception | None = None


class Cache:
    """Holds results that cost more than a round trip; never rows, never anything an authorisation depends on."""

    def __init__(self, valkey: Valkey, metrics: Metrics) -> None:
        self._valkey = valkey
        self._look_up = valkey.script(LOOK_UP)
        self._own: Expiring[str, Any] = Expiring(MAX_ENTRIES)
        self._flights: dict[str, _Flight] = {}
        self._lock = threading.Lock()
        self._writes = [0] * STRIPES  # by owner, so that a fill begun before a write is not kept after it
        counter = metrics.cache.labels
        self._counts = {
            (level, result): counter(level, result)
            for level, results in (("l1", ("hit", "miss")), ("l2", ("hit", "miss", "error")))
            for result in results
        }

    def read(self, name: str, owner: int, kind: type[T], compute: Callable[[], T]) -> T:
        """The value `name` of an owner: from this process, from Valkey, or from compute()."""
        key = f"{name}:{owner}"
        value = self._own.get(key)
        if value is not None:
            self._counts["l1", "hit"].inc()
            return value  # type: ignore[no-any-return]  # what was put under this name
        self._counts["l1", "miss"].inc()
        with self._lock:
            flight = self._flights.get(key)
            leads = flight is None
            if flight is None:
                flight = self._flights[key] = _Flight()
        if not leads:
            return self._follow(flight)  # type: ignore[no-any-return]  # as above
        try:
            flight.value = self._fill(key, owner, kind, compute)
        except Exception as exc:
            flight.error = exc
            raise
        finally:
            with self._lock:
                if self._flights.get(key) is flight:
                    del self._flights[key]
            flight.done.set()
        return flight.value  # type: ignore[no-any-return]  # set to a T above

    def wrote(self, name: str, owner: int) -> None:
        """Tell that an owner's data changed: readers after this call do not see what was computed before it."""
        key = f"{name}:{owner}"
        with self._lock:
            self._writes[owner % STRIPES] += 1
            self._own.drop(key)
            self._flights.pop(key, None)
        version = secrets.randbits(62)  # a number: a release that still counts versions up must be able to
        try:
            self._valkey.run(lambda client: client.set(_version_key(owner), version, ex=VERSION_S))
        except ValkeyDown:
            self._counts["l2", "error"].inc()  # stale there for 30 s at most

    def _follow(self, flight: _Flight) -> Any:
        if not flight.done.wait(max(0.0, remaining_s())):
            raise Problem("deadline-exceeded")
        if flight.error is not None:
            raise flight.error
        return flight.value

    def _fill(self, key: str, owner: int, kind: type[T], compute: Callable[[], T]) -> T:
        writes = self._writes[owner % STRIPES]
        value, version = self._from_valkey(key, owner, kind)
        if value is None:
            value = compute()
            if version is not None:
                self._to_valkey(f"{_prefix(key, owner)}:{version}", value)
        with self._lock:
            if self._writes[owner % STRIPES] == writes:
                self._own.put(key, value, L1_S)
        return value

    def _from_valkey(self, key: str, owner: int, kind: type[T]) -> tuple[T | None, str | None]:
        """The value if there is a good one, and the version to store under (None: Valkey is away)."""
        try:
            version, raw = self._valkey.run(
                lambda _: self._look_up(keys=[_version_key(owner), _prefix(key, owner)], args=[])
            )
        except ValkeyDown:
            self._counts["l2", "error"].inc()
            return None, None
        try:
            value = None if raw is None else msgspec.json.decode(raw, type=kind)
        except msgspec.DecodeError:
            value = None  # written by another release, or damaged: as good as absent
        self._counts["l2", "miss" if value is None else "hit"].inc()
        return value, version.decode()

    def _to_valkey(self, key: str, value: object) -> None:
        raw = msgspec.json.encode(value)
        try:
            self._valkey.run(lambda client: client.set(key, raw, ex=L2_S))
        except ValkeyDown:
            self._counts["l2", "error"].inc()


def _version_key(owner: int) -> str:
    return f"cache:{{{owner}}}:version"


def _prefix(key: str, owner: int) -> str:
    return f"cache:{{{owner}}}:{key}"
