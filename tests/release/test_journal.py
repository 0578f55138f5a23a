"""The journal and the lock as files: what a crash, a full disk or a second actor makes of them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from scripts.release import lock
from scripts.release.errors import Fenced, Locked, NeedsPerson, ReleaseError
from scripts.release.flock import taken
from scripts.release.journal import Entry, FileJournal, Holder
from tests.local.traffic import until

HOLDER = Holder("ann@laptop", "r1", "deploy", "2026-01-01T00:00:00.000Z", 42)


def entry(number: int) -> Entry:
    return Entry(at=number, time="", run=str(number), fence=number, verb="deploy", actor="ann", phase="begin")


def test_entries_come_back_in_order(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path / "release" / "journal.jsonl")
    for number in range(3):
        journal.append(entry(number))
    assert [entry(n) for n in range(3)] == list(journal.read())


def test_a_line_cut_by_a_crash_is_left_out_and_overwritten(tmp_path: Path) -> None:
    """Nothing was done on its strength: the act comes after the write."""
    journal = FileJournal(tmp_path / "journal.jsonl")
    journal.append(entry(0))
    with journal.path.open("ab") as file:
        file.write(b'{"at": 1, "run": "to')
    assert [entry(0)] == list(journal.read())
    journal.append(entry(2))
    assert [entry(0), entry(2)] == list(journal.read())


def test_a_line_spoilt_by_hand_is_named(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path / "journal.jsonl")
    journal.append(entry(0))
    journal.path.write_bytes(b"not json\n" + journal.path.read_bytes())
    with pytest.raises(ReleaseError, match=r"journal.jsonl:1: not a journal entry.*move the file away"):
        journal.read()


def test_a_journal_that_cannot_be_written_stops_what_it_would_record() -> None:
    with pytest.raises(ReleaseError, match="cannot be written: No space left"):
        FileJournal(Path("/dev/full")).append(entry(0))


@pytest.mark.parametrize("where", ["/dev/full", "/dev/null/release/lock", "."])
def test_a_lock_file_that_cannot_be_made_or_written_is_one_clear_error(where: str) -> None:
    """A full disk, a file where the folder should be, a folder where the file should be."""
    with pytest.raises(ReleaseError, match=r"the lock cannot be used: .*; free the disk"):
        lock.hold(Path(where), HOLDER, past=0).__enter__()


LATE = """
import os, signal, sys
from pathlib import Path
from scripts.release import journal

compare = journal.refuse_late

def freeze(entry, newest):
    compare(entry, newest)
    print("compared", flush=True)
    os.kill(os.getpid(), signal.SIGSTOP)

journal.refuse_late = freeze
journal.FileJournal(Path(sys.argv[1])).append(
    journal.Entry(at=5, time="", run="5", fence=5, verb="deploy", actor="bob", phase="intent")
)
"""


def test_no_line_comes_between_a_writers_look_and_its_write(tmp_path: Path) -> None:
    """A run frozen there is waited for, and named; its line then stands before that of the newer run, never behind."""
    journal = FileJournal(tmp_path / "journal.jsonl")
    with subprocess.Popen([sys.executable, "-c", LATE, str(journal.path)], stdout=subprocess.PIPE) as late:
        try:
            assert late.stdout
            assert late.stdout.readline() == b"compared\n"
            until(lambda: psutil.Process(late.pid).status() == psutil.STATUS_STOPPED, "it is frozen")
            with pytest.raises(NeedsPerson, match=f"is inside a write of {journal.path}.*fuser {journal.path}"):
                journal.append(entry(7))
            assert list(journal.read()) == []
            late.send_signal(signal.SIGCONT)
            assert late.wait(20) == 0
        finally:
            late.kill()
    journal.append(entry(7))
    with pytest.raises(Fenced, match="run 6 lost its lock"):
        journal.append(entry(6))
    assert [each.fence for each in journal.read()] == [5, 7]


def test_nobody_waits_for_the_disk_of_another_writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run is most likely frozen there, and its line stands already."""
    journal, free = FileJournal(tmp_path / "journal.jsonl"), []

    def sync(descriptor: int) -> None:
        with journal.path.open("rb") as file:
            free.append(taken(file.fileno(), 0))

    monkeypatch.setattr(os, "fsync", sync)
    journal.append(entry(0))
    assert free == [True]


def test_a_journal_that_cannot_be_read_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match="cannot be read: Is a directory; run as the owner"):
        FileJournal(tmp_path).read()


def test_every_holder_gets_a_higher_fencing_number(tmp_path: Path) -> None:
    """Higher than the journal's too, so that a lost lock file does no harm."""
    path = tmp_path / "lock"
    with lock.hold(path, HOLDER, past=0) as first:
        pass
    with lock.hold(path, HOLDER, past=0) as second:
        pass
    path.unlink()
    with lock.hold(path, HOLDER, past=second) as third:
        pass
    assert [first, second, third] == [1, 2, 3]


def test_the_second_is_told_who_is_first_and_since_when(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert lock.holder(path) is None
    with lock.hold(path, HOLDER, past=0):
        found = lock.holder(path)
        with (
            pytest.raises(
                Locked, match=r"ann@laptop holds the release lock since 2026-01-01T00:00:00.000Z.*process 42"
            ),
            lock.hold(path, HOLDER, past=0),
        ):
            pass
    assert found
    assert (found.actor, found.fence) == ("ann@laptop", 1)
    assert lock.holder(path) is None


def take_and_die(path: Path) -> None:
    with lock.hold(path, HOLDER, past=0):
        multiprocessing.current_process().kill()  # type: ignore[attr-defined]  # of ourselves, without clean-up


def test_a_killed_holder_holds_nothing(tmp_path: Path) -> None:
    """The lock is the kernel's, so there is nothing to unlock by hand."""
    path = tmp_path / "lock"
    child = multiprocessing.get_context("fork").Process(target=take_and_die, args=(path,))
    child.start()
    child.join(20)
    with lock.hold(path, HOLDER, past=0) as fence:
        assert fence > 1
