"""`primetrade release` as a person runs it, over real processes behind a real Envoy."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import pairwise

import click
import msgspec
import psutil
import pytest

from scripts.commands.release import command
from scripts.local.state import lock as home_lock
from scripts.release import engine
from scripts.release.engine import Caller, Options
from scripts.release.file import ReleaseFile
from scripts.release.journal import Holder
from scripts.release.local import Local
from scripts.release.route import Weights
from tests.local.traffic import keep_alive_load, until
from tests.release.test_fencing import free

CALLER = Caller("ann@laptop")
CHANGES = ["deploy", "shift", "approve", "promote", "abort", "rollback", "resume", "reap", "unlock"]

Command = Callable[..., tuple[str, str]]


@pytest.fixture
def words(local: Local, processes_file: ReleaseFile) -> Callable[..., list[str]]:
    """The words of a command line on this home and file."""

    def line(*words: str) -> list[str]:
        options = ["--home", str(local.home), "--file", str(processes_file.path)]
        return [sys.executable, "-m", "scripts.cli", "release", *words, *options]

    return line


@pytest.fixture
def primetrade(words: Callable[..., list[str]]) -> Command:
    """The command's output, once it ended with the code expected."""

    def run(*verb: str, code: int = 0) -> tuple[str, str]:
        found = subprocess.run(words(*verb), capture_output=True, text=True, timeout=180, check=False)
        assert found.returncode == code, found.stderr
        return found.stdout, found.stderr

    return run


def test_the_verbs_are_those_of_the_design() -> None:
    """Each has its place in the help, and the group loads no engine for it."""
    wanted = "init plan deploy status shift approve promote abort rollback resume history reap doctor unlock"
    assert wanted.split() == list(command.commands)
    code = "import sys, scripts.commands.release; print([m for m in sys.modules if m in ('msgspec', 'rich.live')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=180, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(("name", "verb"), command.commands.items(), ids=command.commands)
def test_what_changes_something_says_who_and_why(name: str, verb: click.Command) -> None:
    options = {option for parameter in verb.params for option in parameter.opts}
    assert ({"--actor", "--reason"} <= options) is (name in CHANGES)


def test_the_command_says_what_it_did_and_ends_with_the_code_of_the_table(local: Local, primetrade: Command) -> None:
    """Deploy, status, rollback and history agree with each other."""
    bad = ("--env", "FAULT_UNREADY=1", "--set", "timeouts.ready=1s", "--until", "preview")
    assert "was refused by deploy of green" in primetrade("deploy", "1.1.0", *bad, code=7)[1]
    out, err = primetrade("deploy", "1.1.0", "--until", "preview", "--reason", "ticket 7", "--json")
    assert msgspec.json.decode(out)["words"].endswith("1.1.0 on green is preview")
    assert err.count("analysis of green: pass") == 1
    out, _ = primetrade("shift", "--to", "100")
    assert out.splitlines()[-1] == "1.1.0 on green has all users; 1.0.0 on blue is warm"
    status = msgspec.json.decode(primetrade("status", "--json")[0])
    assert (status["phase"], status["last"]["verb"], status["warm_until"] > time.time()) == ("idle", "shift", True)
    primetrade("rollback")
    primetrade("rollback", code=6)
    primetrade("abort", code=1)
    primetrade("resume", code=1)
    primetrade("shift", "--to", "101", code=2)
    runs = re.findall(r"  (deploy|shift|rollback) 1.*: (\w+)$", primetrade("history")[0], re.MULTILINE)
    assert runs == [("deploy", "reverted"), ("deploy", "done"), ("shift", "done"), ("rollback", "done")]
    assert "nothing is wrong" in primetrade("doctor")[0]


def test_a_plan_changes_nothing_and_says_what_it_would_take(local: Local, primetrade: Command) -> None:
    """The users' rate is measured where none is given, and one that cannot feed a gate is refused."""
    before = local.observe()
    with keep_alive_load(local.state, pause_s=0.01):
        out, _ = primetrade("plan", "1.1.0", "--all-at-once", "--json")
    found = msgspec.json.decode(out)
    assert found["rate"] > 10
    assert [each["step"]["kind"] for each in found["steps"]][:3] == ["preflight", "expand", "deploy"]
    assert found["seconds"] == sum(each["seconds"] for each in found["steps"])
    assert (found["extra"]["replicas"], found["extra"]["warm"], found["shortage"]) == (1, 1, "")
    out, err = primetrade("plan", "1.1.0", "--rate", "1", code=10)
    assert "requests/s; 1/s come" in err
    assert "1 replica beside the slot with the users" in out
    assert "hold" not in primetrade("plan", "1.1.0", "--rate", "500", "--until", "preview")[0]
    assert before == local.observe()
    assert local.journal.read() == ()


