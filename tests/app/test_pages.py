"""Pages: signed cursors, and pages that join to the whole set."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.auth.tokens import Identity
from app.call import Call, current
from app.cursors import Cursors, Position
from app.pages import cut, position
from app.problems import Problem
from app.tasks import queries
from app.tasks.model import NewTask, TaskQuery
from tests.app.world import Api, Person


def page(api: Api, person: Person, query: str) -> tuple[list[int], str | None]:
    body = api.get(f"/tasks?{query}", person).get_json()
    return [task["id"] for task in body["items"]], body["next_cursor"]


def refused(api: Api, person: Person, query: str) -> bool:
    answer = api.get(f"/tasks?{query}", person)
    return (answer.status_code, answer.get_json()["type"]) == (400, "urn:primetrade:problem:invalid-cursor")


def test_pages_are_newest_first_and_end_without_a_cursor(api: Api) -> None:
    owner = api.person()
    ids = [api.task(owner)["id"] for _ in range(5)][::-1]
    first, cursor = page(api, owner, "limit=2")
    second, after = page(api, owner, f"limit=2&cursor={cursor}")
    third, end = page(api, owner, f"limit=2&cursor={after}")
    assert [*first, *second, *third] == ids
    assert end is None


def test_a_page_that_is_exactly_full_is_the_last(api: Api) -> None:
    owner = api.person()
    for _ in range(2):
        api.task(owner)
    assert page(api, owner, "limit=2")[1] is None


def test_a_cursor_is_bound_to_its_user_and_filters(api: Api) -> None:
    owner, other = api.person(), api.person()
    for _ in range(3):
        api.task(owner)
    cursor = page(api, owner, "limit=1&status=todo")[1]
    assert page(api, owner, f"limit=2&status=todo&cursor={cursor}")[0]
    assert refused(api, other, f"limit=1&status=todo&cursor={cursor}")
    assert refused(api, owner, f"limit=1&cursor={cursor}")
    assert refused(api, owner, f"limit=1&status=done&cursor={cursor}")


def test_every_changed_byte_of_a_cursor_is_noticed(api: Api) -> None:
    owner = api.person()
    for _ in range(2):
        api.task(owner)
    cursor = page(api, owner, "limit=1")[1]
    assert cursor is not None
    raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    for at in range(len(raw)):
        changed = raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]
        assert refused(api, owner, f"cursor={base64.urlsafe_b64encode(changed).rstrip(b'=').decode()}")


@pytest.mark.parametrize("cursor", ["x", "====", "%00", "%C3%A9", "a" * 119, ""])
def test_what_is_no_cursor_is_refused(api: Api, cursor: str) -> None:
    assert refused(api, api.person(), f"cursor={cursor}")


@given(st.datetimes(timezones=st.just(UTC)), st.integers(1, 2**63 - 1), st.text(max_size=30))
@settings(max_examples=100, deadline=None)
def test_a_cursor_comes_back_as_it_went(created_at: datetime, row_id: int, scope: str) -> None:
    cursors = Cursors("k" * 32)
    made = Position(created_at, row_id)
    read = cursors.read(cursors.make(made, scope), scope)
    assert (read.created_at, read.id) == (made.created_at, made.id)


@given(
    owned=st.integers(0, 6),
    assigned=st.integers(0, 6),
    limit=st.integers(1, 4),
    added=st.lists(st.integers(0, 2), max_size=8),
)
@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
def test_pages_join_to_the_whole_set_while_tasks_are_added(
    api: Api, owned: int, assigned: int, limit: int, added: list[int]
) -> None:
    """Rows that were there at the start are seen once each, in order; later ones never disturb them."""
    current.set(Call(api.runtime))
    database = api.runtime.database
    owner, other = api.person(), api.person()
    identity = Identity(owner.id, "user")

    def add(count: int, *, by: Person) -> list[int]:
        return [queries.create(database, by.id, NewTask(title="t")).id for _ in range(count)]

    expected = add(owned, by=owner)
    for task_id in add(assigned, by=other):
        queries.update(database, Identity(other.id, "user"), task_id, {"assignee_id": owner.id}, None)
        expected.append(task_id)
    seen: list[int] = []
    cursor: str | None = None
    later = iter(added)
    while True:
        query = TaskQuery(limit=limit, cursor=cursor)
        rows, cursor = cut(queries.page(database, identity, query, position(query, "s")), limit, "s")
        seen += [task.id for task in rows]
        if cursor is None:
            break
        add(next(later, 0), by=owner)
    assert sorted(expected, reverse=True) == [task_id for task_id in seen if task_id in set(expected)]
    assert len(set(seen)) == len(seen)


def test_a_cursor_of_another_key_is_refused() -> None:
    cursor = Cursors("b" * 32).make(Position(datetime.now(UTC), 1), "s")
    with pytest.raises(Problem):
        Cursors("a" * 32).read(cursor, "s")
