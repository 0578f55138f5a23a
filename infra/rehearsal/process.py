"""Pulumi's command line as a child of ours: a time limit, nothing of our environment, and never left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import IO, Final

from pulumi.automation import CommandResult, PulumiCommand
from pulumi.automation.errors import create_command_error
from semver import VersionInfo

from infra.errors import ProgramError

LIMIT_S: Final = 600.0  # for one command; the largest stack takes a tenth of it
KEPT: Final = ("PATH", "TMPDIR")  # of our environment: no account, no token, no configuration of Pulumi's
Hear = Callable[[str], object]


class Command(PulumiCommand):
    """As the SDK's own, which has no time limit and hands on the whole environment."""

    def __init__(self, program: Path, version: str, limit_s: float = LIMIT_S) -> None:
        # Not the parent's: it looks for the program in a folder named `bin` and runs it to learn its version.
        self.command = str(program)
        self.version = VersionInfo.parse(version.removeprefix("v"))
        self._limit_s = limit_s

    def run(
        self,
        args: list[str],
        cwd: str,
        additional_env: Mapping[str, str],
        on_output: Hear | None = None,
        on_error: Hear | None = None,
    ) -> CommandResult:
        """Run one command to its end. Raises CommandError with its words, ProgramError when its time is up."""
        own = {key: os.environ[key] for key in KEPT if key in os.environ}
        env = {**own, **additional_env, "HOME": cwd, "PULUMI_AUTOMATION_API": "true"}
        # A signal is raised in the main thread alone: started in another, no child is lost between its fork and us.
        with ThreadPoolExecutor(1) as thread:
            started = thread.submit(_start, [self.command, "--non-interactive", *args], cwd, env)
            try:
                said = self._heard(args[0], started.result(), on_output, on_error)
            finally:
                process = started.result()
                end(process)
        result = CommandResult(stdout=said[0], stderr=said[1], code=process.returncode)
        if process.returncode:
            raise create_command_error(result)
        return result

    def _heard(
        self, verb: str, process: subprocess.Popen[str], on_output: Hear | None, on_error: Hear | None
    ) -> list[str]:
        said: list[list[str]] = [[], []]
        threads = [
            threading.Thread(target=_read, args=(stream, into, hear), daemon=True)
            for stream, into, hear in zip((process.stdout, process.stderr), said, (on_output, on_error), strict=True)
        ]
        for thread in threads:
            thread.start()
        try:
            process.wait(self._limit_s)
        except subprocess.TimeoutExpired as exc:
            words = f"pulumi {verb} did not end in {self._limit_s:.0f} s"
            raise ProgramError(f"{words}; its last words: {' '.join(said[0][-3:])}") from exc
        for thread in threads:
            thread.join(self._limit_s)
        return ["\n".join(lines) for lines in said]


def _start(argv: list[str], cwd: str, env: Mapping[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        argv,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # so that ctrl-C reaches us alone, and what it starts ends with it
    )


def end(process: subprocess.Popen[str]) -> None:
    """Kill what is left of it and of what it started: its state is thrown away with its folder."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for stream in (process.stdout, process.stderr):
        if stream:
            stream.close()


def _read(stream: IO[str], into: list[str], hear: Hear | None) -> None:
    for line in stream:
        into.append(line.rstrip())
        if hear:
            hear(into[-1])
