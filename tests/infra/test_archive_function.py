"""The function that archives, on a real PostgreSQL: no task is lost, whatever ends it, and none goes that must stay."""

from __future__ import annotations

import gzip
import json
import os
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto import mock_aws
from psycopg.rows import dict_row

from app import backfill, contract
from app.migrate import migrate
from infra.functions import package
from infra.functions.archive import handler
from infra.functions.archive.move import COLUMNS, Moved, NotKept, move, name, packed

NOW = datetime(2026, 11, 30, tzinfo=UTC)
BEFORE = NOW - timedelta(days=365)
BUCKET = "archive"


class Memory:
    """A store that can be told to fail."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.before_put: Callable[[str], None] = lambda key: None
        self.after_put: Callable[[str], None] = lambda key: None

    def put(self, key: str, body: bytes) -> None:
        self.before_put(key)
        self.files[key] = body
        self.after_put(key)

    def get(self, key: str) -> bytes:
        return self.files[key]

    def tasks(self) -> dict[int, dict[str, Any]]:
        """By id, the highest version of each."""
        return newest(self.files.values())


def newest(files: Any) -> dict[int, dict[str, Any]]:
    rows = [json.loads(line) for body in files for line in gzip.decompress(body).splitlines()]
    return {row["id"]: row for row in sorted(rows, key=lambda row: row["version"])}


@pytest.fixture(scope="module")
def url(new_database: Callable[..., str]) -> str:
    """A database with the application's whole schema and one user."""
    found = new_database()
    migrate(found, lambda line: None)
    for each in backfill.read_backfills():
        backfill.run(found, each)
    while step := contract.upcoming(found):
        contract.apply(found, step)
    with psycopg.connect(found) as connection:
        connection.execute("insert into users (id, email, username, password_hash) values (1, 'a@b.example', 'a', 'x')")
    return found


