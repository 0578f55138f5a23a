"""The contract step and the rows: after its backfill, and never before a migration that comes first."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner, Result

from app import backfill, contract
from app.maintenance import MigrationError
from app.migrate import level, migrate
from scripts.commands.db import command
from scripts.exits import Exit

NAME = "0003_closed_at"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(command, ["contract", "--no-slots", *arguments])


@pytest.fixture
def url(new_database: Callable[..., str], migrated: str) -> str:
    """One task that a release before level 3 finished, and its owner."""
    url = new_database(template=migrated)
    with psycopg.connect(url) as connection:
        connection.execute("insert into users (email, username, password_hash) values ('a@example.org', 'a', 'none')")
    add_old(url)
    return url


def add_old(url: str) -> None:
    """A done task as a release that knows nothing of closed_at writes it."""
    with psycopg.connect(url) as connection:
        connection.execute("insert into tasks (user_id, title, status) values (1, 'old', 'done')")


def fill(url: str) -> None:
    CliRunner().invoke(command, ["backfill", NAME, "--database-url", url], catch_exceptions=False)


def test_it_is_refused_until_its_backfill_is_finished(url: str) -> None:
    refused = run("--database-url", url)
    assert refused.exit_code == Exit.ERROR
    assert f"comes after backfill {NAME}, which is not finished: run `primetrade db backfill {NAME}`" in refused.output
    before = level(url)
    fill(url)
    assert run("--database-url", url).exit_code == Exit.DONE
    assert level(url) == before + 1


def test_behind_it_the_old_shape_is_forbidden(url: str) -> None:
    fill(url)
    assert run("--database-url", url).exit_code == Exit.DONE
    with pytest.raises(psycopg.errors.CheckViolation, match="tasks_done_is_closed"):
        add_old(url)


def test_rows_that_an_old_release_wrote_behind_the_backfill_are_mended_first(url: str) -> None:
    fill(url)
    add_old(url)
    add_old(url)
    done = run("--database-url", url, "--json")
    assert json.loads(done.stdout) == {"level": level(url), "applied": "0004_done_is_closed.sql", "rows": 2}
    with psycopg.connect(url) as connection:
        assert connection.execute("select count(*), count(closed_at) from tasks").fetchone() == (3, 3)


def test_when_none_is_left_it_says_so(contracted: str) -> None:
    done = run("--database-url", contracted)
    assert (done.exit_code, done.output) == (0, f"no contract step is left; schema level {level(contracted)}\n")


def test_without_slots_the_database_must_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    assert run().exit_code == Exit.USAGE


def test_one_step_at_a_time(new_database: Callable[..., str], tmp_path: Path) -> None:
    """Each has its own level, and may have migrations and a backfill of its own before it."""
    url = new_database()
    for name in ("0001_a.sql", "0002_b.sql"):
        (tmp_path / name).write_text("-- contract\nselect 1;")
    (tmp_path / "0003_c.sql").write_text("select 1;")
    for expected in (1, 2):
        step = contract.upcoming(url, tmp_path)
        assert step is not None
        assert migrate(url, lambda line: None, tmp_path) == expected - 1
        contract.apply(url, step, lambda line: None, tmp_path)
        assert level(url) == expected
        with pytest.raises(MigrationError, match=rf"{step.name} was applied by another run|0003_c\.sql comes first"):
            contract.apply(url, step, lambda line: None, tmp_path)
    with pytest.raises(
        MigrationError, match=r"0003_c\.sql comes first and is no contract step: run `primetrade db mig"
    ):
        contract.upcoming(url, tmp_path)
    assert migrate(url, lambda line: None, tmp_path) == 3
    assert contract.upcoming(url, tmp_path) is None


def test_a_backfill_that_does_not_exist_is_named(new_database: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "0001_a.sql").write_text("-- contract\n-- after backfill 0001_nothing\nselect 1;")
    with pytest.raises(MigrationError, match=r"0001_a\.sql: there is no backfill 0001_nothing"):
        contract.upcoming(new_database(), tmp_path)


def test_every_backfill_that_a_step_waits_for_exists_and_its_level_comes_before(contracted: str) -> None:
    """The application's own files."""
    levels = {each.name: each.level for each in backfill.read_backfills()}
    waits = {file.version: file.backfill for file in contract.read_migrations() if file.backfill}
    assert waits
    assert all(levels[name] < version for version, name in waits.items())
