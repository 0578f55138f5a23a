"""The contract step beside releases: no slot that runs is left without the shape it needs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import psycopg
import pytest
from click.testing import CliRunner, Result

from app.maintenance import MigrationError
from app.migrate import level, migrate
from scripts.commands.db import command
from scripts.db.contract import Done, Job, contract
from scripts.exits import Exit
from scripts.local.state import State, write_state
from scripts.release import engine
from scripts.release.engine import Caller
from scripts.release.errors import Locked, Refused
from scripts.release.file import ReleaseFile
from scripts.release.journal import FileJournal, Holder
from scripts.release.slots import Range, Slot
from scripts.release.twin import Behaviour, Twin

OLD, NEW = Behaviour(schema=Range(1, 3)), Behaviour(schema=Range(3, 4))
FILES = {
    "0001_a.sql": "create table a (id bigint primary key, gone int);",
    "0002_b.sql": "select 1;",
    "0003_c.sql": "select 1;",
    "0004_d.sql": "-- contract\nalter table a drop column gone;",
}


@pytest.fixture
def job(new_database: Callable[..., str], tmp_path: Path) -> Job:
    """A database at level 3, and a step to 4."""
    directory = tmp_path / "m"
    directory.mkdir()
    for name, sql in FILES.items():
        (directory / name).write_text(sql)
    job = Job(new_database(), "ann@laptop", "ticket 9", lambda line: None, directory=directory)
    assert migrate(job.database_url, job.report, directory) == 3
    return job


@pytest.fixture
def live(twin: Twin) -> Twin:
    """1.0.0, which needs the old shape, has all users; 2.0.0, which does not, may be deployed."""
    twin.behaviours |= {"1.0.0": OLD, "2.0.0": NEW, "3.0.0": NEW}
    return twin


def refusal(twin: Twin, job: Job) -> str:
    """What it says; nothing is changed and nothing written."""
    entries = twin.journal.read()
    with pytest.raises(Refused) as refused:
        contract(twin, job)
    assert level(job.database_url) == 3
    assert twin.journal.read() == entries
    assert twin.holder() is None
    return str(refused.value)


def test_it_is_refused_while_the_active_slot_needs_the_old_shape(live: Twin, job: Job) -> None:
    assert refusal(live, job) == (
        "0004_d.sql leads to schema level 4; nothing was changed:\n"
        "  blue (active) is 1.0.0, which works with schema levels 1 to 3: "
        "release a newer version first, one that works with level 4"
    )


def test_it_is_refused_while_a_warm_slot_needs_the_old_shape(
    live: Twin, job: Job, file: ReleaseFile, caller: Caller
) -> None:
    engine.deploy(live, file, "2.0.0", caller)
    words = refusal(live, job)
    assert "blue (warm) is 1.0.0, which works with schema levels 1 to 3: `primetrade release reap` stops it" in words
    assert "green" not in words


def test_it_is_refused_while_a_preview_needs_the_old_shape(
    live: Twin, job: Job, file: ReleaseFile, caller: Caller
) -> None:
    live.behaviours |= {"1.0.0": NEW, "2.0.0": OLD}
    engine.deploy(live, file, "2.0.0", caller, engine.Options(to_preview=True))
    assert "green (preview) is 2.0.0" in refusal(live, job)
    engine.abort(live, file, caller)
    assert contract(live, job).level == 4


def test_it_is_refused_while_a_slot_taken_back_still_runs_and_needs_it(
    live: Twin, job: Job, file: ReleaseFile, caller: Caller
) -> None:
    live.behaviours |= {"1.0.0": NEW, "2.0.0": OLD}
    engine.deploy(live, file, "2.0.0", caller)
    engine.rollback(live, file, caller)
    assert "green (rejected) is 2.0.0" in refusal(live, job)


@pytest.mark.parametrize(
    ("silent", "words"),
    [
        (Behaviour(schema=None), "does not say which schema levels it works with"),
        (Behaviour(crashes=True), "does not run, so it does not say"),
    ],
)
def test_a_slot_whose_levels_nobody_knows_may_need_it(live: Twin, job: Job, silent: Behaviour, words: str) -> None:
    live.behaviours["1.0.0"] = silent
    assert words in refusal(live, job)


@pytest.mark.parametrize(
    "lost",
    [Slot("blue", digest="unknown", running=True), Slot("blue", digest="unknown", log="not a slot's file"), None],
    ids=["running and mute", "down, its file spoilt", "gone, with users"],
)
def test_a_slot_of_which_nobody_knows_what_it_is_may_need_it(
    live: Twin, job: Job, lost: Slot | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = live.observe()
    slots = {**seen.slots, "blue": lost or Slot("blue")}
    monkeypatch.setattr(live, "observe", lambda: msgspec.structs.replace(seen, slots=slots))
    assert "blue (active) is what nobody knows, which does" in refusal(live, job)


def test_it_is_applied_under_the_release_lock_and_written_into_the_journal(
    live: Twin, job: Job, file: ReleaseFile, caller: Caller
) -> None:
    live.behaviours["1.0.0"] = NEW
    seen: list[Holder | None] = []
    watched = msgspec.structs.replace(job, report=lambda line: seen.append(live.holder()))
    before = len(live.journal.read())
    assert contract(live, watched) == Done(4, "0004_d.sql")
    assert level(job.database_url) == 4
    (holder,) = seen
    assert holder is not None
    assert (holder.verb, holder.actor, live.holder()) == ("contract", "ann@laptop", None)
    entries = live.journal.read()[before:]
    assert [(e.verb, e.step, e.phase, e.level, e.reason) for e in entries] == [
        ("contract", "contract", phase, 4, "ticket 9") for phase in ("begin", "done", "end")
    ]
    assert len({(e.run, e.fence) for e in entries}) == 1
    last = engine.look(live).memory.last
    assert last is not None
    assert (last.verb, last.outcome) == ("contract", "done")
    engine.deploy(live, file, "3.0.0", caller)  # the journal is as usable as before


def test_no_step_is_applied_during_a_release(live: Twin, job: Job) -> None:
    live.behaviours["1.0.0"] = NEW
    with live.lock(Holder("bob@laptop", "1", "deploy", "now", 1)), pytest.raises(Locked, match=r"bob@laptop.*deploy"):
        contract(live, job)
    assert level(job.database_url) == 3


def test_a_release_that_comes_while_rows_are_mended_is_seen(
    live: Twin, job: Job, tmp_path: Path, file: ReleaseFile, caller: Caller
) -> None:
    live.behaviours |= {"1.0.0": NEW, "2.0.0": OLD}
    (job.directory / "0004_d.sql").write_text("-- contract\n-- after backfill 0003_a\nalter table a drop column gone;")
    (tmp_path / "b").mkdir()
    text = "-- backfill a by id\nupdate a set gone = 1 where id > %(after)s and id <= %(upto)s and gone is null"
    (tmp_path / "b" / "0003_a.sql").write_text(text)
    from app.backfill import read_backfills, run  # noqa: PLC0415  # only here

    run(job.database_url, read_backfills(tmp_path / "b")[0])

    def release(progress: object) -> None:
        if "2.0.0" not in (each.version for each in live.observe().slots.values()):
            engine.deploy(live, file, "2.0.0", caller, engine.Options(to_preview=True))

    with pytest.raises(Refused, match=r"green \(preview\) is 2\.0\.0"):
        contract(live, msgspec.structs.replace(job, on_batch=release, backfills=tmp_path / "b"))
    assert level(job.database_url) == 3


def test_a_step_that_fails_is_an_entry_too(live: Twin, job: Job) -> None:
    live.behaviours["1.0.0"] = NEW
    with psycopg.connect(job.database_url) as connection:
        connection.execute("alter table a rename to elsewhere")
    with pytest.raises(MigrationError, match=r'0004_d\.sql: relation "a" does not exist'):
        contract(live, job)
    last = live.journal.read()[-1]
    assert (last.phase, last.outcome, last.level) == ("end", "error", 4)
    assert live.holder() is None
    with psycopg.connect(job.database_url) as connection:
        connection.execute("alter table elsewhere rename to a")
    assert contract(live, job).level == 4


def test_a_step_the_journal_does_not_know_is_written_down_by_the_next_call(live: Twin, job: Job) -> None:
    """Of a run killed before its last word, or one without slots."""
    assert contract(None, job) == Done(4, "0004_d.sql")
    before = len(live.journal.read())
    for _ in range(2):
        assert contract(live, job) == Done(4)
        assert [(e.verb, e.phase, e.level) for e in live.journal.read()[before:]] == [
            ("contract", phase, 4) for phase in ("begin", "done", "end")
        ]


def test_the_command_asks_the_slots_that_run_and_writes_their_journal(
    edge: State, processes_file: ReleaseFile, tmp_path: Path, new_database: Callable[..., str]
) -> None:
    """The application's own step, beside processes; another database than theirs is refused, and so is --no-slots."""
    url = new_database()
    migrate(url, lambda line: None)
    write_state(msgspec.structs.replace(edge, database_url=url))

    def run(verb: str, *options: str) -> Result:
        return CliRunner().invoke(command, [verb, "--home", edge.home, *options], env={"DATABASE_URL": None})

    file = ("--file", str(tmp_path / "release.yaml"))
    assert run("backfill").exit_code == Exit.DONE
    assert run("contract", *file, "--database-url", new_database()).exit_code == Exit.USAGE
    assert run("contract", *file, "--database-url", url, "--no-slots").exit_code == Exit.USAGE
    before = level(url)
    done = run("contract", *file, "--reason", "1.x is gone")
    assert (done.exit_code, done.output.splitlines()[-1]) == (Exit.DONE, f"schema level {before + 1}")
    entries = FileJournal(Path(edge.home) / "release" / "journal.jsonl").read()
    assert [(e.phase, e.level, e.reason) for e in entries if e.verb == "contract"] == [
        (phase, before + 1, "1.x is gone") for phase in ("begin", "done", "end")
    ]
