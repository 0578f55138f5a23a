"""The application's own role: it serves the whole API, and can do nothing to the tables."""

from __future__ import annotations

import secrets
import subprocess
import sys
from collections.abc import Callable
from urllib.parse import urlsplit

import psycopg
import pytest

from app import backfill, contract
from app.grants import let_in
from app.maintenance import MigrationError
from app.migrate import migrate, read_migrations
from tests.app.world import running

PASSWORD = "correct horse battery staple"


def address(url: str, user: str, password: str) -> str:
    parts = urlsplit(url)
    return f"postgresql://{user}:{password}@{parts.hostname}:{parts.port}{parts.path}"


@pytest.fixture
def owner_url(new_database: Callable[..., str]) -> str:
    """An empty database of an owner who is no superuser, as RDS's master user is none."""
    url, name = new_database(), f"owner_{secrets.token_hex(4)}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"create role {name} login createrole password 'owner'")
        connection.execute(f"alter database {urlsplit(url).path[1:]} owner to {name}")
    return address(url, name, "owner")


@pytest.fixture
def app_url(owner_url: str) -> str:
    """The application's address, in the owner's migrated database."""
    migrate(owner_url, lambda line: None)
    url = address(owner_url, f"app_{secrets.token_hex(4)}", "a%2Fb")
    let_in(owner_url, url, lambda line: None)
    return url


def test_the_applications_role_serves_every_write_and_read(app_url: str, redis_url: str) -> None:
    """Accounts, tasks, statistics, other people's tasks and the list, as on its own tables."""
    with running(DATABASE_URL=app_url, REDIS_URL=redis_url) as api:
        account = {"email": "ann@example.org", "username": "ann", "password": PASSWORD}
        assert api.post("/auth/register", account).status_code == 201
        login = {"email": account["email"], "password": PASSWORD}
        assert api.post("/auth/login", login).status_code == 200
        ann, bob = api.person(), api.person()
        task = api.task(ann)
        path = f"/tasks/{task['id']}"
        assert api.call("PATCH", path, ann, json={"status": "done"}).status_code == 200
        assert api.post(f"{path}/assign", {"assignee_id": bob.id}, ann).status_code == 200
        assert [task["id"]] == [each["id"] for each in api.get("/tasks", bob).get_json()["items"]]
        assert api.get("/tasks/stats", ann).status_code == 200
        assert api.get("/users", api.person("admin")).status_code == 200
        assert api.call("DELETE", path, ann).status_code == 204
        assert api.get("/health").status_code == 200


@pytest.mark.parametrize(
    "statement",
    [
        "alter table tasks add column more text",
        "drop table tasks",
        "truncate tasks",
        "truncate users cascade",
        "drop index idx_tasks_status",
        "create table more (id int)",
        "create index on tasks (title)",
        "create trigger each after insert on tasks execute function suppress_redundant_updates_trigger()",
        "delete from schema_migrations",
        "update schema_migrations set version = 1",
        "delete from schema_backfills",
        "create role more",
        "alter role current_user createrole",
        "create schema more",
    ],
)
def test_the_applications_role_does_nothing_to_tables_and_roles(owner_url: str, app_url: str, statement: str) -> None:
    """Whoever steals its password changes rows, and neither what they are in nor who may come."""
    for each in backfill.read_backfills():
        backfill.run(owner_url, each)
    let_in(owner_url, app_url, lambda line: None)
    with psycopg.connect(app_url, autocommit=True) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement)


def test_what_a_later_step_makes_is_the_applications_too(owner_url: str, app_url: str) -> None:
    """A column comes with its table's rights; a new table with the next run."""
    with psycopg.connect(owner_url, autocommit=True) as connection:
        connection.execute("create table more (id bigint generated always as identity, words text)")
    let_in(owner_url, app_url, lambda line: None)
    with psycopg.connect(app_url, autocommit=True) as connection:
        assert connection.execute("insert into more (words) values ('a') returning id").fetchone() == (1,)


def test_the_owner_still_contracts(owner_url: str, app_url: str) -> None:
    """The tables are the owner's, whatever others may do in them."""
    for each in backfill.read_backfills():
        backfill.run(owner_url, each)
    step = contract.upcoming(owner_url)
    assert step
    contract.apply(owner_url, step)


def test_another_password_comes_with_the_next_run(owner_url: str, app_url: str) -> None:
    """The old one is refused from then on."""
    other = app_url.replace("a%2Fb", "another")
    let_in(owner_url, other, lambda line: None)
    psycopg.connect(other).close()
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(app_url)


def test_the_job_migrates_as_the_owner_and_lets_the_application_in(owner_url: str) -> None:
    """Two addresses in its environment, and the level as its last line."""
    app = address(owner_url, f"app_{secrets.token_hex(4)}", "secret-of-the-app")
    environment = {"DATABASE_URL": app, "OWNER_DATABASE_URL": owner_url}
    done = subprocess.run(
        [sys.executable, "-m", "app.migrate"], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    before_contract = next(each.version for each in read_migrations() if each.is_contract) - 1
    assert f"schema level {before_contract}" == done.stdout.splitlines()[-1]
    assert "secret-of-the-app" not in done.stdout + done.stderr
    with psycopg.connect(app) as connection:
        assert connection.execute("select count(*) from tasks").fetchone() == (0,)


@pytest.mark.parametrize(
    ("user", "password", "words"),
    [
        ("", "", "both name owner_"),
        ("app", "", "has no user, or no password"),
    ],
)
def test_a_login_that_could_not_be_the_applications_is_refused(
    owner_url: str, user: str, password: str, words: str
) -> None:
    """Before anything is changed."""
    url = address(owner_url, user, password) if user else owner_url
    with pytest.raises(MigrationError, match=words):
        let_in(owner_url, url, lambda line: None)


def test_an_owner_who_may_make_no_roles_is_told(app_url: str) -> None:
    """With the role that was to be made."""
    with pytest.raises(MigrationError, match="rights of more: permission denied"):
        let_in(app_url, address(app_url, "more", "x"), lambda line: None)
