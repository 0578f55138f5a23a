"""A command of the user's as a gate: it is ended in time, with all it started, and never outlives the run.

The command gets a session of its own, so a ctrl-C reaches the run alone, which then ends the command on its way out.
A run that is killed cannot do that: a guard in the command's process group waits for the end of a pipe that only the
run holds open, and then kills the group. What leaves the group by `setsid` is on its own.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Final, NamedTuple

from slo.objective import Outcome

LINES: Final = 5  # of output, as words
LETTERS: Final = 500
INCONCLUSIVE: Final = 10  # as everywhere in `scripts.exits`
NOT_RUN: Final = {126: "it may not be executed", 127: "it was not found"}  # as POSIX shells say it

# The pipe comes as stderr, which leaves stdin to the command. The guard is nobody's child, so a command that waits
# for all of its children waits for its own.
_LEASH: Final = """
exec 3<&2 2>&1
( (read -r _ <&3; kill -KILL 0) >/dev/null 2>&1 & )
exec "$@" 3<&-
"""


class Judged(NamedTuple):
    """What a gate found."""

    outcome: Outcome
    words: str


class Ended(NamedTuple):
    """How a command ended: its exit code, the signal as a negative number, or None when it was ended at its limit."""

    code: int | None
    said: str  # the last lines of stdout and stderr together, on one line


def judge_command(argv: Sequence[str], env: Mapping[str, str], limit_s: float, directory: Path | None = None) -> Judged:
    """Run `argv` in `directory`, `env` laid over this process's own: exit 0 pass, 1 fail, 10 inconclusive, else error.

    {python} stands for this interpreter. A command over its limit is an error: time never passes a gate.
    """
    try:
        code, said = run_command(argv, env, limit_s, directory=directory)
    except (OSError, ValueError) as exc:
        return Judged(Outcome.ERROR, f"{argv[0]} could not be started: {exc}")
    words = f"{argv[0]} said: {said}" if said else f"{argv[0]} said nothing"
    if code is None:
        return Judged(Outcome.ERROR, f"{argv[0]} had not ended after {limit_s:g} s and was killed; {words}")
    if code < 0:
        return Judged(Outcome.ERROR, f"{argv[0]} was ended by signal {-code} ({signal.strsignal(-code)}); {words}")
    known = {0: Outcome.PASS, 1: Outcome.FAIL, INCONCLUSIVE: Outcome.INCONCLUSIVE}
    if code in known:
        return Judged(known[code], words)
    why = NOT_RUN.get(code, f"0 is pass, 1 fail, {INCONCLUSIVE} inconclusive")
    return Judged(Outcome.ERROR, f"{argv[0]} ended with {code} ({why}); {words}")


def run_command(
    argv: Sequence[str], env: Mapping[str, str], limit_s: float, *, given: bytes = b"", directory: Path | None = None
) -> Ended:
    """Run `argv` to its end or its limit, `given` on its stdin; its whole process group has ended when this returns.

    Raises OSError or ValueError when nothing can be started, and whatever interrupts it, the group ended.
    """
    words = [sys.executable if word == "{python}" else word for word in argv]
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb"), os.fdopen(reading, "rb") as end, tempfile.TemporaryFile() as stdin:
        stdin.write(given)
        stdin.seek(0)
        child = subprocess.Popen(
            ["/bin/sh", "-c", _LEASH, "sh", *words],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=end,
            cwd=directory,
            env={**os.environ, **env},
            start_new_session=True,
        )
        try:
            assert child.stdout
            tail = _Tail(child.stdout)
            with suppress(subprocess.TimeoutExpired):
                child.wait(limit_s)
            code = child.returncode
        finally:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)  # the guard still bears this group's number: it is nobody else's
            child.wait()
        return Ended(code, tail.words())


class _Tail(threading.Thread):
    """Reads output to its end, so that the command never waits for a reader, and keeps the last of it."""

    def __init__(self, output: IO[bytes]) -> None:
        super().__init__(daemon=True)
        self.output, self.kept = output, b""
        self.start()

    def run(self) -> None:
        with self.output:
            while chunk := os.read(self.output.fileno(), 65536):
                self.kept = (self.kept + chunk)[-8 * LETTERS :]

    def words(self) -> str:
        """The last lines, without what would move a terminal's cursor."""
        self.join(1.0)  # whoever left the group may hold the pipe open
        lines = [_plain(line) for line in self.kept.decode(errors="replace").splitlines()]
        text = " | ".join([line for line in lines if line][-LINES:])
        return text if len(text) <= LETTERS else f"…{text[1 - LETTERS :]}"


def _plain(line: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in line).strip()
