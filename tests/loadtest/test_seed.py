"""Seeding a real database."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from argon2 import PasswordHasher

from app.auth.tokens import Tokens as AppTokens
from app.migrate import migrate
from loadtest.seed import SeedError, seed
from loadtest.tokens import Tokens, read_tokens

KEYS = {"k1": "a secret of more than thirty-two bytes"}
ROWS = "select * from tasks order by id"


@pytest.fixture
def database_url(new_database: Callable[..., str]) -> str:
    url = new_database()
    migrate(url, report=lambda line: None)
    return url


def query(url: str, sql: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(sql).fetchall()


def jwt_expiry(token: str) -> int:
    payload = token.split(".")[1]
    return int(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["exp"])


def seeded(url: str, path: Path, **settings: object) -> tuple[Tokens, list[str]]:
    said: list[str] = []
    sizes: dict[str, object] = {"users": 40, "tasks_per_user": 5}
    return seed(url, KEYS, path, report=said.append, **(sizes | settings)), said  # type: ignore[arg-type]  # mixed


def test_seeding_makes_users_who_can_log_in_and_own_their_tasks(database_url: str, tmp_path: Path) -> None:
    """Passwords verify, tokens are the app's, tasks are the user's, ids go on after the seed."""
    tokens, said = seeded(database_url, tmp_path / "tokens.json")
    assert ["seeded: 40 users, 200 tasks"] == said
    assert tokens == read_tokens(tmp_path / "tokens.json")
    assert tokens.expires_at <= min(jwt_expiry(user.token) for user in tokens.users) + 1
    ((stored,),) = query(database_url, "select distinct password_hash from users")
    assert PasswordHasher().verify(str(stored), tokens.password)
    owners = dict(query(database_url, "select id, user_id from tasks"))
    for user in tokens.users:
        assert user.id == AppTokens(KEYS, 60).verify(user.token).id
        assert [user.id] * 5 == [owners[task] for task in user.task_ids]
    assert [(201, 41)] == query(
        database_url,
        "select nextval(pg_get_serial_sequence('tasks', 'id')), nextval(pg_get_serial_sequence('users', 'id'))",
    )


def test_seeding_twice_changes_no_row_of_tasks(database_url: str, tmp_path: Path) -> None:
    """It says so, and hands out credentials that work."""
    first, _ = seeded(database_url, tmp_path / "tokens.json")
    rows = query(database_url, ROWS)
    second, said = seeded(database_url, tmp_path / "tokens.json")
    assert ["already seeded: 40 users, 200 tasks"] == said
    assert rows == query(database_url, ROWS)
    assert [(u.id, u.task_ids) for u in first.users] == [(u.id, u.task_ids) for u in second.users]
    ((stored,),) = query(database_url, "select distinct password_hash from users")
    assert PasswordHasher().verify(str(stored), second.password)


def test_one_seed_makes_the_same_rows_everywhere(new_database: Callable[..., str], tmp_path: Path) -> None:
    """And another seed others."""
    found = []
    for number in (1, 1, 2):
        url = new_database()
        migrate(url, report=lambda line: None)
        seeded(url, tmp_path / "tokens.json", seed=number)
        found.append(query(url, ROWS))
    assert found[0] == found[1]
    assert found[0] != found[2]


def test_people_who_were_not_seeded_are_left_alone(database_url: str, tmp_path: Path) -> None:
    """Refused, and nothing changed, unless asked; then their ids and passwords stay theirs."""
    insert = "insert into users (email, username, password_hash) values ('ann@example.com', 'ann', 'hers') returning id"
    with psycopg.connect(database_url) as connection:
        connection.execute(insert)
    with pytest.raises(SeedError, match="holds 1 users who were not seeded"):
        seeded(database_url, tmp_path / "tokens.json")
    assert [(1,)] == query(database_url, "select count(*) from users")
    assert not (tmp_path / "tokens.json").exists()
    seeded(database_url, tmp_path / "tokens.json", allow_foreign=True)
    assert [("hers",)] == query(database_url, "select password_hash from users where username = 'ann'")
    assert [(41,)] == query(database_url, "select count(*) from users")


def test_another_seed_is_refused(database_url: str, tmp_path: Path) -> None:
    """Fewer users, or more tasks, than there are."""
    seeded(database_url, tmp_path / "tokens.json")
    with pytest.raises(SeedError, match="another seed, of 40 users"):
        seeded(database_url, tmp_path / "tokens.json", users=30)
    with pytest.raises(SeedError, match="another seed, with 5 tasks"):
        seeded(database_url, tmp_path / "tokens.json", tasks_per_user=6)


def test_a_done_task_and_no_other_is_closed(database_url: str, tmp_path: Path) -> None:
    """As the contract step of the schema asks; its last change is when it became done."""
    seeded(database_url, tmp_path / "tokens.json")
    wrong = "select id from tasks where (status = 'done') <> (closed_at is not null) or closed_at <> updated_at"
    assert [] == query(database_url, wrong)
    assert [(True,)] == query(database_url, "select count(*) > 0 from tasks where status = 'done'")


def test_a_database_without_tables_is_refused(postgres_url: str, tmp_path: Path) -> None:
    """With the command that makes them."""
    with pytest.raises(SeedError, match="primetrade db migrate"):
        seeded(postgres_url, tmp_path / "tokens.json")
