"""Tasks: what can be written can be read, changed, counted and deleted."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from tests.app.world import Api


def test_a_task_is_created_with_defaults_and_read_back(api: Api) -> None:
    owner = api.person()
    answer = api.post("/tasks", {"title": "Write it down"}, owner)
    task = answer.get_json()
    assert answer.status_code == 201
    assert answer.headers["Location"] == f"/tasks/{task['id']}"
    assert (task["owner"], task["user_id"], task["status"], task["priority"], task["version"]) == (
        owner.name,
        owner.id,
        "todo",
        3,
        1,
    )
    assert (task["description"], task["due_at"], task["assignee_id"]) == ("", None, None)
    assert api.get(f"/tasks/{task['id']}", owner).get_json() == task


def test_a_patch_changes_the_fields_named_and_no_other(api: Api) -> None:
    owner = api.person()
    task = api.task(owner, description="keep me", due_at="2027-01-02T03:04:05+02:00")
    assert task["due_at"] == "2027-01-02T01:04:05Z"
    changed = api.call("PATCH", f"/tasks/{task['id']}", owner, json={"title": "new", "due_at": None}).get_json()
    expected = {**task, "title": "new", "due_at": None, "version": 2, "updated_at": changed["updated_at"]}
    assert expected == changed
    assert changed["updated_at"] > task["updated_at"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"title": ""},
        {"title": "x" * 201},
        {"title": None},
        {"status": "later"},
        {"priority": 0},
        {"priority": 6},
        {"priority": "high"},
        {"due_at": "2027-01-02T03:04:05"},
        {"due_at": "tomorrow"},
        {"title": "a NUL \0 inside"},
        {"nonsense": 1},
    ],
)
def test_a_patch_that_makes_no_sense_changes_nothing(api: Api, body: dict[str, object]) -> None:
    owner = api.person()
    task = api.task(owner)
    assert api.call("PATCH", f"/tasks/{task['id']}", owner, json=body).status_code == 422
    assert api.get(f"/tasks/{task['id']}", owner).get_json() == task


def test_if_match_writes_only_over_the_version_that_was_read(api: Api) -> None:
    owner = api.person()
    path = f"/tasks/{api.task(owner)['id']}"

    def patch(title: str, tag: str) -> int:
        return api.call("PATCH", path, owner, json={"title": title}, headers={"If-Match": tag}).status_code

    assert patch("second", '"1"') == 200
    assert patch("stale", '"1"') == 412
    assert api.call("DELETE", path, owner, headers={"If-Match": '"1"'}).status_code == 412
    assert patch("any", "*") == 200
    assert patch("nonsense", "3") == 422
    read = api.get(path, owner)
    assert (read.get_json()["title"], read.headers["ETag"]) == ("any", '"3"')


RACES = {"DELETE": ("", None), "PATCH": ("", {"title": "late"}), "POST": ("/assign", {"assignee_id": None})}


@pytest.mark.parametrize("method", RACES)
@pytest.mark.parametrize(("tag", "status"), [(None, 404), ('"1"', 412)])
def test_a_write_that_loses_against_a_deletion_finds_no_task_unless_it_asked_for_a_version(
    api: Api, method: str, tag: str | None, status: int
) -> None:
    action, body = RACES[method]
    owner = api.person()
    task_id = api.task(owner)["id"]
    headers = {} if tag is None else {"If-Match": tag}
    with psycopg.connect(api.database_url) as rival, ThreadPoolExecutor(1) as pool:
        rival.execute("delete from tasks where id = %s", (task_id,))
        late = pool.submit(api.call, method, f"/tasks/{task_id}{action}", owner, json=body, headers=headers)
        blocked = "select count(*) from pg_stat_activity where pg_backend_pid() = any(pg_blocking_pids(pid))"
        deadline = time.monotonic() + 10
        while rival.execute(blocked).fetchone() == (0,):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        rival.commit()
        assert late.result(10).status_code == status


@pytest.fixture(params=["before the contract", "behind the contract"])
def either(request: pytest.FixtureRequest, api: Api, serve: Callable[..., Api], contracted: str) -> Api:
    """The application on each schema level that it says it works with."""
    return api if request.param == "before the contract" else serve(DATABASE_URL=contracted)


def test_a_task_is_closed_from_the_moment_it_is_done_until_it_is_reopened(either: Api) -> None:
    owner = either.person()
    task = either.task(owner)
    path = f"/tasks/{task['id']}"

    def patch(**fields: object) -> dict[str, object]:
        return dict(either.call("PATCH", path, owner, json=fields).get_json())

    assert task["closed_at"] is None
    done = patch(status="done")
    assert done["closed_at"] == done["updated_at"]
    assert patch(status="done", title="still done")["closed_at"] == done["closed_at"]
    assert patch(title="later")["closed_at"] == done["closed_at"]
    assert patch(status="in_progress")["closed_at"] is None
    born = either.task(owner, status="done")
    assert born["closed_at"] == born["created_at"]
    assert either.get("/tasks?status=done", owner).get_json()["items"] == [born]


def test_a_task_done_before_closing_was_written_down_is_read_and_changed_without_a_moment(api: Api) -> None:
    owner = api.person()
    path = f"/tasks/{api.task(owner, status='done')['id']}"
    with psycopg.connect(api.database_url) as connection:
        connection.execute("update tasks set closed_at = null")
    assert api.get(path, owner).get_json()["closed_at"] is None
    for fields in ({"title": "renamed"}, {"status": "done"}):
        assert api.call("PATCH", path, owner, json=fields).get_json()["closed_at"] is None


def test_nobody_writes_when_a_task_was_closed(api: Api) -> None:
    owner = api.person()
    body = {"closed_at": "2027-01-02T03:04:05Z"}
    assert api.call("PATCH", f"/tasks/{api.task(owner)['id']}", owner, json=body).status_code == 422


def test_a_deleted_task_is_gone(api: Api) -> None:
    owner = api.person()
    path = f"/tasks/{api.task(owner)['id']}"
    deleted = api.call("DELETE", path, owner)
    assert (deleted.status_code, deleted.data) == (204, b"")
    assert api.get(path, owner).status_code == 404
    assert api.call("DELETE", path, owner).status_code == 404


def test_a_task_is_assigned_seen_by_its_assignee_and_taken_back(api: Api) -> None:
    owner, assignee = api.person(), api.person()
    path = f"/tasks/{api.task(owner)['id']}"
    assert api.get(path, assignee).status_code == 404
    assigned = api.post(f"{path}/assign", {"assignee_id": assignee.id}, owner).get_json()
    assert (assigned["assignee_id"], assigned["owner"]) == (assignee.id, owner.name)
    assert api.get("/tasks", assignee).get_json()["items"] == [assigned]
    assert api.post(f"{path}/assign", {"assignee_id": None}, owner).get_json()["assignee_id"] is None
    assert api.get(path, assignee).status_code == 404
    assert api.get("/tasks", assignee).get_json()["items"] == []


def test_an_assignee_who_does_not_exist_is_refused(api: Api) -> None:
    owner = api.person()
    answer = api.post(f"/tasks/{api.task(owner)['id']}/assign", {"assignee_id": 10**15}, owner)
    assert (answer.status_code, answer.get_json()["type"]) == (422, "urn:primetrade:problem:unknown-assignee")


def test_the_list_is_filtered_by_status_and_priority(api: Api) -> None:
    owner = api.person()
    wanted = api.task(owner, status="done", priority=1)
    api.task(owner, status="done", priority=2)
    api.task(owner, status="todo", priority=1)
    assert api.get("/tasks?status=done&priority=1", owner).get_json() == {"items": [wanted], "next_cursor": None}


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=101", "limit=1000000000", "limit=x", "status=x", "priority=9", "offset=3", "limit=1&limit=2"],
)
def test_a_query_out_of_range_is_refused(api: Api, query: str) -> None:
    assert api.get(f"/tasks?{query}", api.person()).status_code == 422


def test_statistics_count_ones_own_tasks_and_follow_every_write(api: Api) -> None:
    owner, other = api.person(), api.person()
    api.task(other)
    first = api.task(owner, due_at="2020-01-01T00:00:00Z")
    api.task(owner, status="in_progress")
    stats = {"total": 2, "todo": 1, "in_progress": 1, "done": 0, "overdue": 1, "unassigned": 2}
    assert api.get("/tasks/stats", owner).get_json() == stats
    api.call("PATCH", f"/tasks/{first['id']}", owner, json={"status": "done"})
    stats |= {"todo": 0, "done": 1, "overdue": 0}
    assert api.get("/tasks/stats", owner).get_json() == stats
    api.call("DELETE", f"/tasks/{first['id']}", owner)
    stats |= {"total": 1, "done": 0, "unassigned": 1}
    assert api.get("/tasks/stats", owner).get_json() == stats
