"""What goes in and out of `/tasks`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from app.pages import PageQuery

Status = Literal["todo", "in_progress", "done"]
Priority = Annotated[int, Meta(ge=1, le=5, description="1 is most urgent.")]
Title = Annotated[str, Meta(min_length=1, max_length=200)]
Description = Annotated[str, Meta(max_length=5000)]
Moment = Annotated[datetime, Meta(tz=True)]
UserId = Annotated[int, Meta(ge=1, le=2**63 - 1)]


class NewTask(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A task to create; its owner is the caller."""

    title: Title
    description: Description = ""
    status: Status = "todo"
    priority: Priority = 3
    due_at: Moment | None = None


class TaskChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The fields to change; those left out stay."""

    title: Title | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    status: Status | UnsetType = UNSET
    priority: Priority | UnsetType = UNSET
    due_at: Moment | UnsetType | None = UNSET


class Assignment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who is to do a task; null for nobody."""

    assignee_id: UserId | None


class Task(msgspec.Struct, frozen=True):
    """A task with its owner's name. `version` is also its ETag."""

    id: int
    user_id: int
    owner: str
    assignee_id: int | None
    title: str
    description: str
    status: Status
    priority: int
    due_at: datetime | None
    closed_at: Annotated[datetime | None, Meta(description="When it became done.")]
    created_at: datetime
    updated_at: datetime
    version: int


class TaskQuery(PageQuery, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Filters of the list."""

    status: Status | None = None
    priority: Priority | None = None


class TaskPage(msgspec.Struct, frozen=True):
    """A page of tasks; `next_cursor` is null on the last."""

    items: Sequence[Task]
    next_cursor: str | None


class TaskStats(msgspec.Struct, frozen=True):
    """Counts of the tasks one owns."""

    total: int
    todo: int
    in_progress: int
    done: int
    overdue: int
    unassigned: int
