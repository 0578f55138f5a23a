"""Batches of old done tasks: written to S3, read back, and only then deleted.

Any run may end at any point and the next begins anew: a batch that was written and not deleted is written again under
the same name. A task that changed meanwhile stays, since it is deleted only as it was written; so the archive holds
each task at least once, and whoever reads it takes the highest `version` of an `id`.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import psycopg
from psycopg.rows import dict_row

COLUMNS = (
    "id, user_id, assignee_id, title, description, status, priority, due_at, closed_at, created_at, updated_at, version"
)
# Key-set pages: no OFFSET, and none is read twice in a run.
OLD = f"""
select {COLUMNS} from tasks where status = 'done' and closed_at < %(before)s and id > %(after)s
order by id limit %(limit)s"""  # noqa: S608  # constants of this module
DELETE = """
delete from tasks using unnest(%(ids)s::bigint[], %(versions)s::int[]) as written (id, version)
where tasks.id = written.id and tasks.version = written.version and tasks.status = 'done'"""

Row = Mapping[str, Any]


class Store(Protocol):
    """Where batches go."""

    def put(self, key: str, body: bytes) -> None:
        """Keep `body` under `key`; the same again is no error."""

    def get(self, key: str) -> bytes:
        """What is kept there."""


class NotKept(Exception):  # noqa: N818 - what happened
    """The store gave back something else than it got; nothing was deleted."""


@dataclass(frozen=True)
class Moved:
    """What a run did. `finished` is false where time ran out; the next run goes on."""

    written: int
    deleted: int
    batches: int
    finished: bool


def move(
    database: psycopg.Connection[Any], store: Store, before: datetime, batch: int, has_time: Callable[[], bool]
) -> Moved:
    """Move what was closed before a moment, a batch at a time while there is time. Raises NotKept, psycopg.Error."""
    written = deleted = batches = 0
    pages = _pages(database, before, batch)
    while has_time():
        rows = next(pages, None)
        if rows is None:
            return Moved(written, deleted, batches, finished=True)
        keep(store, rows)
        parameters = {"ids": [row["id"] for row in rows], "versions": [row["version"] for row in rows]}
        deleted += database.execute(DELETE, parameters).rowcount
        written += len(rows)
        batches += 1
    return Moved(written, deleted, batches, finished=False)


def _pages(database: psycopg.Connection[Any], before: datetime, batch: int) -> Iterator[Sequence[Row]]:
    after = 0
    with database.cursor(row_factory=dict_row) as cursor:
        while rows := cursor.execute(OLD, {"before": before, "after": after, "limit": batch}).fetchall():
            yield rows
            after = rows[-1]["id"]


def keep(store: Store, rows: Sequence[Row]) -> str:
    """Write a batch and read it back; returns its name. Raises NotKept."""
    body = packed(rows)
    key = name(rows, body)
    store.put(key, body)
    if store.get(key) != body:
        raise NotKept(f"{key}: what came back is not what was written; nothing of it was deleted")
    return key


def packed(rows: Sequence[Row]) -> bytes:
    """JSON lines, the same bytes for the same rows; gzip without a time."""
    lines = (json.dumps(row, default=datetime.isoformat, sort_keys=True, ensure_ascii=False) for row in rows)
    return gzip.compress("".join(f"{line}\n" for line in lines).encode(), mtime=0)


def name(rows: Sequence[Row], body: bytes) -> str:
    """Where a batch lies: the ids it spans, and what it holds."""
    digest = hashlib.sha256(body).hexdigest()[:16]
    return f"tasks/{rows[0]['id']:019d}-{rows[-1]['id']:019d}-{digest}.jsonl.gz"
