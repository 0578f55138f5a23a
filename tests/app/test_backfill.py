"""Backfills: old rows into the new shape, every row once, whatever happens to the run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner

from app import backfill, maintenance
from app.backfill import Backfill, Options, Progress, finished, read_backfills, run
from app.maintenance import Busy, MigrationError
from scripts.commands.db import command
from scripts.exits import Exit

ROOT = Path(__file__).parents[2]
# Not idempotent, so that a row done twice is seen.
COUNT = "-- backfill things by id\nupdate things set n = n + 1 where id > %(after)s and id <= %(upto)s;\n"
ROWS = 5000
WRONG = "select count(*) from things where n <> 1"


@pytest.fixture
def url(new_database: Callable[..., str]) -> str:
    """A table with gaps between its keys, and a row that they do not start at."""
    url = new_database()
    with psycopg.connect(url) as connection:
        connection.execute("create table things (id bigint primary key, n int not null default 0)")
        connection.execute("insert into things select 7 + 3 * i from generate_series(1, %s) i", (ROWS,))
    return url


@pytest.fixture
def counting(tmp_path: Path) -> Backfill:
    (tmp_path / "0000_count.sql").write_text(COUNT)
    (found,) = read_backfills(tmp_path)
    return found


def one(url: str, query: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(query).fetchone()
    assert row is not None
    return row[0]


@pytest.mark.parametrize("batch", [999, 1000, ROWS, ROWS + 1])
def test_every_row_is_changed_once_by_batches_of_any_size(url: str, counting: Backfill, batch: int) -> None:
    seen: list[Progress] = []
    found = run(url, counting, Options(batch, pause=0), seen.append)
    assert (found.rows, found.finished) == (ROWS, True)
    assert one(url, WRONG) == 0
    assert [p.rows for p in seen[:-1]] == [*range(0, ROWS, batch), ROWS]
    assert (seen[0].at, seen[-1].at) == (seen[0].first, seen[0].last) == (9, 7 + 3 * ROWS)


def test_a_finished_one_changes_nothing_until_it_is_asked_for_again(url: str, counting: Backfill) -> None:
    run(url, counting)
    run(url, counting)
    assert one(url, WRONG) == 0
    with psycopg.connect(url, autocommit=True) as connection:
        assert finished(connection) == {"0000_count"}
    assert run(url, counting, Options(again=True)).rows == ROWS
    assert one(url, "select count(*) from things where n = 2") == ROWS


class Stop(Exception):  # noqa: N818  # what a test ends a run with
    pass


def test_a_run_that_ends_early_is_gone_on_with_from_its_last_batch(url: str, counting: Backfill) -> None:
    def stop(progress: Progress) -> None:
        if progress.rows >= 2000:
            raise Stop

    for _ in range(2):  # the second one ends at once, and harms nothing
        with pytest.raises(Stop):
            run(url, counting, Options(500), stop)
    assert one(url, "select sum(n) from things") == 2000
    seen: list[Progress] = []
    assert run(url, counting, Options(500), seen.append).rows == ROWS
    assert seen[0].rows == 2000
    assert one(url, WRONG) == 0


def test_rows_that_come_meanwhile_are_reached_too(url: str, counting: Backfill) -> None:
    def add(progress: Progress) -> None:
        if progress.rows == ROWS and not progress.finished:
            with psycopg.connect(url) as connection:
                connection.execute("insert into things values (1000000) on conflict do nothing")

    assert run(url, counting, Options(1000), add).rows == ROWS + 1
    assert one(url, WRONG) == 0


def test_an_empty_table_is_finished_at_once(url: str, counting: Backfill) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("truncate things")
    assert run(url, counting) == Progress("0000_count", first=0, last=0, at=0, rows=0, finished=True)


def test_a_row_that_is_locked_delays_its_batch_and_nothing_is_lost(url: str, counting: Backfill) -> None:
    lines: list[str] = []
    with psycopg.connect(url) as holder, ThreadPoolExecutor(1) as pool:
        holder.execute("select from things where id = 10 for update")
        done = pool.submit(run, url, counting, Options(), lambda progress: None, lines.append)
        deadline = time.monotonic() + 10
        while not lines:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        holder.rollback()
        assert done.result(10).rows == ROWS
    assert lines[0].startswith("0000_count: canceling statement due to lock timeout; trying again in")
    assert one(url, WRONG) == 0


def test_a_batch_that_takes_too_long_ends_the_run_and_what_was_done_is_kept(
    url: str, counting: Backfill, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maintenance, "ATTEMPTS", 2)
    monkeypatch.setattr(backfill, "BATCH_TIMEOUT", "300ms")
    slow = "update things set n = n + 1 where id > %(after)s and id <= %(upto)s and (id < 3000 or pg_sleep(9) is null)"
    with pytest.raises(MigrationError, match=r"0000_count: .*statement timeout, 2 times"):
        run(url, Backfill("0000_count", 0, "things", "id", slow), Options(500))
    assert one(url, "select last_key < 3000 and rows = (select sum(n) from things) from schema_backfills") is True


def test_a_connection_that_breaks_ends_the_run_with_the_command_that_goes_on(url: str, counting: Backfill) -> None:
    def cut(progress: Progress) -> None:
        with psycopg.connect(url) as connection:
            connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'primetrade-backfill'"
            )

    with pytest.raises(MigrationError, match="`primetrade db backfill 0000_count` goes on from there"):
        run(url, counting, Options(), cut)
    assert run(url, counting).rows == ROWS
    assert one(url, WRONG) == 0


def test_of_two_at_once_one_is_refused(url: str, counting: Backfill, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backfill, "LOCK_WAIT_S", 0.1)

    def second(progress: Progress) -> None:
        with pytest.raises(Busy, match="another backfill is running"):
            run(url, counting)

    assert run(url, counting, Options(3000), second).rows == ROWS
    assert one(url, WRONG) == 0


def test_two_whose_lock_a_pooler_lost_do_not_count_a_batch_twice(
    url: str, counting: Backfill, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session's lock means nothing behind a pooler of transactions; the note of the progress does."""
    monkeypatch.setattr(backfill, "alone", lambda *_: psycopg.connect(url))

    def overtake(progress: Progress) -> None:
        run(url, counting)

    with pytest.raises(MigrationError, match="another run moved this backfill on"):
        run(url, counting, Options(3000), overtake)
    assert one(url, WRONG) == 0


