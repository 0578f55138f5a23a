"""The tasks table. Every statement takes the caller's id; a write and the reason it may be refused are one round trip.

Who may do what: the owner and administrators everything; the assignee reads and sets the status; for anybody else the
task does not exist.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec
from psycopg.errors import ForeignKeyViolation

from app.auth.tokens import Identity, not_authenticated
from app.cursors import Position
from app.database import Database
from app.problems import Problem
from app.tasks.model import NewTask, Task, TaskQuery, TaskStats

COLUMNS = """t.id, t.user_id, u.username, t.assignee_id, t.title, t.description, t.status, t.priority,
    t.due_at, t.closed_at, t.created_at, t.updated_at, t.version"""

INSERT = f"""
with t as (
    insert into tasks (user_id, title, description, status, priority, due_at, closed_at)
    values (%(user)s, %(title)s, %(description)s, %(status)s, %(priority)s, %(due_at)s,
            case when %(status)s = 'done' then now() end) returning *
)
select {COLUMNS} from t join users u on u.id = t.user_id"""  # noqa: S608  # constants of this module

READ = f"""
select {COLUMNS} from tasks t join users u on u.id = t.user_id
where t.id = %(id)s and (t.user_id = %(user)s or t.assignee_id = %(user)s or %(admin)s)"""  # noqa: S608  # as above

STATS = """
select count(*), count(*) filter (where status = 'todo'), count(*) filter (where status = 'in_progress'),
    count(*) filter (where status = 'done'), count(*) filter (where due_at < now() and status <> 'done'),
    count(*) filter (where assignee_id is null)
from tasks where user_id = %s"""

# Two index scans, each newest first and cut at the page: `or` over both columns would sort all rows of the user.
PAGE = """
select {columns} from (
    (select * from tasks where user_id = %(user)s {filters} order by created_at desc, id desc limit %(limit)s)
    union all
    (select * from tasks where assignee_id = %(user)s and user_id <> %(user)s {filters}
     order by created_at desc, id desc limit %(limit)s)
) t join users u on u.id = t.user_id
order by t.created_at desc, t.id desc limit %(limit)s"""

# `seen` decides between absent, forbidden and stale; `may` is the right to this change.
CHANGE = """
with seen as (
    select id, user_id, (user_id = %(user)s or %(admin)s or (assignee_id = %(user)s and %(by_assignee)s)) as may
    from tasks where id = %(id)s and (user_id = %(user)s or assignee_id = %(user)s or %(admin)s)
), t as (
    {change} returning tasks.*
)
select seen.may, seen.user_id, {columns} from seen left join t on true left join users u on u.id = t.user_id"""
UPDATE = """update tasks set {assignments}, updated_at = now(), version = tasks.version + 1 from seen
    where tasks.id = seen.id and seen.may and (%(version)s::int is null or tasks.version = %(version)s)"""
# A task that was done already keeps the moment, also where that is not known.
CLOSING = """closed_at = case when %(status)s <> 'done' then null when tasks.status = 'done' then tasks.closed_at
    else now() end"""
DELETE = """delete from tasks using seen
    where tasks.id = seen.id and seen.may and (%(version)s::int is null or tasks.version = %(version)s)"""

Column = Literal["title", "description", "status", "priority", "due_at", "assignee_id"]


class Changed(msgspec.Struct, frozen=True):
    """What came of a change: whether it was allowed, the owner, and the task if it was made."""

    may: bool
    owner: int
    task: Task | None


def create(database: Database, owner: int, new: NewTask) -> Task:
    """Raises Problem (401) when the owner's account is gone."""
    try:
        task = database.write(Task, INSERT, {"user": owner, **msgspec.structs.asdict(new)})
    except ForeignKeyViolation:
        raise not_authenticated("The account is gone.", error="invalid_token") from None
    assert task is not None
    return task


def read(database: Database, user: Identity, task_id: int) -> Task:
    """Raises Problem (404) for what the user may not see, too."""
    task = database.read_one(Task, READ, {"id": task_id, "user": user.id, "admin": user.is_admin})
    if task is None:
        raise Problem("not-found", f"There is no task {task_id} for you.")
    return task


def page(database: Database, user: Identity, query: TaskQuery, after: Position | None) -> list[Task]:
    """One row more than the page holds, newest first: tasks the user owns or is to do."""
    filters = ""
    parameters: dict[str, Any] = {"user": user.id, "limit": query.limit + 1}
    if query.status is not None:
        filters += " and status = %(status)s"
        parameters["status"] = query.status
    if query.priority is not None:
        filters += " and priority = %(priority)s"
        parameters["priority"] = query.priority
    if after is not None:
        filters += " and (created_at, id) < (%(created_at)s, %(after)s)"
        parameters["created_at"], parameters["after"] = after.created_at, after.id
    return database.read(Task, PAGE.format(columns=COLUMNS, filters=filters), parameters)


def stats(database: Database, owner: int) -> TaskStats:
    found = database.read_one(TaskStats, STATS, (owner,))
    assert found is not None
    return found


def update(
    database: Database, user: Identity, task_id: int, values: Mapping[Column, object], version: int | None
) -> Task:
    """Set columns. Raises Problem: 404, 403, 412, and 422 for an assignee who does not exist."""
    assignments = [f"{column} = %({column})s" for column in values] + [CLOSING] * ("status" in values)
    sql = CHANGE.format(change=UPDATE.format(assignments=", ".join(assignments)), columns=COLUMNS)
    parameters = _parameters(user, task_id, version)
    parameters |= {"by_assignee": set(values) == {"status"}, **{str(column): value for column, value in values.items()}}
    try:
        changed = database.write(_changed, sql, parameters)
    except ForeignKeyViolation:
        raise Problem("unknown-assignee") from None
    return _made(changed, task_id, version)


def delete(database: Database, user: Identity, task_id: int, version: int | None) -> Task:
    """The task that was. Raises Problem: 404, 403, 412."""
    sql = CHANGE.format(change=DELETE, columns=COLUMNS)
    parameters = _parameters(user, task_id, version) | {"by_assignee": False}
    return _made(database.write(_changed, sql, parameters), task_id, version)


def _parameters(user: Identity, task_id: int, version: int | None) -> dict[str, object]:
    return {"id": task_id, "user": user.id, "admin": user.is_admin, "version": version}


def _changed(may: bool, owner: int, *columns: Any) -> Changed:
    return Changed(may, owner, None if columns[0] is None else Task(*columns))


def _made(changed: Changed | None, task_id: int, version: int | None) -> Task:
    if changed is not None and not changed.may:
        raise Problem("forbidden", "The assignee may change the status; the rest is the owner's.")
    if changed is None or (changed.task is None and version is None):  # the latter: deleted since it was seen
        raise Problem("not-found", f"There is no task {task_id} for you.")
    if changed.task is None:
        raise Problem("version-mismatch", "Read the task again and repeat the change on what it is now.")
    return changed.task
