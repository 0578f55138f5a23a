"""Where a process stands between its start and its end, and how it warms itself up."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime

import psycopg

from app import schema
from app.database import Database
from app.migrate import read_level
from app.problems import Problem
from app.valkey import Valkey, ValkeyDown

PAUSE_S = 0.5  # between two looks at a database that is not there yet


class Lifecycle:
    """Started, warm, draining, stopping. Readiness speaks of this process only, never of what it depends on."""

    def __init__(self) -> None:
        self.started_at = datetime.now(UTC)
        self.draining = False
        self.ready_meanwhile = False  # while draining
        self.waiting_for: str | None = "the first look at the database"
        self.cache = "unknown"
        self.alive: Callable[[], bool] = lambda: True  # the server's: false once it was told to stop
        self._warmed, self._ended = threading.Event(), threading.Event()

    @property
    def warm(self) -> bool:
        """Whether the start-up checks have passed; they are not repeated."""
        return self.waiting_for is None

    def await_warm(self, seconds: float) -> None:
        """Return once the start-up checks have passed, or after so many seconds."""
        self._warmed.wait(seconds)

    def unready(self) -> str | None:
        """Why this process should get no new requests; None when it may."""
        if self.waiting_for is not None:
            return f"starting: waiting for {self.waiting_for}"
        if not self.alive():
            return "stopping"
        return "draining" if self.draining and not self.ready_meanwhile else None

    def end(self) -> None:
        self._ended.set()

    def warm_up(self, database: Database, valkey: Valkey, compile_all: Callable[[], object]) -> None:
        """Look until the database answers with a schema level this build accepts, then prepare what first use would."""
        compile_all()
        while not self._ended.is_set():
            missing = look(database)
            if missing is None:
                self.cache = _cache_state(valkey)
                self.waiting_for = None  # last: this is what makes it ready
                self._warmed.set()
                return
            self.waiting_for = missing
            self._ended.wait(PAUSE_S)


def look(database: Database) -> str | None:
    """What the database still lacks for this build, in words; None when it may serve."""
    try:
        with database.connection() as connection:
            level = read_level(connection)
    except (Problem, psycopg.Error) as exc:
        return f"the database ({exc})"
    if schema.MIN <= level <= schema.MAX:
        return None
    return f"a schema level of {schema.MIN} to {schema.MAX} (the database has {level}): " + (
        "run `primetrade db migrate`" if level < schema.MIN else "start a release that knows this level"
    )


def _cache_state(valkey: Valkey) -> str:
    try:
        valkey.run(lambda client: client.ping())
    except ValkeyDown:
        return "degraded"
    return "reachable"
