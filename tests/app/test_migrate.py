"""Migrations: numbered files, applied once, in order, by one runner at a time."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from app import contract, maintenance, schema
from app.maintenance import LOCK_TIMEOUT, STATEMENT_TIMEOUT, DatabaseUnreachable, MigrationError
from app.migrate import INVALID, level, migrate, read_migrations
from scripts.release.errors import ReleaseError
from scripts.release.expand import expand

ROOT = Path(__file__).parents[2]
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


def test_the_applications_own_files_lead_to_a_level_it_works_with(url: str) -> None:
    assert schema.MIN <= migrate(url, lambda line: None) == level(url) <= schema.MAX
    assert schema.MAX == len(read_migrations())
    with psycopg.connect(url) as connection:
        invalid = connection.execute("select count(*) from pg_index where not indisvalid").fetchone()
        names = {row[0] for row in connection.execute("select indexname from pg_indexes where schemaname = 'public'")}
    assert invalid == (0,)
    assert names >= {"idx_tasks_user_id", "idx_tasks_status", "idx_tasks_created_at", "idx_users_email"}


def test_every_file_outside_a_transaction_may_run_again(contracted: str) -> None:
    again = [file for file in read_migrations() if len(file.statements) > 1]
    assert {file.is_contract for file in again} == {True, False}
    with psycopg.connect(contracted) as connection:
        connection.execute("delete from schema_migrations where version = any(%s)", ([f.version for f in again],))
    migrate(contracted, lambda line: None)
    step = contract.upcoming(contracted)
    assert step is not None
    contract.apply(contracted, step, lambda line: None)
    assert level(contracted) == schema.MAX


def test_expand_stops_before_the_first_contract_step_and_says_what_applies_it(url: str, tmp_path: Path) -> None:
    steps = {"0003_c.sql": "-- contract\ndrop table a;", "0004_d.sql": "create table d (id int);"}
    directory = write(tmp_path / "m", FILES | steps)
    stop = "stopped before 0003_c.sql, a contract step: `primetrade db contract` applies it"
    assert run(url, directory) == ["applied 0001_a.sql", "applied 0002_b.sql", stop]
    assert migrate(url, lambda line: None, directory) == level(url) == 2
    assert run(url, directory) == [stop]


def test_a_run_stops_at_the_level_that_is_asked_for(url: str, tmp_path: Path) -> None:
    """Whatever files come behind it; a later run goes on from there, and one that is past it changes nothing."""
    steps = {"0003_c.sql": "create table c (id int);"}
    directory, lines = write(tmp_path / "m", FILES | steps), list[str]()
    assert migrate(url, lines.append, directory, 1) == level(url) == 1
    assert lines == ["applied 0001_a.sql", "stopped before 0002_b.sql: level 1 was asked for"]
    assert migrate(url, lines.append, directory, 3) == level(url) == 3
    assert migrate(url, lines.append, directory, 2) == level(url) == 3


def test_the_job_stops_at_the_level_in_its_environment(url: str) -> None:
    """And fails where the files do not lead there."""
    environment = {"DATABASE_URL": url}
    command = ["{python}", "-m", "app.migrate"]
    assert expand(command, ROOT, environment | {"SCHEMA_LEVEL": "2"}) == "schema level 2"
    assert level(url) == 2
    with pytest.raises(ReleaseError, match=r"level 99 was asked for, and these migrations lead to 3"):
        expand(command, ROOT, environment | {"SCHEMA_LEVEL": "99"})
    with pytest.raises(ReleaseError, match=r"SCHEMA_LEVEL is 'three'"):
        expand(command, ROOT, environment | {"SCHEMA_LEVEL": "three"})
    assert level(url) == 3


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


def test_two_runners_at_once_apply_each_file_once(url: str, tmp_path: Path) -> None:
    directory = write(tmp_path / "m", FILES)
    with ThreadPoolExecutor(2) as pool:
        lines: list[str] = []
        assert list(pool.map(lambda _: migrate(url, lines.append, directory), range(2))) == [2, 2]
    assert sorted(lines) == ["applied 0001_a.sql", "applied 0002_b.sql"]


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
    assert lines[0].startswith("0003_c.sql: canceling statement due to lock timeout; trying again in")
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
            wait_for_build(watcher)
            time.sleep(0.8)
            holder.rollback()
            assert lines.result(10) == ["applied 0003_c.sql", "applied 0004_d.sql"]
        assert watcher.execute("select * from limits").fetchone() == (LOCK_TIMEOUT, STATEMENT_TIMEOUT)


def wait_for_build(watcher: psycopg.Connection) -> None:
    """Until a concurrent build waits for an older transaction."""
    waiting = (
        "select count(*) from pg_stat_activity "
        "where datname = current_database() and wait_event_type = 'Lock' and query ~ 'concurrently'"
    )
    deadline = time.monotonic() + 20
    while watcher.execute(waiting).fetchone() == (0,):
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.faults
def test_a_run_killed_in_a_concurrent_build_is_finished_by_the_next_one(url: str, tmp_path: Path) -> None:
    """The server goes on with the statement of the dead: the next run waits for it and begins it anew."""
    directory = write(tmp_path / "m", FILES)
    run(url, directory)
    build = "drop index concurrently if exists a_id;\ncreate index concurrently a_id on a (id);"
    write(directory, {"0003_c.sql": f"-- no transaction\n{build}\n"})
    code = (
        "import sys, pathlib; from app.migrate import migrate; migrate(sys.argv[1], print, pathlib.Path(sys.argv[2]))"
    )
    with psycopg.connect(url, autocommit=True) as watcher, psycopg.connect(url) as holder:
        holder.execute("insert into a values (1)")
        with subprocess.Popen([sys.executable, "-c", code, url, str(directory)], cwd=ROOT) as killed:
            wait_for_build(watcher)
            killed.kill()
        assert watcher.execute(INVALID).fetchone() == ("a_id",)
        with ThreadPoolExecutor(1) as pool:
            lines = pool.submit(run, url, directory)
            holder.rollback()
            assert lines.result(20) == ["applied 0003_c.sql"]
        assert watcher.execute(INVALID).fetchone() == (None,)
    assert level(url) == 3


def test_a_lock_that_never_gets_free_ends_the_run_with_what_to_do_and_changes_nothing(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maintenance, "ATTEMPTS", 2)
    directory = write(tmp_path / "m", FILES)
    run(url, directory)
    write(directory, {"0003_c.sql": "create table c (id int); alter table a add column note text;"})
    with psycopg.connect(url) as holder:
        holder.execute("select * from a")
        with pytest.raises(MigrationError, match=r"0003_c\.sql: .*lock timeout, 2 times: end the long transactions"):
            run(url, directory)
        assert holder.execute("select to_regclass('c')").fetchone() == (None,)
    assert level(url) == 2


def test_only_what_blocks_nobody_waits_long_for_its_lock(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A statement outside a transaction that locks a table out gives up as early as one inside."""
    monkeypatch.setattr(maintenance, "ATTEMPTS", 1)
    directory = write(tmp_path / "m", FILES)
    run(url, directory)
    write(directory, {"0003_c.sql": "-- no transaction\nalter table a add check (id > 0) not valid;\n"})
    with psycopg.connect(url) as holder:
        holder.execute("select * from a")
        with pytest.raises(MigrationError, match="lock timeout"):
            run(url, directory)


