"""Rate limits: token buckets kept in Valkey by one atomic script, drawn from in small batches.

A script call for each request would cost a fifth of the request's CPU budget, so a process leases permits in batches
of a thirtieth of the minute's limit and spends them by itself: limits below 60 are exact (batches of one), larger
ones are off by one batch a process at most. Without Valkey each process keeps the bucket on its own, at half the limit
for logins.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import msgspec

from app.expiring import Expiring
from app.metrics import Metrics
from app.problems import rate_limited
from app.valkey import Valkey, ValkeyDown

LEASE_S = 60.0
DENIAL_S = 1.0  # a refused caller is told so without asking again for this long at most
MAX_KEYS = 50_000

# KEYS: the bucket. ARGV: capacity, permits a second, permits wanted. Answer: permits granted, ms until one is due.
DRAW = """
local capacity, rate, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local bucket = redis.call('HMGET', KEYS[1], 'permits', 'at')
local permits = tonumber(bucket[1]) or capacity
permits = math.min(capacity, permits + math.max(0, now - (tonumber(bucket[2]) or now)) * rate)
local granted = math.min(wanted, math.floor(permits))
redis.call('HSET', KEYS[1], 'permits', string.format('%.6f', permits - granted), 'at', string.format('%.6f', now))
redis.call('PEXPIRE', KEYS[1], math.ceil(capacity / rate * 1000))
if granted > 0 then return {granted, 0} end
return {0, math.ceil((1 - permits) / rate * 1000)}
"""


class Limit(msgspec.Struct, frozen=True):
    """A bucket's rule: how many permits a minute, and the share of them left when Valkey is away."""

    name: str
    per_minute: int
    alone: float = 1.0

    @property
    def batch(self) -> int:
        return max(1, self.per_minute // 30)


class Lease(msgspec.Struct):
    """Permits this process holds for one key; `refused_until` is on time.monotonic()."""

    permits: int = 0
    refused_until: float = 0.0


def refill(permits: float, seconds: float, per_minute: float) -> float:
    """A bucket's permits after a time, never more than a minute's worth."""
    return min(per_minute, permits + max(0.0, seconds) * per_minute / 60)


class Limiter:
    """Counts requests against limits, by key."""

    def __init__(self, valkey: Valkey, metrics: Metrics, clock: Callable[[], float] = time.monotonic) -> None:
        self._valkey = valkey
        self._metrics = metrics
        self._clock = clock
        self._draw_script = valkey.script(DRAW)
        self._lock = threading.Lock()
        self._leases: Expiring[str, Lease] = Expiring(MAX_KEYS)
        self._own: Expiring[str, tuple[float, float]] = Expiring(MAX_KEYS)  # permits, when

    def take(self, limit: Limit, key: str) -> None:
        """Count one request. Raises Problem (429 with Retry-After) when there is no permit."""
        bucket = f"limit:{limit.name}:{key}"
        with self._lock:
            lease = self._leases.get(bucket)
            if lease is not None:
                if lease.permits > 0:
                    lease.permits -= 1
                    return
                wait_s = lease.refused_until - self._clock()
                if wait_s > 0:
                    raise rate_limited(wait_s)
        granted, wait_s = self._draw(limit, bucket)
        with self._lock:
            held = self._leases.get(bucket) or Lease()
            if granted:
                self._leases.put(bucket, Lease(held.permits + granted - 1), LEASE_S)
                return
            self._leases.put(bucket, Lease(0, self._clock() + min(wait_s, DENIAL_S)), DENIAL_S)
        raise rate_limited(wait_s)

    def _draw(self, limit: Limit, bucket: str) -> tuple[int, float]:
        arguments = [limit.per_minute, limit.per_minute / 60, limit.batch]
        try:
            granted, wait_ms = self._valkey.run(lambda _: self._draw_script(keys=[bucket], args=arguments))
        except ValkeyDown:
            self._metrics.rate_limit_fallbacks.inc()
            return self._draw_alone(limit, bucket)
        return int(granted), wait_ms / 1000

    def _draw_alone(self, limit: Limit, bucket: str) -> tuple[int, float]:
        per_minute = max(1.0, limit.per_minute * limit.alone)
        now = self._clock()
        with self._lock:
            permits, at = self._own.get(bucket) or (per_minute, now)
            permits = refill(permits, now - at, per_minute)
            granted = 1 if permits >= 1 else 0
            self._own.put(bucket, (permits - granted, now), LEASE_S)
        return granted, (1 - permits) * 60 / per_minute
