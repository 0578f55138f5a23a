"""`/tasks`: create, read, change, delete, assign, list, count."""

from __future__ import annotations

import re

import msgspec
from flask import request

from app.auth.tokens import Identity
from app.call import runtime
from app.pages import cut, position
from app.problems import Problem
from app.service import Reply, Service
from app.tasks import queries
from app.tasks.model import Assignment, NewTask, Task, TaskChange, TaskPage, TaskQuery, TaskStats

service = Service("tasks")

ETAG = re.compile(r'"(\d{1,9})"')
WRITE_PROBLEMS = ("not-found", "forbidden", "version-mismatch")


@service.operation(
    "POST", "/tasks", "Create a task.", body=NewTask, answer=Task, status=201, headers=("ETag", "Location")
)
def create_task(user: Identity, body: NewTask) -> Reply:
    task = queries.create(runtime().database, user.id, body)
    _wrote(task)
    return Reply(task, {"ETag": f'"{task.version}"', "Location": f"/tasks/{task.id}"})


@service.operation(
    "GET",
    "/tasks",
    "Tasks one owns or is to do, newest first.",
    query=TaskQuery,
    answer=TaskPage,
    problems=("invalid-cursor",),
)
def list_tasks(user: Identity, query: TaskQuery) -> TaskPage:
    scope = f"tasks:{user.id}:{query.status}:{query.priority}"
    rows = queries.page(runtime().database, user, query, position(query, scope))
    return TaskPage(*cut(rows, query.limit, scope))


@service.operation("GET", "/tasks/stats", "Counts of the tasks one owns.", answer=TaskStats)
def task_stats(user: Identity) -> TaskStats:
    parts = runtime()
    return parts.cache.read("stats", user.id, TaskStats, lambda: queries.stats(parts.database, user.id))


@service.operation("GET", "/tasks/{task_id}", "Read a task.", answer=Task, headers=("ETag",), problems=("not-found",))
def read_task(user: Identity, task_id: int) -> Reply:
    return _reply(queries.read(runtime().database, user, task_id))


@service.operation(
    "PATCH",
    "/tasks/{task_id}",
    "Change some fields (owner, administrators; the assignee the status). If-Match asks for a version.",
    body=TaskChange,
    answer=Task,
    headers=("ETag",),
    problems=WRITE_PROBLEMS,
)
def change_task(user: Identity, task_id: int, body: TaskChange) -> Reply:
    values = {name: value for name in body.__struct_fields__ if (value := getattr(body, name)) is not msgspec.UNSET}
    if not values:
        raise Problem("invalid-request", "Name at least one field to change.")
    task = queries.update(runtime().database, user, task_id, values, _wanted_version())  # type: ignore[arg-type]  # fields are columns
    _wrote(task)
    return _reply(task)


@service.operation(
    "DELETE", "/tasks/{task_id}", "Delete a task (owner, administrators).", status=204, problems=WRITE_PROBLEMS
)
def delete_task(user: Identity, task_id: int) -> None:
    _wrote(queries.delete(runtime().database, user, task_id, _wanted_version()))


@service.operation(
    "POST",
    "/tasks/{task_id}/assign",
    "Say who is to do a task (owner, administrators).",
    body=Assignment,
    answer=Task,
    headers=("ETag",),
    problems=(*WRITE_PROBLEMS, "unknown-assignee"),
)
def assign_task(user: Identity, task_id: int, body: Assignment) -> Reply:
    values: dict[queries.Column, object] = {"assignee_id": body.assignee_id}
    task = queries.update(runtime().database, user, task_id, values, _wanted_version())
    _wrote(task)
    return _reply(task)


def _wanted_version() -> int | None:
    """The version If-Match asks for. Raises Problem (422) for a tag that is none of ours."""
    tag = request.headers.get("If-Match")
    if tag is None or tag == "*":
        return None
    match = ETAG.fullmatch(tag)
    if match is None:
        raise Problem("invalid-request", 'If-Match: send the ETag of the task, as "3", or *.')
    return int(match[1])


def _wrote(task: Task) -> None:
    runtime().cache.wrote("stats", task.user_id)


def _reply(task: Task) -> Reply:
    return Reply(task, {"ETag": f'"{task.version}"'})
