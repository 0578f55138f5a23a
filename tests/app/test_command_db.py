"""`primetrade db`: migrate and seed from the command line."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner, Result

from app.auth.tokens import Tokens
from app.migrate import level
from scripts.commands.db import command
from tests.app.world import KEYS

AWAY = "postgresql://nobody@127.0.0.1:1/none"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(command, arguments)


def test_migrate_tells_the_level_to_people_and_machines(new_database: Callable[..., str]) -> None:
    url = new_database()
    people = run("migrate", "--database-url", url)
    assert (people.exit_code, people.output.splitlines()[-1]) == (0, f"schema level {level(url)}")
    machine = json.loads(run("migrate", "--database-url", url, "--json").output)
    assert (machine["level"], len(machine["log"])) == (level(url), 1)
    assert "primetrade db contract" in machine["log"][0]


def test_a_database_that_is_away_is_one_plain_error() -> None:
    result = run("migrate", "--database-url", AWAY)
    assert result.exit_code == 1
    assert result.output.startswith("Error: no connection to the database")


def test_an_address_that_is_none_is_a_plain_error_and_not_shown() -> None:
    """It may hold a password."""
    for verb in (["migrate"], ["backfill"], ["contract", "--no-slots"]):
        result = run(*verb, "--database-url", "secret@here")
        assert (result.exit_code, isinstance(result.exception, SystemExit)) == (1, True), verb
        assert "address is none: write postgresql://" in result.output
        assert "secret" not in result.output


def test_without_a_database_named_and_no_local_system_it_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    result = run("migrate", "--home", str(tmp_path))
    assert result.exit_code == 2
    assert "primetrade local up" in result.output


def test_seed_fills_the_database_and_writes_tokens_the_application_believes(
    new_database: Callable[..., str], migrated: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, tokens = new_database(template=migrated), tmp_path / "tokens.json"
    monkeypatch.setenv("JWT_KEYS", json.dumps(KEYS))
    amounts = ("--users", "3", "--tasks-per-user", "4")
    result = run("seed", "--database-url", url, "--tokens", str(tokens), *amounts)
    assert result.exit_code == 0, result.output
    with psycopg.connect(url) as connection:
        counts = connection.execute("select (select count(*) from users), (select count(*) from tasks)").fetchone()
    assert counts == (3, 12)
    assert stat.S_IMODE(tokens.stat().st_mode) == 0o600
    first = json.loads(tokens.read_text())["users"][0]
    assert Tokens(KEYS, 900).verify(first["token"]).id == first["id"]


def test_keys_that_nobody_names_are_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database of one's own is named, so the local system is not what lacks."""
    monkeypatch.delenv("JWT_KEYS", raising=False)
    result = run("seed", "--database-url", AWAY, "--home", str(tmp_path))
    assert result.exit_code == 2
    assert "or set JWT_KEYS" in result.output


def test_keys_that_cannot_be_read_are_a_usage_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JWT_KEYS", "not json")
    result = run("seed", "--database-url", AWAY)
    assert result.exit_code == 2
    assert "JWT_KEYS" in result.output
