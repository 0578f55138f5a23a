"""Key-set pages: what a list takes and how its next cursor is made."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Protocol, TypeVar

import msgspec
from msgspec import Meta

from app.call import runtime
from app.cursors import MAX_LENGTH, Position

DEFAULT_LIMIT = 20
MAX_LIMIT = 100

Cursor = Annotated[str, Meta(max_length=MAX_LENGTH, description="`next_cursor` of the page before.")]
Limit = Annotated[int, Meta(ge=1, le=MAX_LIMIT, description="Rows a page.")]


class PageQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The part of a list's query that every list has."""

    limit: Limit = DEFAULT_LIMIT
    cursor: Cursor | None = None


class Placed(Protocol):
    """A row of a list ordered by created_at, then id."""

    @property
    def created_at(self) -> datetime: ...
    @property
    def id(self) -> int: ...


Row = TypeVar("Row", bound=Placed)


def position(query: PageQuery, scope: str) -> Position | None:
    """Where the page begins. Raises Problem for a cursor of another scope."""
    return None if query.cursor is None else runtime().cursors.read(query.cursor, scope)


def cut(rows: Sequence[Row], limit: int, scope: str) -> tuple[Sequence[Row], str | None]:
    """The page's rows and the cursor to the next, from one row more than the page holds."""
    if len(rows) <= limit:
        return rows, None
    last = rows[limit - 1]
    return rows[:limit], runtime().cursors.make(Position(last.created_at, last.id), scope)