def half_built(url: str, directory: Path, build: str) -> None:
    """Leave an invalid index a_id, as a build that is cut short does, before the file that builds it."""
    run(url, write(directory, FILES))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("insert into a values (1), (1)")
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("create unique index concurrently a_id on a (id)")
        assert connection.execute(INVALID).fetchone() == ("a_id",)
    write(directory, {"0003_c.sql": f"-- no transaction\n{build}\n"})


def test_an_index_half_built_by_a_run_before_is_built_anew_where_the_file_drops_it_first(
    url: str, tmp_path: Path
) -> None:
    build = "drop index concurrently if exists a_id;\ncreate index concurrently a_id on a (id);"
    half_built(url, tmp_path / "m", build)
    assert run(url, tmp_path / "m")[-1] == "applied 0003_c.sql"
    with psycopg.connect(url) as connection:
        assert connection.execute(INVALID).fetchone() == (None,)


def test_an_index_half_built_is_named_where_the_file_would_pass_over_it(url: str, tmp_path: Path) -> None:
    half_built(url, tmp_path / "m", "create index concurrently if not exists a_id on a (id);")
    with pytest.raises(MigrationError, match=r"0003_c\.sql: invalid index: a_id\..*`drop index concurrently a_id`"):
        run(url, tmp_path / "m")
    assert level(url) == 2


def test_a_migration_that_fails_ends_the_release_before_any_slot_is_touched(url: str, tmp_path: Path) -> None:
    """The command a release runs says which file and why, and its exit code is not 0."""
    with psycopg.connect(url) as connection:
        connection.execute("create table tasks (id int)")
    command = ["{python}", "-m", "app.migrate"]
    with pytest.raises(
        ReleaseError, match=r'(?s)no slot was touched:\n.*0001\w*\.sql: relation "tasks" already exists'
    ):
        expand(command, ROOT, {"DATABASE_URL": url})


def test_an_unreachable_database_is_one_clear_error() -> None:
    with pytest.raises(DatabaseUnreachable, match="no connection to the database"):
        level("postgresql://nobody@127.0.0.1:1/none")
