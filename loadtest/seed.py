"""Fills a database with users and tasks by COPY: the same rows for the same seed, once.

Credentials are not part of that: each call sets a new password for all seeded users and writes it, with fresh access
tokens, to the tokens file, so that no database ever holds users whose password is public.
"""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import psycopg

from loadtest.errors import LoadError
from loadtest.tokens import SeededUser, Tokens, write_tokens

EMAILS: Final = "load-%@example.test"
TOKEN_TTL_S: Final = 2 * 3600
BEGIN: Final = datetime(2026, 1, 1, tzinfo=UTC)
WORDS: Final = (
    *("order", "invoice", "margin", "position", "report", "review", "client"),
    *("hedge", "desk", "limit", "price", "quote", "audit", "trade"),
)
STATUSES: Final = ("todo", "in_progress", "done")

COPY_USERS: Final = "copy users (id, email, username, password_hash, role, created_at) from stdin"
COPY_TASKS: Final = """
copy tasks (
    id, user_id, assignee_id, title, description, status, priority, due_at, created_at, updated_at, closed_at
) from stdin
"""
NEXT_IDS: Final = "select coalesce((select max(id) from users), 0) + 1, coalesce((select max(id) from tasks), 0) + 1"
ADVANCE_IDS: Final = """
select setval(pg_get_serial_sequence('users', 'id'), (select max(id) from users)),
       setval(pg_get_serial_sequence('tasks', 'id'), (select max(id) from tasks))
"""
COUNT_USERS: Final = "select count(*) filter (where email like %(seeded)s), count(*) from users"
SET_HASH: Final = "update users set password_hash = %(hash)s where email like %(seeded)s"
FIND_SEEDED: Final = """
select u.id, u.email, (array_agg(t.id order by t.id) filter (where t.id is not null))[1:%(tasks)s]
from users u left join tasks t on t.user_id = u.id
where u.email like %(seeded)s group by u.id, u.email order by u.id
"""


class SeedError(LoadError):
    """The database cannot be seeded; the message says why and what to do."""


def seed(  # noqa: PLR0913 - what may be chosen, all but three by default
    database_url: str,
    keys: Mapping[str, str],
    tokens_path: Path,
    *,
    users: int = 2000,
    tasks_per_user: int = 50,
    seed: int = 1,
    allow_foreign: bool = False,
    report: Callable[[str], object] = print,
) -> Tokens:
    """Bring `users` users with `tasks_per_user` tasks each into a migrated database, and write their tokens.

    `keys` are the JWT keys of the running app. Safe to run twice and by two at once. Raises SeedError for a database
    that holds people who were not seeded (unless `allow_foreign`), another seed, or no tables.
    """
    from app.auth.passwords import hash_password  # noqa: PLC0415 - the app's own, and only here
    from app.auth.tokens import issue  # noqa: PLC0415

    if users < 2 or tasks_per_user < 1:
        raise SeedError(f"{users} users with {tasks_per_user} tasks each are too few: at least 2 with 1")
    password = secrets.token_urlsafe(24)
    try:
        with psycopg.connect(database_url, connect_timeout=5, application_name="primetrade-seed") as connection:
            connection.execute("set local lock_timeout = '30s'")
            connection.execute("lock table users in share row exclusive mode")
            fresh = _is_empty(connection, users, allow_foreign=allow_foreign)
            if fresh:
                _copy(connection, users, tasks_per_user, seed)
            connection.execute(SET_HASH, {"hash": hash_password(password), "seeded": EMAILS})
            rows = connection.execute(FIND_SEEDED, {"seeded": EMAILS, "tasks": tasks_per_user}).fetchall()
            _check_tasks(rows, tasks_per_user)
            connection.execute("analyze users, tasks")
    except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn) as exc:
        raise SeedError(
            f"the schema is too old ({exc.diag.message_primary}): run `primetrade db migrate` first"
        ) from exc
    except psycopg.Error as exc:
        raise SeedError(f"seeding failed and changed nothing: {str(exc).strip()}") from exc
    expires_at = time.time() + TOKEN_TTL_S  # the first one is issued no earlier
    found = [SeededUser(i, email, issue(i, "user", keys, TOKEN_TTL_S), tuple(ids)) for i, email, ids in rows]
    tokens = Tokens(password, tuple(found), expires_at)
    write_tokens(tokens_path, tokens)
    report(f"{'seeded' if fresh else 'already seeded'}: {users:,} users, {users * tasks_per_user:,} tasks")
    return tokens


def _is_empty(connection: psycopg.Connection, users: int, *, allow_foreign: bool) -> bool:
    """Whether the rows are still to be made."""
    seeded, total = connection.execute(COUNT_USERS, {"seeded": EMAILS}).fetchone() or (0, 0)
    if total > seeded and not allow_foreign:
        raise SeedError(
            f"the database holds {total - seeded:,} users who were not seeded: use a database of the tests' own, "
            "or say --allow-foreign if load on this one is meant"
        )
    if seeded not in {0, users}:
        raise SeedError(
            f"the database holds another seed, of {seeded:,} users: ask for as many, or use an empty database"
        )
    return bool(seeded == 0)


def _check_tasks(rows: list[tuple[int, str, list[int] | None]], tasks_per_user: int) -> None:
    fewest = min(len(ids or ()) for _, _, ids in rows)
    if fewest < tasks_per_user:
        raise SeedError(
            f"the database holds another seed, with {fewest:,} tasks for a user where {tasks_per_user:,} were asked "
            "for: ask for as many, or use an empty database"
        )


def _copy(connection: psycopg.Connection, users: int, tasks_per_user: int, seed: int) -> None:
    first_user, first_task = connection.execute(NEXT_IDS).fetchone() or (1, 1)
    with connection.cursor() as cursor:
        with cursor.copy(COPY_USERS) as copy:
            for row in user_rows(users, first_user):
                copy.write_row(row)
        with cursor.copy(COPY_TASKS) as copy:
            for row in task_rows(users, tasks_per_user, first_user, first_task, seed):
                copy.write_row(row)
    connection.execute(ADVANCE_IDS)


def user_rows(users: int, first: int) -> Iterator[tuple[object, ...]]:
    """Rows in the order of COPY_USERS; the password hash is set afterwards."""
    for i in range(users):
        name = f"load-{i + 1:05}"
        yield first + i, f"{name}@example.test", name, "", "user", BEGIN + timedelta(seconds=i)


def task_rows(users: int, per_user: int, first_user: int, first: int, seed: int) -> Iterator[tuple[object, ...]]:
    """Rows in the order of COPY_TASKS: users take turns, as in life, so that one user's tasks lie far apart."""
    draw = random.Random(seed)  # noqa: S311 - rows that can be made again, not secrets
    minute = timedelta(minutes=1)
    for number in range(users * per_user):
        user = number % users
        assignee = first_user + draw.randrange(users) if draw.random() < 0.1 else None
        words = draw.choices(WORDS, k=14)
        made = BEGIN + timedelta(days=1) + number * minute / 10
        due = made + draw.randrange(30 * 24 * 60) * minute if draw.random() < 0.5 else None
        status = draw.choices(STATUSES, (5, 2, 3))[0]
        title = f"{words[0].capitalize()} {words[1]} {number}"
        yield (
            first + number,
            first_user + user,
            assignee,
            title,
            " ".join(words[2:]),
            status,
            draw.randint(1, 5),
            due,
            made,
            made,
            made if status == "done" else None,
        )