def test_the_second_command_is_locked_out_and_told_by_whom(local: Local, primetrade: Command) -> None:
    with local.lock(Holder("bob@desk", "r1", "deploy", "2026-01-01T00:00:00.000Z", os.getpid())):
        _, said = primetrade("deploy", "1.1.0", code=8)
        _, asked = primetrade("unlock", code=1)
        assert "deploy by bob@desk since 2026-01-01" in primetrade("status")[0]
    assert "bob@desk holds the release lock since 2026-01-01" in said
    assert "bob@desk holds it since 2026-01-01" in asked
    assert "--force --reason" in asked


def test_a_release_waits_for_what_changes_the_home(
    local: Local, processes_file: ReleaseFile, primetrade: Command
) -> None:
    """`local up` and `local down` hold it: no slot is started or stopped under them, and a release may follow."""
    with home_lock(local.home):
        said = primetrade("deploy", "1.1.0", "--until", "preview", code=8)[1]
    assert f"is being changed by another command (process {os.getpid()})" in " ".join(said.split())
    assert not local.observe().slots["green"].running
    engine.deploy(local, processes_file, "1.1.0", CALLER, Options(to_preview=True))
    assert local.observe().slots["green"].running


def test_a_run_of_the_history_is_shown_line_by_line(
    local: Local, processes_file: ReleaseFile, primetrade: Command
) -> None:
    done = engine.deploy(local, processes_file, "1.1.0", Caller("ann@laptop", "ticket 7"), Options(to_preview=True))
    out, _ = primetrade("history", "--run", done.run)
    assert "ann@laptop  deploy 1.1.0 (ticket 7): done" in out
    assert re.search(r"Z  intent deploy green: 1\.1\.0 on green\n.*Z  done deploy green: ready after", out)
    lines = msgspec.json.decode(primetrade("history", "--run", done.run, "--json")[0])
    assert {done.run} == {line["run"] for line in lines}
    assert ["adopt", "begin"] == [line["phase"] for line in lines[:2]]
    assert lines[-1]["outcome"] == "done"
    assert "knows no such run" in primetrade("history", "--run", "none", code=2)[1]


def test_an_approval_is_waited_for_and_recorded(local: Local, primetrade: Command) -> None:
    """Exit code 9 is neither success nor failure: somebody is asked, and who answered is kept."""
    asks = ("--set", "approvals={before: [100], limit: 1h}", "--set", "steps=[100]")
    with keep_alive_load(local.state, pause_s=0.01):
        assert "release approve" in primetrade("deploy", "1.1.0", *asks, code=9)[1]
        assert local.observe().route.weights == Weights(100, 0)
        assert "approval of 1.1.0 for 100 %" in primetrade("status")[0]
        primetrade("approve", "--actor", "bob@desk", "--reason", "looks right", *asks)
    assert local.observe().route.weights == Weights(0, 100)
    approved = next(entry for entry in local.journal.read() if entry.phase == "approve")
    assert (approved.actor, approved.reason) == ("bob@desk", "looks right")


