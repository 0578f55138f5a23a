"""Who may do what, for every route there is."""

from __future__ import annotations

import pytest

from app.factory import SERVICES
from app.health import service as health_service
from app.service import Operation
from tests.app.world import ANONYMOUS, Api, Person

OPERATIONS = [operation for service in (health_service, *SERVICES.values()) for operation in service.operations]
PEOPLE = ("owner", "assignee", "other", "admin", "anonymous")

# Routes with an id: what each of PEOPLE gets.
OBJECTS: dict[tuple[str, str], tuple[int, ...]] = {
    ("GET", "/tasks/{task_id}"): (200, 200, 404, 200, 401),
    ("PATCH", "/tasks/{task_id}"): (200, 403, 404, 200, 401),
    ("DELETE", "/tasks/{task_id}"): (204, 403, 404, 204, 401),
    ("POST", "/tasks/{task_id}/assign"): (200, 403, 404, 200, 401),
}
BODIES: dict[tuple[str, str], object] = {
    ("PATCH", "/tasks/{task_id}"): {"title": "changed"},
    ("POST", "/tasks/{task_id}/assign"): {"assignee_id": None},
    ("POST", "/tasks"): {"title": "new"},
    ("POST", "/auth/register"): {},
    ("POST", "/auth/login"): {},
}


@pytest.fixture
def people(api: Api) -> dict[str, Person]:
    named = {name: api.person() for name in ("owner", "assignee", "other")}
    return {**named, "admin": api.person("admin"), "anonymous": ANONYMOUS}


def key(operation: Operation) -> tuple[str, str]:
    return operation.method, operation.path


@pytest.mark.parametrize("who", PEOPLE)
@pytest.mark.parametrize("operation", [o for o in OPERATIONS if "{" in o.path], ids=lambda o: f"{o.method} {o.path}")
def test_an_object_is_there_only_for_those_with_a_right_to_it(
    api: Api, people: dict[str, Person], operation: Operation, who: str
) -> None:
    task = api.task(people["owner"])
    api.post(f"/tasks/{task['id']}/assign", {"assignee_id": people["assignee"].id}, people["owner"])
    path = operation.path.replace("{task_id}", str(task["id"]))
    answer = api.call(operation.method, path, people[who], json=BODIES.get(key(operation)))
    assert OBJECTS[key(operation)][PEOPLE.index(who)] == answer.status_code, answer.text


@pytest.mark.parametrize(
    "operation", [o for o in OPERATIONS if "{" not in o.path], ids=lambda o: f"{o.method} {o.path}"
)
def test_a_collection_asks_for_the_role_it_declares(api: Api, people: dict[str, Person], operation: Operation) -> None:
    statuses = {
        who: api.call(operation.method, operation.path, people[who], json=BODIES.get(key(operation))).status_code
        for who in ("other", "admin", "anonymous")
    }
    refused = {"public": set(), "user": {"anonymous"}, "admin": {"anonymous", "other"}}[operation.access]
    assert refused == {who for who, status in statuses.items() if status in (401, 403)}


def test_a_foreign_task_looks_exactly_like_an_absent_one(api: Api, people: dict[str, Person]) -> None:
    task = api.task(people["owner"])
    foreign = api.get(f"/tasks/{task['id']}", people["other"]).get_json()
    absent = api.get("/tasks/999999999", people["other"]).get_json()
    for body in (foreign, absent):
        del body["request_id"], body["detail"]
    assert absent == foreign


@pytest.mark.parametrize("task_id", ["9223372036854775808", "99999999999999999999999", "-1", "one", "1.0", "%31"])
def test_an_id_that_can_be_none_is_absent(api: Api, task_id: str) -> None:
    person = api.person()
    assert api.get(f"/tasks/{task_id}", person).status_code == 404


def test_the_assignee_may_set_the_status_and_nothing_beside_it(api: Api, people: dict[str, Person]) -> None:
    task = api.task(people["owner"])
    path = f"/tasks/{task['id']}"
    api.post(f"{path}/assign", {"assignee_id": people["assignee"].id}, people["owner"])
    assert api.call("PATCH", path, people["assignee"], json={"status": "done"}).get_json()["status"] == "done"
    both = api.call("PATCH", path, people["assignee"], json={"status": "todo", "title": "mine now"})
    assert both.status_code == 403
    assert api.get(path, people["owner"]).get_json()["status"] == "done"


def test_nobody_gives_themselves_a_role_an_owner_or_a_date(api: Api) -> None:
    person = api.person()
    for field, value in (("user_id", 1), ("created_at", "2020-01-01T00:00:00Z"), ("version", 9), ("id", 1)):
        assert api.post("/tasks", {"title": "x", field: value}, person).status_code == 422, field
    registration = {"email": "r@example.org", "username": "rrr", "password": "long enough"}
    assert api.post("/auth/register", {**registration, "role": "admin"}).status_code == 422
