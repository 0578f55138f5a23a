"""Runs the migration command of a release; what it migrates is its own business."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from loadtest.launch import give_way
from scripts.release.errors import ReleaseError

LIMIT_S = 900.0  # index builds of big tables are the slow part


def expand(command: Sequence[str], directory: Path, env: Mapping[str, str]) -> str:
    """Run `command` in `directory` to its end and return its last line; {python} is this interpreter.

    What it says on stderr, such as a warning behind its last line, counts only where it says nothing else.
    Raises ReleaseError when it cannot be run, fails, or takes too long: then all of its session is ended.
    """
    argv = [sys.executable if word == "{python}" else word for word in command]
    try:
        with subprocess.Popen(
            argv,
            cwd=directory,
            env={**os.environ, **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # ctrl-C waits for the end of a migration, and a time-out ends all of it
        ) as process:
            give_way(process.pid)  # its imports must not cost the live slot's users their answers
            out, err = _said(process)
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise ReleaseError(f"schema.expand could not be run: {exc}; run it by hand, then deploy again") from exc
    if process.returncode:
        ending = "\n".join(f"  {line}" for line in [*out, *err][-5:])
        raise ReleaseError(f"schema.expand ended with {process.returncode}; no slot was touched:\n{ending}\n")
    return (out or err or [""])[-1]


def _said(process: subprocess.Popen[str]) -> tuple[list[str], list[str]]:
    """The lines of stdout and of stderr."""
    try:
        out, err = process.communicate(timeout=LIMIT_S)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # a shell's migration would go on without it
        raise
    return out.strip().splitlines(), err.strip().splitlines()
