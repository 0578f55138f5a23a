"""The migration command of a release, as a process."""

from __future__ import annotations

import time
from pathlib import Path

import psutil
import pytest

from scripts.release import expand as expansion
from scripts.release.errors import ReleaseError
from scripts.release.expand import expand
from scripts.release.levels import reached


def test_a_migration_over_its_limit_is_ended_with_everything_it_began(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shell between would die alone, and what it started go on with the database after the lock was let go."""
    monkeypatch.setattr(expansion, "LIMIT_S", 5.0)
    begun = tmp_path / "pid"
    with pytest.raises(ReleaseError, match=r"schema\.expand could not be run: .*timed out"):
        expand(["sh", "-c", f"sleep 600 & echo $! > {begun}; wait"], tmp_path, {})
    assert ended(int(begun.read_text()))


def test_a_warning_behind_its_last_line_does_not_hide_the_level_it_stopped_at(tmp_path: Path) -> None:
    """Otherwise a migration that stopped before schema.max would count as one that reached it."""
    assert reached(expand(["sh", "-c", "echo schema level 2; echo be warned >&2"], tmp_path, {})) == 2
    assert reached(expand(["sh", "-c", "echo schema level 2 >&2"], tmp_path, {})) == 2


def test_a_migration_that_fails_says_why_on_either_stream(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match=r"ended with 3; no slot was touched:\n  half way\n  no room\n"):
        expand(["sh", "-c", "echo half way; echo no room >&2; exit 3"], tmp_path, {})


def ended(pid: int) -> bool:
    """Whether a process ends soon; one that nobody has waited for yet has ended."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.02)
    psutil.Process(pid).kill()
    return False
