"""A command as a gate: what its exit code means, and that nothing of it is left, however it or the run ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from scripts.release.external import LETTERS, judge_command, run_command
from slo.objective import Outcome

ROOT = Path(__file__).parents[2]
LIMIT_S = 30.0
# Writes its own number and its child's, then waits for ever.
STAYS = "sleep 300 & echo $! > child; echo $$ > self; echo begun; wait"


def judged(script: str, limit_s: float = LIMIT_S, **env: str) -> tuple[Outcome, str]:
    return judge_command(("{python}", "-c", script), env, limit_s)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def gone(written: Path) -> bool:
    """Whether the process whose number stands there has ended; one that nobody has waited for has ended too."""
    try:
        return psutil.Process(int(written.read_text())).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.parametrize(
    ("code", "outcome"), [(0, Outcome.PASS), (1, Outcome.FAIL), (10, Outcome.INCONCLUSIVE), (3, Outcome.ERROR)]
)
def test_the_exit_code_is_the_verdict_and_the_last_lines_are_its_words(code: int, outcome: Outcome) -> None:
    said = judged(f"import sys; print('found'); print('all of it', file=sys.stderr); sys.exit({code})")
    assert said[0] is outcome
    assert "all of it" in said[1]
    assert "found" in said[1]
    assert (f"ended with {code} (0 is pass, 1 fail, 10 inconclusive)" in said[1]) == (outcome is Outcome.ERROR)


def test_a_command_is_told_about_the_release_and_keeps_its_own_environment() -> None:
    assert judged("import os; print(os.environ['SLOT'], 'PATH' in os.environ)", SLOT="green")[1].endswith("green True")


def test_a_command_has_a_session_of_its_own() -> None:
    assert judged("import os; print(os.getsid(0) == os.getpid())")[1].endswith("True")


def test_a_command_that_is_killed_is_an_error() -> None:
    outcome, words = judged("import os, signal; os.kill(os.getpid(), signal.SIGTERM)")
    assert (outcome, "ended by signal 15 (Terminated)" in words) == (Outcome.ERROR, True)


def test_a_command_that_is_not_there_is_an_error() -> None:
    outcome, words = judge_command(("no-such-program",), {}, LIMIT_S)
    assert outcome is Outcome.ERROR
    assert "ended with 127 (it was not found)" in words


def test_a_directory_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    outcome, words = judge_command(("true",), {}, LIMIT_S, tmp_path / "none")
    assert (outcome, "true could not be started: " in words) == (Outcome.ERROR, True)


def test_time_passes_no_gate_and_the_whole_group_ends(tmp_path: Path) -> None:
    outcome, words = judge_command(("sh", "-c", STAYS), {}, 5.0, tmp_path)
    assert outcome is Outcome.ERROR
    assert words == "sh had not ended after 5 s and was killed; sh said: begun"
    until(lambda: gone(tmp_path / "self") and gone(tmp_path / "child"))


def test_what_a_command_leaves_behind_ends_with_it(tmp_path: Path) -> None:
    """It still holds the output open, which nobody waits for."""
    outcome, words = judge_command(("sh", "-c", "sleep 300 & echo $! > child; echo done"), {}, LIMIT_S, tmp_path)
    assert (outcome, words) == (Outcome.PASS, "sh said: done")
    until(lambda: gone(tmp_path / "child"))


def test_much_output_is_read_and_only_its_end_kept() -> None:
    """Bounded, on one line, and without what would move a terminal's cursor."""
    outcome, words = judged("for i in range(300_000): print('line', i)\nprint('\\x1b[2Jlast\\r')")
    assert outcome is Outcome.PASS
    assert words.endswith("line 299998 | line 299999 | [2Jlast")
    assert "299995" not in words
    assert len(judged(f"print('x' * {9 * LETTERS})")[1]) < LETTERS + 200


def test_a_command_gets_what_is_given_on_its_input_and_then_its_end() -> None:
    read = ("{python}", "-c", "import sys; print(len(sys.stdin.read()))")
    assert run_command(read, {}, LIMIT_S, given=b"x" * 200_000) == (0, "200000")
    assert run_command(read, {}, LIMIT_S) == (0, "0")


def test_a_command_that_waits_for_all_of_its_children_waits_for_its_own_only() -> None:
    script = (
        "import os\nif os.fork():\n    os.wait()\n    try: os.wait()\n    except ChildProcessError: print('none left')"
    )
    assert judged(script) == (Outcome.PASS, "{python} said: none left")


RUN = """
from pathlib import Path
from scripts.release.external import judge_command
judge_command(("sh", "-c", "trap 'echo hit > hit' INT HUP; " + {stays!r}), {{}}, 600, Path({directory!r}))
"""


@contextmanager
def a_run(directory: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process in the middle of such a gate."""
    program = RUN.format(stays=STAYS, directory=str(directory))
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stderr=subprocess.DEVNULL, start_new_session=True
    ) as run:
        try:
            until(lambda: (directory / "self").exists() and (directory / "self").read_text().endswith("\n"))
            yield run
        finally:
            run.kill()


def test_an_interrupt_reaches_the_run_which_ends_the_command(tmp_path: Path) -> None:
    """A ctrl-C goes to everybody in the terminal's group; the command is in another one, and does not hear it."""
    with a_run(tmp_path) as run:
        os.killpg(run.pid, signal.SIGINT)
        assert run.wait(LIMIT_S) == -signal.SIGINT
        until(lambda: gone(tmp_path / "self") and gone(tmp_path / "child"))
    assert not (tmp_path / "hit").exists()


def test_a_command_does_not_outlive_a_run_that_is_killed(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        run.kill()
        run.wait(LIMIT_S)
        until(lambda: gone(tmp_path / "self") and gone(tmp_path / "child"))