@contextmanager
def half_way(local: Local, line: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """A deploy that holds with half of the users on the new slot, writing nothing; it is gone when the block ends."""
    with subprocess.Popen(line, stdout=subprocess.DEVNULL) as run:
        try:
            until(lambda: "watch" in [entry.phase for entry in local.journal.read()] or run.poll() is not None, "hold")
            until(lambda: free(local.home / "release" / "journal.jsonl"), "the line is written")
            assert run.poll() is None
            yield run
        finally:
            run.kill()


@pytest.mark.faults
def test_a_killed_release_is_diagnosed_and_gone_on_with(
    local: Local, words: Callable[..., list[str]], primetrade: Command
) -> None:
    """status, doctor and resume see the same: a run that nobody ended, with half of the users on it."""
    slow = ("--set", "hold.duration=5s", "--set", "hold.limit=5m")  # what it began with, it is gone on with
    with keep_alive_load(local.state, pause_s=0.01) as seen:
        with half_way(local, words("deploy", "1.1.0", *slow)) as run:
            run.kill()
        assert "`primetrade release resume` goes on" in primetrade("status")[0]
        out, _ = primetrade("doctor", "--json", *slow, code=6)
        (finding,) = msgspec.json.decode(out)["findings"]
        assert (finding["where"], "was killed" in finding["what"]) == ("journal", True)
        primetrade("resume", *slow)
        assert primetrade("doctor")[0] == "nothing is wrong\n"
    assert {200} == {each.status for each in seen}
    assert local.observe().route.weights == Weights(0, 100)


@pytest.mark.faults
def test_a_stuck_run_loses_its_lock_and_writes_nothing_more(
    local: Local, words: Callable[..., list[str]], primetrade: Command
) -> None:
    """It is stopped, not dead: the kernel keeps its lock, and it wakes up after somebody else has cleared away."""
    with (
        keep_alive_load(local.state, pause_s=0.01) as seen,
        half_way(local, words("deploy", "1.1.0", "--set", "hold.duration=20s")) as run,
    ):
        run.send_signal(signal.SIGSTOP)
        until(lambda: psutil.Process(run.pid).status() == psutil.STATUS_STOPPED, "it is stopped")
        primetrade("abort", code=8)
        assert "primetrade release unlock" in primetrade("doctor", code=6)[0]
        assert "was taken from run" in primetrade("unlock", "--force", "--reason", "it hangs")[0]
        primetrade("abort")
        before = local.journal.read()
        run.send_signal(signal.SIGCONT)
        assert run.wait(180) in (6, 8)  # it finds the route moved, or its lock gone, whichever it looks at first
        assert before == local.journal.read()
    assert {200} == {each.status for each in seen}
    assert local.observe().route.weights == Weights(100, 0)


@contextmanager
def watching(line: list[str], output: int) -> Iterator[subprocess.Popen[bytes]]:
    """`status -w` with its output to a file descriptor, which ends with the block, or where that waits for ever."""
    with subprocess.Popen(line, stdout=output, stderr=subprocess.DEVNULL) as run:
        os.close(output)
        limit = threading.Timer(300, run.kill)
        limit.start()
        try:
            yield run
            run.send_signal(signal.SIGINT)
            assert run.wait(180) == 130
        finally:
            limit.cancel()
            run.kill()


def told(lines: Iterable[str], wanted: Callable[[str], bool]) -> list[str]:
    """The lines as far as the one that is waited for: there may be others on the way."""
    found: list[str] = []
    for line in lines:
        found.append(line)
        if wanted(line):
            return found
    raise AssertionError(f"it never said so: {found}")


def test_watching_prints_a_line_per_change_and_ends_at_ctrl_c(
    local: Local, processes_file: ReleaseFile, words: Callable[..., list[str]]
) -> None:
    """Where nobody draws: the state it found, and each one it came to."""
    engine.deploy(local, processes_file, "1.1.0", CALLER, Options(to_preview=True))
    reading, writing = os.pipe()
    with os.fdopen(reading) as lines, watching(words("status", "-w"), writing):
        first = lines.readline()
        engine.shift(local, processes_file, 50, CALLER)
        later = told(lines, lambda line: "blue active 50 %" in line)
    assert "green preview 0 % 1.1.0 ready" in first
    states = [line.partition("  ")[2] for line in (first, *later)]  # behind the time
    assert all(earlier != state for earlier, state in pairwise(states))


def test_watching_in_json_prints_a_document_per_line(
    local: Local, processes_file: ReleaseFile, words: Callable[..., list[str]]
) -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading) as lines, watching(words("status", "-w", "--json"), writing):
        first = msgspec.json.decode(lines.readline())
        engine.deploy(local, processes_file, "1.1.0", CALLER, Options(to_preview=True))
        told(lines, lambda line: (msgspec.json.decode(line)["newest"] or {}).get("version") == "1.1.0")
    assert (first["phase"], first["newest"]) == ("idle", None)


def test_watching_on_a_terminal_draws_anew(local: Local, words: Callable[..., list[str]]) -> None:
    """The same lines again, over those before: the cursor goes up."""
    reading, writing = pty.openpty()
    seen = b""
    with os.fdopen(reading, "rb", buffering=0) as screen, watching(words("status", "-w"), writing):
        while seen.count(b"1.0.0 on blue has all users") < 2:
            seen += screen.read(4096)
    assert b"\x1b[1A" in seen
