"""A run whose lock was broken changes nothing any more, whenever it wakes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from scripts.release import fencing, lock
from scripts.release.errors import Fenced, Locked, NeedsPerson, ReleaseError
from scripts.release.expand import expand
from scripts.release.file import ReleaseFile
from scripts.release.flock import taken
from scripts.release.journal import Holder
from scripts.release.local import Local
from scripts.release.route import Target, Weights
from scripts.release.slots import Release
from tests.local.traffic import until

HOLDER = Holder("ann@laptop", "r2", "abort", "2026-01-01T00:00:00.000Z", os.getpid())
LATE = """
import os, sys
from pathlib import Path
from scripts.release.errors import Fenced
from scripts.release.file import read_release_file
from scripts.release.journal import Holder
from scripts.release.local import Local
from scripts.release.route import Target, Weights
from scripts.release.slots import Release

local = Local(Path(sys.argv[1]), read_release_file(Path(sys.argv[2])))
with local.lock(Holder("bob@desk", "r1", "deploy", "2026-01-01T00:00:00.000Z", os.getpid())) as fence:
    token = local.observe().route.token
    print("holds", flush=True)
    if sys.argv[3] == "inside":
        local.expand(["sleep", "60"], 1, Release("1.1.0", (), {}), fence)
    if sys.argv[3] == "writing":
        with local.journal.held():
            sys.stdin.readline()
    sys.stdin.readline()
    try:
        local.route(Target(Weights(0, 100)), token, "r1", fence)
        print("written")
    except Fenced as exc:
        print("fenced:", exc)
"""


def free(path: Path) -> bool:
    """Whether nobody has the lock of this file."""
    with path.open("a") as file:
        return taken(file.fileno(), 0)


@contextmanager
def frozen(local: Local, file: ReleaseFile, where: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock, stopped by SIGSTOP: between two acts, inside one, or writing its journal."""
    argv = [sys.executable, "-c", LATE, str(local.home), str(file.path), where]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        children: list[psutil.Process] = []
        try:
            assert process.stdout
            assert process.stdout.readline() == "holds\n"
            if where == "inside":
                until(lambda: bool(psutil.Process(process.pid).children()), "the migration began")
            elif where == "writing":
                until(lambda: not free(local.home / "release" / "journal.jsonl"), "the write began")
            children = psutil.Process(process.pid).children()
            process.send_signal(signal.SIGSTOP)
            until(lambda: psutil.Process(process.pid).status() == psutil.STATUS_STOPPED, "it is stopped")
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            for child in children:
                child.kill()


def test_a_frozen_run_that_wakes_after_its_lock_was_broken_does_not_move_the_route(
    local: Local, processes_file: ReleaseFile
) -> None:
    """Nobody wrote the route meanwhile, so that its token is still right: the number alone keeps it out."""
    before = local.observe().route
    with frozen(local, processes_file, "between") as process:
        with pytest.raises(Locked, match="bob@desk"), local.lock(HOLDER):
            pass
        local.unlock()
        assert local.holder() is None
        with local.lock(HOLDER) as number:
            process.send_signal(signal.SIGCONT)
            said, _ = process.communicate("\n", timeout=20)
            assert said == f"fenced: run 1 lost its lock to run {number - 1}: it changes nothing more\n"
    assert before == local.observe().route


@pytest.mark.faults
def test_a_run_that_is_frozen_inside_an_act_keeps_its_lock_until_it_is_ended(
    local: Local, processes_file: ReleaseFile
) -> None:
    """It would end that act whenever it wakes: the process to end is named, and nothing is changed."""
    with frozen(local, processes_file, "inside") as process:
        with pytest.raises(NeedsPerson, match=f"process {process.pid} is inside an act.*kill -9 {process.pid}"):
            local.unlock()
        found = local.holder()
        assert found
        assert found.pid == process.pid
        process.kill()
        process.wait(10)
        with local.lock(HOLDER) as number:
            assert number == 2


@pytest.mark.faults
def test_a_run_that_is_frozen_in_its_journal_keeps_its_lock_until_it_is_ended(
    local: Local, processes_file: ReleaseFile
) -> None:
    """Its line would come behind those of the next run."""
    with frozen(local, processes_file, "writing") as process:
        with pytest.raises(NeedsPerson, match=f"^process {process.pid} is inside a write of .*journal.jsonl"):
            local.unlock()
        found = local.holder()
        assert found
        assert found.pid == process.pid
        process.kill()
        process.wait(10)
        with local.lock(HOLDER) as number:
            assert number == 2