def test_a_database_below_its_level_is_refused(url: str, counting: Backfill) -> None:
    early = Backfill("0003_count", 3, "things", "id", counting.sql)
    with pytest.raises(MigrationError, match="needs schema level 3, the database has 0: run `primetrade db migrate`"):
        run(url, early)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("0001_a.sql", "update things set n = 1"),
        ("0001_a.sql", "-- backfill things\nupdate things set n = 1 where id > %(after)s and id <= %(upto)s"),
        ("0001_a.sql", "-- backfill things by id\nupdate things set n = 1 where id > %(after)s"),
        ("words.sql", COUNT),
    ],
)
def test_a_file_that_does_not_say_what_it_fills_is_refused(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(
        MigrationError, match=r"expected NNNN_words\.sql with the first line `-- backfill TABLE by KEY`"
    ):
        read_backfills(tmp_path)


@pytest.fixture
def tasks(new_database: Callable[..., str], migrated: str) -> str:
    """Tasks as releases before level 3 wrote them: 3,000, every third one done."""
    url = new_database(template=migrated)
    with psycopg.connect(url) as connection:
        connection.execute("insert into users (email, username, password_hash) values ('a@example.org', 'a', 'none')")
        connection.execute(
            "insert into tasks (user_id, title, status, updated_at) select 1, 'old', "
            "case when i % 3 = 0 then 'done' else 'todo' end, now() - i * interval '1 minute' "
            "from generate_series(1, 3000) i",
        )
    return url


def test_old_done_tasks_are_closed_when_they_last_changed_and_no_other(tasks: str) -> None:
    result = CliRunner().invoke(command, ["backfill", "0003_closed_at", "--database-url", tasks])
    assert (result.exit_code, result.output.splitlines()) == (
        0,
        ["0003_closed_at: up to 0 of 3,000, 0 rows changed", "0003_closed_at: finished, 1,000 rows changed"],
    )
    assert one(tasks, "select count(*) from tasks where closed_at = updated_at and status = 'done'") == 1000
    assert one(tasks, "select count(*) from tasks where closed_at is not null") == 1000
    assert one(tasks, "select count(*) from tasks where version <> 1") == 0


def test_machines_get_one_object(tasks: str) -> None:
    result = CliRunner().invoke(command, ["backfill", "--database-url", tasks, "--json"])
    assert json.loads(result.stdout) == {"backfills": [{"name": "0003_closed_at", "rows": 1000}]}


def test_a_name_that_is_none_is_a_usage_error(tasks: str) -> None:
    result = CliRunner().invoke(command, ["backfill", "nonsense", "--database-url", tasks])
    assert result.exit_code == Exit.USAGE
    assert "0003_closed_at" in result.output


def start(url: str, *options: str) -> subprocess.Popen[str]:
    """The command, until it has done some batches and not all."""
    argv = [sys.executable, "-m", "scripts.cli", "db", "backfill", "--database-url", url, *options]
    process = subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    deadline = time.monotonic() + 20
    with psycopg.connect(url, autocommit=True) as connection:
        while True:
            assert time.monotonic() < deadline
            time.sleep(0.01)
            row = connection.execute("select to_regclass('schema_backfills')").fetchone()
            if row != (None,) and connection.execute("select rows from schema_backfills where rows > 50").fetchone():
                return process


@pytest.mark.faults
@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, Exit.INTERRUPTED), (signal.SIGTERM, Exit.TERMINATED)])
def test_a_person_may_end_it_and_run_it_again(tasks: str, signum: int, code: Exit) -> None:
    with start(tasks, "--batch", "30") as process:
        process.send_signal(signum)
        output, _ = process.communicate(timeout=20)
    assert process.returncode == code
    assert "Traceback" not in output
    assert ("the same command goes on" in output) is (signum == signal.SIGINT)
    assert 50 < int(str(one(tasks, "select count(closed_at) from tasks"))) < 1000
    assert CliRunner().invoke(command, ["backfill", "--database-url", tasks]).exit_code == 0
    assert one(tasks, "select count(closed_at) from tasks") == 1000


@pytest.mark.faults
def test_a_run_killed_again_and_again_does_every_row_exactly_once(url: str, counting: Backfill, tmp_path: Path) -> None:
    """SIGKILL at any moment, in a batch or between two: a batch and the note of it stand or fall together."""
    code = (
        "import sys, pathlib; from app.backfill import Options, read_backfills, run; "
        "run(sys.argv[1], read_backfills(pathlib.Path(sys.argv[2]))[0], Options(5, pause=0))"
    )
    note = "select coalesce((select rows from schema_backfills), 0)"
    kills = 0
    with psycopg.connect(url, autocommit=True) as watcher:
        watcher.execute(backfill.CREATE)
        for goal in range(200, ROWS - 500, 600):
            with subprocess.Popen(
                [sys.executable, "-c", code, url, str(tmp_path)], cwd=ROOT, env=os.environ
            ) as process:
                while (watcher.execute(note).fetchone() or (0,))[0] < goal:
                    assert process.poll() is None
                process.kill()
            kills += process.returncode == -signal.SIGKILL
    assert kills == 8
    assert run(url, counting).rows == ROWS
    assert one(url, WRONG) == 0