@pytest.fixture
def database(url: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection to it, without tasks."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("truncate tasks")
        yield connection


def add(database: psycopg.Connection[Any], number: int, status: str, age_d: int) -> None:
    closed = NOW - timedelta(days=age_d) if status == "done" else None
    database.execute(
        "insert into tasks (id, user_id, title, status, closed_at) values (%s, 1, %s, %s, %s)",
        (number, f"Überprüfung {number}", status, closed),
    )


def rows(database: psycopg.Connection[Any]) -> dict[int, dict[str, Any]]:
    with database.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(f"select {COLUMNS} from tasks order by id").fetchall()
    return {row["id"]: json.loads(gzip.decompress(packed([row]))) for row in found}


def always() -> bool:
    return True


def once_in(times: int) -> Callable[[], bool]:
    """Time for so many batches."""
    left = iter(range(times))
    return lambda: next(left, None) is not None


TASKS = st.lists(
    st.tuples(st.sampled_from(["todo", "in_progress", "done"]), st.integers(300, 430)), min_size=0, max_size=30
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(tasks=TASKS, batch=st.integers(1, 12), times=st.integers(0, 5))
def test_what_was_done_long_ago_is_moved_and_nothing_else(
    database: psycopg.Connection[Any], tasks: list[tuple[str, int]], batch: int, times: int
) -> None:
    """However it is cut into batches and runs: every task is in one place at least, the right ones in the archive."""
    database.execute("truncate tasks")
    for number, (status, age_d) in enumerate(tasks, 1):
        add(database, number, status, age_d)
    before, store = rows(database), Memory()
    old = {number for number, (status, age_d) in enumerate(tasks, 1) if status == "done" and age_d > 365}

    first = move(database, store, BEFORE, batch, once_in(times))
    assert before == rows(database) | store.tasks()
    assert not rows(database).keys() & store.tasks().keys()
    second = move(database, store, BEFORE, batch, always)
    assert old == store.tasks().keys()
    assert {key: row for key, row in before.items() if key not in old} == rows(database)
    assert (len(old), True) == (first.deleted + second.deleted, second.finished)


def test_a_run_that_is_killed_before_it_deletes_is_done_again_under_the_same_name(
    database: psycopg.Connection[Any],
) -> None:
    """The file is there already; nothing is twice."""
    add(database, 1, "done", 400)
    store = Memory()

    def killed(key: str) -> None:
        raise KeyboardInterrupt

    store.after_put = killed
    with pytest.raises(KeyboardInterrupt):
        move(database, store, BEFORE, 10, always)
    assert [1] == [*rows(database)]
    store.after_put = lambda key: None
    assert Moved(1, 1, 1, finished=True) == move(database, store, BEFORE, 10, always)
    assert ([], 1, [1]) == ([*rows(database)], len(store.files), [*store.tasks()])


def test_what_does_not_come_back_as_it_was_written_is_not_deleted(database: psycopg.Connection[Any]) -> None:
    """The first batch is gone, the second stays, and its file is named."""
    for number in (1, 2):
        add(database, number, "done", 400)
    store = Memory()

    def spoil(key: str) -> None:
        if len(store.files) == 2:
            store.files[key] = b"something else"

    store.after_put = spoil
    with pytest.raises(NotKept, match=r"tasks/0{18}2-0{18}2-\w{16}\.jsonl\.gz: what came back"):
        move(database, store, BEFORE, 1, always)
    assert [2] == [*rows(database)]


@pytest.mark.parametrize(
    ("change", "stays"),
    [
        ("update tasks set title = 'new', version = version + 1 where id = 1", True),
        ("update tasks set status = 'todo', closed_at = null, version = version + 1 where id = 1", True),
        ("delete from tasks where id = 1", False),
    ],
)
def test_a_task_that_changes_while_it_is_written_stays(
    database: psycopg.Connection[Any], url: str, change: str, stays: bool
) -> None:
    """Its user's word is newer than the archive's; the other of the batch goes."""
    for number in (1, 2):
        add(database, number, "done", 400)
    store = Memory()

    def meanwhile(key: str) -> None:
        with psycopg.connect(url) as other:
            other.execute(change)

    store.before_put = meanwhile
    moved = move(database, store, BEFORE, 10, once_in(1))
    assert (2, 1) == (moved.written, moved.deleted)
    assert ([1] if stays else []) == [*rows(database)]


def test_the_same_tasks_make_the_same_file() -> None:
    """Of the same name; of another version another."""
    row = {"id": 7, "title": "ä", "closed_at": NOW, "version": 1}
    assert packed([row]) == packed([dict(reversed(row.items()))])
    assert name([row], packed([row])) != name([row], packed([row | {"version": 2}]))
    assert (
        '{"closed_at": "2026-11-30T00:00:00+00:00", "id": 7, "title": "ä", "version": 1}\n'
        == gzip.decompress(packed([row])).decode()
    )


class Lambda:
    """Lambda's context, with so many milliseconds left."""

    def __init__(self, ms: int) -> None:
        self.ms = ms

    def get_remaining_time_in_millis(self) -> int:
        return self.ms


@pytest.fixture
def cloud(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """S3 and Secrets Manager in this process, and the variables that the platform sets."""
    found = psycopg.conninfo.conninfo_to_dict(url)
    for key, value in {
        "AWS_ACCESS_KEY_ID": "nobody",
        "AWS_SECRET_ACCESS_KEY": "nothing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "DATABASE_HOST": f"{found['host']}:{found['port']}",
        "DATABASE_NAME": str(found["dbname"]),
        "BUCKET": BUCKET,
        "AFTER_DAYS": "365",
        "BATCH": "2",
        "PGSSLMODE": "disable",  # the test's server has no certificate
    }.items():
        monkeypatch.setenv(key, value)
    with mock_aws():
        secret = boto3.client("secretsmanager").create_secret(
            Name="database", SecretString=json.dumps({"username": found["user"], "password": found.get("password", "")})
        )
        monkeypatch.setenv("DATABASE_SECRET", secret["ARN"])
        s3 = boto3.client("s3")
        s3.create_bucket(Bucket=BUCKET)
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        yield s3


def archived(s3: Any) -> dict[int, dict[str, Any]]:
    keys = [each["Key"] for each in s3.list_objects_v2(Bucket=BUCKET).get("Contents", ())]
    assert all(key.startswith("tasks/") for key in keys)
    return newest(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys)


def test_a_night_moves_what_is_old_into_the_bucket(
    database: psycopg.Connection[Any], cloud: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """And says so in one line of JSON."""
    age_d = 366 + (datetime.now(UTC) - NOW).days
    for number in range(1, 6):
        add(database, number, "done", age_d)
    add(database, 6, "done", 30)
    before = rows(database)
    done = handler.handle({}, Lambda(900_000))
    assert [6] == [*rows(database)]
    assert {number: before[number] for number in range(1, 6)} == archived(cloud)
    said = json.loads(capsys.readouterr().out)
    assert done == said
    assert ("archived", 5, 5, 3, True) == tuple(
        said[key] for key in ("event", "written", "deleted", "batches", "finished")
    )


def test_when_time_is_nearly_up_the_rest_waits_for_the_next_night(
    database: psycopg.Connection[Any], cloud: Any
) -> None:
    """Nothing is begun that could not be ended."""
    add(database, 1, "done", 4000)
    assert not handler.handle({}, Lambda(handler.SPARE_MS))["finished"]
    assert ([1], {}) == ([*rows(database)], archived(cloud))
    assert handler.handle({}, Lambda(handler.SPARE_MS + 1))["finished"]
    assert ([], [1]) == ([*rows(database)], [*archived(cloud)])


def test_a_file_that_is_there_is_not_written_again(cloud: Any) -> None:
    """One version of it, also after a run that ended before it deleted."""
    bucket = handler.Bucket(BUCKET)
    for _ in "ab":
        bucket.put("tasks/x", b"body")
    assert 1 == len(cloud.list_object_versions(Bucket=BUCKET)["Versions"])
    assert b"body" == bucket.get("tasks/x")


def test_a_bucket_that_refuses_ends_the_run(database: psycopg.Connection[Any], cloud: Any) -> None:
    """With S3's own error, and the task stays."""
    add(database, 1, "done", 4000)
    cloud.delete_bucket(Bucket=BUCKET)
    with pytest.raises(cloud.exceptions.NoSuchBucket):
        handler.handle({}, Lambda(900_000))
    assert [1] == [*rows(database)]


def test_a_variable_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is opened."""
    monkeypatch.delenv("BUCKET", raising=False)
    with pytest.raises(KeyError, match="DATABASE_HOST"):
        handler.Settings.read({key: value for key, value in os.environ.items() if key != "DATABASE_HOST"})


def test_the_package_holds_the_function_and_its_wheels_and_is_the_same_each_time(tmp_path: Path) -> None:
    """Under their own paths, named by the digest; what an installer leaves beside them is not in it."""
    wheels = tmp_path / "wheels"
    for path in ("psycopg/__init__.py", "psycopg/__pycache__/x.pyc", ".lock", "bin/tool"):
        (wheels / path).parent.mkdir(parents=True, exist_ok=True)
        (wheels / path).write_text("x")
    first = package.pack(wheels, tmp_path)
    with zipfile.ZipFile(first) as found:
        names = found.namelist()
    assert "infra/functions/archive/handler.py" in names
    assert ["psycopg/__init__.py"] == [name for name in names if not name.startswith("infra/")]
    assert first == package.pack(wheels, tmp_path)


def test_the_wheels_are_those_of_the_applications_lock() -> None:
    """With their hashes, and no other."""
    wanted = package.locked(package.LOCK.read_text(), package.WHEELS)
    heads = [line for line in wanted.splitlines() if not line.startswith(" ")]
    assert [*package.WHEELS] == [line.partition("==")[0] for line in heads]
    assert wanted.count("--hash=sha256:") > len(heads)
    with pytest.raises(ValueError, match="has no nonsense; run make lock"):
        package.locked(package.LOCK.read_text(), ["nonsense"])