def test_a_lock_that_nobody_holds_is_not_broken(local: Local) -> None:
    """And no number is used up."""
    local.unlock()
    with local.lock(HOLDER) as number:
        assert number == 1


def test_a_run_that_gets_hold_of_a_file_which_was_just_replaced_has_no_lock(
    local: Local, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between opening and locking it somebody else broke the lock; the next try finds the new file."""
    path = local.home / "release" / "lock"

    def replaced(descriptor: int, seconds: float) -> bool:
        path.unlink()
        path.touch()
        return taken(descriptor, seconds)

    with monkeypatch.context() as patch:
        patch.setattr(lock, "taken", replaced)
        with pytest.raises(Locked), lock.hold(path, HOLDER, 0):
            pass
    with lock.hold(path, HOLDER, 0) as number:
        assert number == 1


ACTS: dict[str, Callable[[Local, Release], object]] = {
    "route": lambda local, new: local.route(Target(Weights(0, 100)), local.observe().route.token, "r8", 8),
    "deploy": lambda local, new: local.deploy("green", new, 1, 8),
    "scale": lambda local, new: local.scale("blue", 2, 8),
    "drain": lambda local, new: local.drain("blue", on=True, fence=8),
    "retire": lambda local, new: local.retire("green", 8),
    "expand": lambda local, new: local.expand(["touch", str(local.home / "expanded")], 1, new, 8),
}


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
def test_every_act_of_an_older_run_is_refused(
    local: Local, processes_file: ReleaseFile, act: Callable[[Local, Release], object]
) -> None:
    """Also where the newer run has not touched the route."""
    local.expand(["true"], 1, processes_file.release("1.0.0", {}), 9)
    before = local.observe()
    with pytest.raises(Fenced, match="run 8 lost its lock to run 9"):
        act(local, processes_file.release("1.1.0", {}))
    assert before == local.observe()
    assert not (local.home / "expanded").exists()


def test_numbers_go_on_over_those_of_acts(local: Local, processes_file: ReleaseFile) -> None:
    """The journal may have been moved away."""
    local.expand(["true"], 1, processes_file.release("1.0.0", {}), 41)
    with local.lock(HOLDER) as number:
        assert number == 42


@pytest.mark.parametrize("content", [b"", bytes(32), bytes(4096), b"\n"], ids=["empty", "blank", "page", "line"])
def test_a_file_of_numbers_that_a_power_cut_left_blank_keeps_nobody_out(local: Local, content: bytes) -> None:
    """The route has the number too, be the journal lost with it, so that none is given twice."""
    with local.lock(HOLDER) as first:
        local.route(Target(Weights(50, 50)), local.observe().route.token, "r1", first)
    (local.home / "release" / "fence").write_bytes(content)
    (local.home / "release" / "lock").unlink()
    with local.lock(HOLDER) as second:
        assert second == first + 1
        local.route(Target(Weights(100, 0)), local.observe().route.token, "r2", second)
        with pytest.raises(Fenced):
            local.scale("blue", 2, first)


def test_a_file_of_numbers_that_says_something_else_is_named(local: Local) -> None:
    """Guessing a number could let an old run in; the command that mends it is told, and does."""
    path = local.home / "release" / "fence"
    with local.lock(HOLDER) as first:
        local.route(Target(Weights(50, 50)), local.observe().route.token, "r1", first)
        path.write_text("seven\n")
        with pytest.raises(ReleaseError, match=rf"{path} says 'seven'.*`rm {path}`"):
            local.scale("blue", 1, first)
    with pytest.raises(ReleaseError, match=rf"{path} says 'seven'.*`rm {path}`"):
        local.lock(HOLDER).__enter__()
    path.unlink()
    with local.lock(HOLDER) as second:
        assert second == first + 1


def test_a_number_is_on_the_disk_before_the_act(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once: the acts that follow find it there, and wait for no disk."""
    synced: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.pread(descriptor, 64, 0).decode()))
    for number in (7, 7, 8):
        with fencing.act(tmp_path / "fence", number):
            assert synced[-1].split() == [str(number), str(os.getpid())]
    assert len(synced) == 2


def test_a_migration_gives_way_to_the_live_slot() -> None:
    """Its session stands behind the others, where the kernel has sessions stand anywhere."""
    group = "/proc/self/autogroup"
    behind = f"for i in $(seq 500); do grep -qs 'nice 10' {group} && break; sleep 0.01; done; cat {group}"
    said = expand(["sh", "-c", f"test -e {group} || exec echo nice 10; {behind}"], Path.cwd(), {})
    assert said.endswith("nice 10")
