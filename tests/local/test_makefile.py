"""What `make` does to a machine before and after everything else: make the environment, clean up."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from scripts.local.processes import marked, start
from scripts.local.state import ROOT, new_state, write_state


def make(where: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the repository's Makefile in another folder, without what an outer make passes on."""
    program = shutil.which("make")
    assert program
    return subprocess.run(
        [program, "-f", str(ROOT / "Makefile"), *arguments],
        cwd=where,
        env={"PATH": os.environ["PATH"], "HOME": str(where), **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def program(path: Path, script: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o700)


def test_clean_ends_every_system_before_it_deletes_it(tmp_path: Path) -> None:
    """A demo that was kept is ended too, not left running without its folder."""
    program(tmp_path / ".venv/bin/primetrade", f"PYTHONPATH='{ROOT}' exec '{sys.executable}' -m scripts.cli \"$@\"")
    homes = [tmp_path / ".local", tmp_path / ".local" / "demo"]
    for home in homes:
        home.mkdir()
        write_state(new_state(home))
        start(home, "slot-blue", ["sleep", "60"])
    done = make(tmp_path, "clean", PRIMETRADE_LOCAL=str(tmp_path / "elsewhere"))
    assert done.returncode == 0, done.stderr
    assert [[], []] == [marked(home) for home in homes]
    assert not (tmp_path / ".local").exists()


def test_a_failed_environment_is_not_taken_for_one(tmp_path: Path) -> None:
    """Debian's python without python3-venv leaves half of it: it is removed, and the package is named."""
    program(tmp_path / "half-python", "mkdir -p .venv/bin; touch .venv/bin/python; exit 1")
    done = make(tmp_path, ".venv/bin/python", "PYTHON=./half-python")
    assert done.returncode != 0
    assert "apt install python3-venv" in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_a_python_too_new_for_the_locks_is_not_taken(tmp_path: Path) -> None:
    """The search keeps to pyproject's range, and says so when it finds none."""
    newer = "import sys; sys.version_info = (3, 14, 0); exec(sys.argv[1])"
    program(tmp_path / "bin/python3", f"exec '{sys.executable}' -c '{newer}' \"$2\"")
    done = make(tmp_path, ".venv/bin/python", PATH=str(tmp_path / "bin"))
    assert done.returncode != 0
    assert "Python 3.11, 3.12 or 3.13 with venv is needed" in done.stderr
