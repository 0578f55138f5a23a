"""Runs the migration command of a release; what it migrates is its own business."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from scripts.release.errors import ReleaseError

LIMIT_S = 900.0  # index builds of big tables are the slow part


def expand(command: Sequence[str], directory: Path, env: Mapping[str, str]) -> str:
    """Run `command` in `directory` to its end and return its last line; {python} is this interpreter.

    Raises ReleaseError when it cannot be run, fails, or takes too long.
    """
    argv = [sys.executable if word == "{python}" else word for word in command]
    try:
        found = subprocess.run(
            argv,
            cwd=directory,
            env={**os.environ, **env},
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
            start_new_session=True,  # ctrl-C waits for the end of a migration
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise ReleaseError(f"schema.expand could not be run: {exc}; run it by hand, then deploy again") from exc
    said = (found.stdout + found.stderr).strip().splitlines() or [""]
    if found.returncode:
        ending = "\n".join(f"  {line}" for line in said[-5:])
        raise ReleaseError(f"schema.expand ended with {found.returncode}; no slot was touched:\n{ending}\n")
    return said[-1]
