"""How the process and what it depends on are, for people; asked for at most once a second."""

from __future__ import annotations

import os
import threading
import time
from datetime import UTC, datetime
from typing import Literal

import msgspec
import psycopg

from app.database import Database
from app.lifecycle import Lifecycle
from app.problems import Problem
from app.valkey import Valkey, ValkeyDown

KEPT_S = 1.0
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")

State = Literal["OK", "DOWN"]


class Memory(msgspec.Struct, frozen=True):
    """Bytes."""

    rss: int
    vms: int


class Health(msgspec.Struct, frozen=True):
    """How this process and what it depends on are; `uptime` in seconds."""

    status: Literal["OK", "DEGRADED"]
    timestamp: datetime
    uptime: float
    memory: Memory
    database: State
    redis: State


class Vitals:
    """The last look, kept for a second; one thread looks, the others get what there is."""

    def __init__(self, lifecycle: Lifecycle, database: Database, valkey: Valkey) -> None:
        self._lifecycle, self._database, self._valkey = lifecycle, database, valkey
        self._lock = threading.Lock()
        self._last: Health | None = None
        self._until = 0.0

    def health(self) -> Health:
        """Bounded by the checkout and cache limits: it answers when everything else is down."""
        last = self._last
        if last is not None and time.monotonic() < self._until:
            return last
        if not self._lock.acquire(blocking=last is None):
            assert last is not None
            return last
        try:
            if self._last is None or time.monotonic() >= self._until:
                self._last = self._look()
                self._until = time.monotonic() + KEPT_S
            return self._last
        finally:
            self._lock.release()

    def _look(self) -> Health:
        database, redis = _database(self._database), _redis(self._valkey)
        now = datetime.now(UTC)
        return Health(
            status="OK" if (database, redis) == ("OK", "OK") else "DEGRADED",
            timestamp=now,
            uptime=(now - self._lifecycle.started_at).total_seconds(),
            memory=memory(),
            database=database,
            redis=redis,
        )


def memory() -> Memory:
    """This process's memory, from /proc/self/statm (proc_pid_statm(5))."""
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123  # half the cost of a Path
        vms, rss = file.read().split()[:2]
    return Memory(int(rss) * PAGE_BYTES, int(vms) * PAGE_BYTES)


def _database(database: Database) -> State:
    try:
        with database.connection() as connection:
            connection.limit_s = 1.0
            connection.execute("select 1")
    except (Problem, psycopg.Error):
        return "DOWN"
    return "OK"


def _redis(valkey: Valkey) -> State:
    try:
        valkey.run(lambda client: client.ping())
    except ValkeyDown:
        return "DOWN"
    return "OK"
