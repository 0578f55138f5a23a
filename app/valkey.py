"""Valkey behind a circuit breaker: a tenth of a second at most, then do without."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from app.breaker import Breaker
from app.call import spent

T = TypeVar("T")
TIMEOUT_S = 0.1


class ValkeyDown(Exception):  # noqa: N818  # named for the state it reports
    """Valkey did not answer, or was not asked because it did not answer a moment ago."""


class Valkey:
    """The shared cache. Every use names a command and is ready for ValkeyDown."""

    def __init__(self, url: str) -> None:
        self.breaker = Breaker(threshold=5, pause_s=2.0)
        # protocol 2: redis-py greets with HELLO 3 and has no way back where a proxy does not know it.
        self._client = redis.Redis.from_url(
            url,
            protocol=2,
            socket_timeout=TIMEOUT_S,
            socket_connect_timeout=TIMEOUT_S,
            retry=Retry(NoBackoff(), 0),
        )

    def script(self, source: str) -> Callable[..., Any]:
        """A Lua script that is sent by its hash, to be called within run() with `keys` and `args`."""
        return self._client.register_script(source)

    def run(self, command: Callable[[redis.Redis], T]) -> T:
        """The command's answer. Raises ValkeyDown."""
        if not self.breaker.allow():
            raise ValkeyDown("not asked: it did not answer a moment ago")
        started = time.monotonic()
        try:
            answer = command(self._client)
        except redis.RedisError as exc:
            self.breaker.failure()
            raise ValkeyDown(str(exc)) from exc
        finally:
            spent("cache", time.monotonic() - started)
        self.breaker.success()
        return answer

    def close(self) -> None:
        self._client.close()
