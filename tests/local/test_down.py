"""`down` ends everything whatever is missing or comes between, and never under a release."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType

import pytest

from scripts.exits import Exit
from scripts.local import system
from scripts.local.errors import LockedError
from scripts.local.processes import marked, marked_names, start
from scripts.local.slots import SlotSpec
from scripts.local.state import ROOT, replace_file
from scripts.release.journal import Holder
from scripts.release.lock import hold
from tests.local.test_system import PLAIN_USER, primetrade_local

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def test_processes_are_found_when_their_directory_is_gone(home: Path) -> None:
    """Somebody deleted the home under a running system: `down` ends it all the same, and makes no new home."""
    home.mkdir()
    start(home, "slot-blue", ["sleep", "60"], cwd=home.parent)
    shutil.rmtree(home)
    says: list[str] = []
    system.down(home, says.append)
    assert marked(home) == []
    assert says[-1] == "down: nothing left running"
    assert not home.exists()


def test_a_process_that_has_no_mark_yet_when_it_is_looked_for_is_ended(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Linux closes a program's files before it shows its environment: `up` may have been killed just then."""
    home.mkdir()
    start(home, "slot-blue", ["sleep", "60"])
    looks = [set[str]()]
    monkeypatch.setattr(system, "marked_names", lambda home: looks.pop() if looks else marked_names(home))
    system.down(home, print)
    assert marked(home) == []


def test_signals_do_not_stop_it_half_way(home: Path) -> None:
    """An impatient ctrl-C, a supervisor's SIGTERM, a closed terminal: `down` goes on; afterwards they count again."""

    def interrupted(signum: int, frame: FrameType | None) -> None:
        raise InterruptedError(signum)

    def impatient(line: str) -> None:
        for signum in SIGNALS:
            signal.raise_signal(signum)

    home.mkdir()
    start(home, "slot-blue", ["sleep", "60"])
    before = {signum: signal.signal(signum, interrupted) for signum in SIGNALS}
    try:
        system.down(home, impatient)
        assert [interrupted] * 3 == [signal.getsignal(signum) for signum in SIGNALS]
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
        system.down(home, print)
    assert marked(home) == []


def test_nothing_is_brought_up_or_down_under_a_release(home: Path) -> None:
    """Both verbs refuse while a release runs, ending nothing; once it has ended `down` works, in its process too."""
    home.mkdir()
    slot = start(home, "slot-blue", ["sleep", "60"])
    with hold(home / "release" / "lock", Holder("ann@laptop", "r1", "promote", "2026-01-01T00:00:00Z", os.getpid()), 0):
        for verb in ("up", "down"):
            code, says = primetrade_local(verb, "--home", str(home))
            assert (code, "a release is running" in says) == (Exit.LOCKED, True)
        with pytest.raises(LockedError, match="primetrade release status"):
            system.up(home, print, first=SlotSpec(version="1"))
    assert [slot.pid] == [process.pid for process in marked(home)]
    system.down(home, print)
    assert marked(home) == []


@pytest.mark.parametrize("verb", ["up", "down"])
def test_a_home_of_another_user_is_said_plainly(tmp_path: Path, verb: str) -> None:
    """One message with the path and what to do, no traceback."""
    home = tmp_path / "others"
    home.mkdir(mode=0o500)
    argv = [*PLAIN_USER, sys.executable, "-m", "scripts.cli", "local", verb]
    env = {**os.environ, "PRIMETRADE_LOCAL": str(home)}
    done = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False)
    said = " ".join(done.stderr.split())
    assert done.returncode == Exit.ERROR
    assert "Traceback" not in said
    assert f"run `primetrade local {verb}` as the user who made" in said


def test_a_full_disk_does_not_keep_the_system_up(home: Path) -> None:
    """Where not even the lock's few bytes can be written, `down` works: it may be what makes room."""
    home.mkdir()
    start(home, "slot-blue", ["sleep", "60"])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))  # every write to a file fails, as on a full disk
    try:
        system.down(home, lambda line: None)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert marked(home) == []


def test_a_replaced_file_is_on_disk_under_its_name(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Content first, then the directory that holds its name: a power cut after the return takes neither back."""
    synced: list[str] = []
    fsync = os.fsync

    def watched(descriptor: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    replace_file(home / "file", b"content")
    assert [str(home / ".file.new"), str(home)] == synced
