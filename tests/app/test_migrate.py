"""Migrations: numbered files, applied once, in order, by one runner at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from app import schema
from app.migrate import (
    LOCK_TIMEOUT,
    STATEMENT_TIMEOUT,
    DatabaseUnreachable,
    MigrationError,
    level,
    migrate,
    read_migrations,
)

FILES = {"0001_a.sql": "create table a (id int);", "0002_b.sql": "create table b (id int);"}


@pytest.fixture
def url(new_database: Callable[..., str]) -> str:
    return new_database()


def write(directory: Path, files: dict[str, str]) -> Path:
    directory.mkdir(exist_ok=True)
    for name, sql in files.items():
        (directory / name).write_text(sql)
    return directory


def run(url: str, directory: Path) -> list[str]:
    lines: list[str] = []
    migrate(url, lines.append, directory)
    return lines


def test_an_empty_database_gets_every_file_once(url: str, tmp_path: Path) -> None:
    directory = write(tmp_path / "m", FILES)
    assert level(url) == 0
    assert run(url, directory) == ["applied 0001_a.sql", "applied 0002_b.sql"]
    assert run(url, directory) == []
    assert level(url) == 2


def test_the_applications_own_files_lead_to_the_level_it_declares(url: str) -> None:
    assert migrate(url, lambda line: None) == schema.MAX == level(url)
    with psycopg.connect(url) as connection:
        invalid = connection.execute("select count(*) from pg_index where not indisvalid").fetchone()
        names = {row[0] for row in connection.execute("select indexname from pg_indexes where schemaname = 'public'")}
    assert invalid == (0,)
    assert names >= {"idx_tasks_user_id", "idx_tasks_status", "idx_tasks_created_at", "idx_users_email"}


def test_every_file_outside_a_transaction_may_run_again(url: str) -> None:
    migrate(url, lambda line: None)
    again = [file.version for file in read_migrations() if len(file.statements) > 1]
    with psycopg.connect(url) as connection:
        connection.execute("delete from schema_migrations where version = any(%s)", (again,))
    assert migrate(url, lambda line: None) == schema.MAX


def test_an_edited_file_is_refused_and_nothing_changes(url: str, tmp_path: Path) -> None:
    directory = write(tmp_path / "m", {"0001_a.sql": FILES["0001_a.sql"]})
    run(url, directory)
    write(directory, {"0001_a.sql": "create table other (id int);", "0002_b.sql": FILES["0002_b.sql"]})
    with pytest.raises(MigrationError, match=r"0001_a\.sql was edited after it was applied"):
        run(url, directory)
    assert level(url) == 1


def test_a_database_ahead_of_the_files_is_refused(url: str, tmp_path: Path) -> None:
    directory = write(tmp_path / "m", FILES)
    run(url, directory)
    (directory / "0002_b.sql").unlink()
    with pytest.raises(MigrationError, match="migration 0002 was applied to this database, but its file is missing"):
        run(url, directory)


def test_a_gap_in_the_numbers_is_refused(tmp_path: Path) -> None:
    directory = write(tmp_path / "m", {"0001_a.sql": "", "0003_c.sql": ""})
    with pytest.raises(MigrationError, match=r"0003_c\.sql: expected number 0002"):
        read_migrations(directory)


def test_a_file_that_fails_leaves_nothing_of_itself(url: str, tmp_path: Path) -> None:
    directory = write(tmp_path / "m", {"0001_a.sql": "create table a (id int); select * from nowhere;"})
    with pytest.raises(MigrationError, match=r'0001_a\.sql: relation "nowhere" does not exist'):
        run(url, directory)
    assert level(url) == 0
    with psycopg.connect(url) as connection:
        assert connection.execute("select to_regclass('a')").fetchone() == (None,)


def test_two_runners_at_once_apply_each_file_once(url: str) -> None:
    with ThreadPoolExecutor(2) as pool:
        lines: list[str] = []
        assert list(pool.map(lambda _: migrate(url, lines.append), range(2))) == [schema.MAX] * 2
    assert sorted(lines) == [f"applied {file.name}" for file in read_migrations()]


def test_a_lock_that_is_not_free_is_tried_again(url: str, tmp_path: Path) -> None:
    directory = write(tmp_path / "m", FILES)
    run(url, directory)
    write(directory, {"0003_c.sql": "alter table a add column note text;"})
    with psycopg.connect(url) as holder:
        holder.execute("select * from a")
        refused = threading.Event()
        lines: list[str] = []

        def report(line: str) -> None:
            lines.append(line)
            refused.set()

        with ThreadPoolExecutor(1) as pool:
            level_reached = pool.submit(migrate, url, report, directory)
            assert refused.wait(10)
            holder.rollback()
            assert level_reached.result(10) == 3
    assert lines[0].startswith("0003_c.sql: lock not free within 500ms, trying again in")
    assert lines[-1] == "applied 0003_c.sql"


def test_a_concurrent_build_waits_for_an_older_transaction_and_leaves_the_limits_as_they_were(
    url: str, tmp_path: Path
) -> None:
    """Held for longer than a statement in a transaction would wait for a lock."""
    directory = write(tmp_path / "m", FILES)
    run(url, directory)
    limits = "create table limits as select current_setting('lock_timeout') a, current_setting('statement_timeout') b;"
    build = "-- no transaction\ncreate index concurrently a_id on a (id);\n"
    write(directory, {"0003_c.sql": build, "0004_d.sql": limits})
    with psycopg.connect(url, autocommit=True) as watcher, psycopg.connect(url) as holder:
        holder.execute("insert into a values (1)")
        with ThreadPoolExecutor(1) as pool:
            lines = pool.submit(run, url, directory)
            waiting = (
                "select count(*) from pg_stat_activity "
                "where datname = current_database() and wait_event_type = 'Lock' and query ~ 'concurrently'"
            )
            deadline = time.monotonic() + 10
            while watcher.execute(waiting).fetchone() == (0,):
                assert time.monotonic() < deadline
                time.sleep(0.02)
            time.sleep(0.8)
            holder.rollback()
            assert lines.result(10) == ["applied 0003_c.sql", "applied 0004_d.sql"]
        assert watcher.execute("select * from limits").fetchone() == (LOCK_TIMEOUT, STATEMENT_TIMEOUT)


def test_an_unreachable_database_is_one_clear_error() -> None:
    with pytest.raises(DatabaseUnreachable, match="no connection to the database"):
        level("postgresql://nobody@127.0.0.1:1/none")
