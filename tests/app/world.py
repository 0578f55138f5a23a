"""People, tasks and the application in this process."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import psycopg
from flask import Flask
from werkzeug.test import TestResponse

from app.auth.tokens import issue
from app.factory import create_app
from app.runtime import Runtime, build
from app.settings import Settings

KEYS = {"k2": "signing-key-of-the-tests-32-bytes", "k1": "the-key-before-it-of-32-bytes-too"}
ADMIN_TOKEN = "admin-token-of-the-tests"
NUMBERS = itertools.count(1)


class Person(msgspec.Struct, frozen=True):
    """An account with a valid token; `anonymous` has none."""

    id: int
    name: str
    headers: dict[str, str]


ANONYMOUS = Person(0, "anonymous", {})


class Api:
    """Requests to an application in this process, as somebody."""

    def __init__(self, app: Flask, runtime: Runtime, database_url: str) -> None:
        self.app, self.runtime, self.database_url = app, runtime, database_url

    def call(self, method: str, path: str, person: Person = ANONYMOUS, **options: Any) -> TestResponse:
        options["headers"] = {**person.headers, **options.get("headers", {})}
        return self.app.test_client().open(path, method=method, **options)

    def get(self, path: str, person: Person = ANONYMOUS, **options: Any) -> TestResponse:
        return self.call("GET", path, person, **options)

    def post(self, path: str, json: object, person: Person = ANONYMOUS, **options: Any) -> TestResponse:
        return self.call("POST", path, person, json=json, **options)

    def person(self, role: str = "user") -> Person:
        """A new account with a token, made without paying for a password hash."""
        name = f"{role}{next(NUMBERS)}"
        with psycopg.connect(self.database_url) as connection:
            row = connection.execute(
                "insert into users (email, username, password_hash, role) values (%s, %s, 'none', %s) returning id",
                (f"{name}@example.org", name, role),
            ).fetchone()
        assert row is not None
        return Person(row[0], name, {"Authorization": f"Bearer {issue(row[0], role, KEYS, 900)}"})

    def task(self, person: Person, **fields: object) -> dict[str, Any]:
        """A new task of somebody."""
        answer = self.post("/tasks", {"title": "a task", **fields}, person)
        assert answer.status_code == 201, answer.text
        return dict(answer.get_json())


def environment(**settings: str) -> dict[str, str]:
    """The secrets a process needs, and the settings a test names."""
    return {
        "JWT_KEYS": msgspec.json.encode(KEYS).decode(),
        "CURSOR_KEY": "cursor-key-of-the-tests-32-bytes.",
        "ADMIN_TOKEN": ADMIN_TOKEN,
        **settings,
    }


@contextmanager
def running(**settings: str) -> Iterator[Api]:
    """An application in this process, closed at the end."""
    runtime = build(Settings.from_env(environment(**settings)))
    try:
        yield Api(create_app(runtime), runtime, settings["DATABASE_URL"])
    finally:
        runtime.close()
