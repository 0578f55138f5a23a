"""The users table: the only module that reads or writes it, but for the owner's name that task lists show."""

from __future__ import annotations

from datetime import datetime

import msgspec
from psycopg.errors import UniqueViolation

from app.auth.tokens import Role
from app.cursors import Position
from app.database import Database
from app.problems import Problem

INSERT = """
insert into users (email, username, password_hash) values (%s, %s, %s)
returning id, email, username, role, created_at"""
BY_ID = "select id, email, username, role, created_at from users where id = %s"
CREDENTIALS = "select id, role, password_hash from users where lower(email) = lower(%s)"
PAGE = "select id, email, username, role, created_at from users order by created_at desc, id desc limit %s"
PAGE_AFTER = """
select id, email, username, role, created_at from users
where (created_at, id) < (%s, %s) order by created_at desc, id desc limit %s"""

TAKEN = {"idx_users_email": "email-taken", "idx_users_username": "username-taken"}


class User(msgspec.Struct, frozen=True):
    """An account as its owner and administrators see it."""

    id: int
    email: str
    username: str
    role: Role
    created_at: datetime


class Credentials(msgspec.Struct, frozen=True):
    """What a login is checked against. Never leaves the process."""

    id: int
    role: Role
    password_hash: str


def create(database: Database, email: str, username: str, password_hash: str) -> User:
    """A new account with role user. Raises Problem (409) when the e-mail or the name is taken."""
    try:
        user = database.write(User, INSERT, (email, username, password_hash))
    except UniqueViolation as exc:
        raise Problem(TAKEN[exc.diag.constraint_name or ""]) from None
    assert user is not None
    return user


def find(database: Database, user_id: int) -> User | None:
    return database.read_one(User, BY_ID, (user_id,))


def credentials(database: Database, email: str) -> Credentials | None:
    return database.read_one(Credentials, CREDENTIALS, (email,))


def page(database: Database, after: Position | None, limit: int) -> list[User]:
    """Newest first, from the row after a position."""
    if after is None:
        return database.read(User, PAGE, (limit,))
    return database.read(User, PAGE_AFTER, (after.created_at, after.id, limit))
