"""A release whose listener is lost: the run goes on to its end."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from scripts.commands.release.pulse import Pulse
from scripts.release.file import ReleaseFile

DRIVER: Final = str(Path(__file__).with_name("unheard.py"))


@pytest.mark.parametrize("lost", ["pipe", "disk"])
def test_users_are_brought_back_though_nobody_can_be_told(file: ReleaseFile, lost: str) -> None:
    """The terminal is gone, or the disk of the log is full, when the bake refuses the release."""
    argv = [sys.executable, DRIVER, str(file.path), lost]
    found = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert found.stderr == "Reverted; blue 100 %, green 0 %; reverted\n"


@pytest.mark.parametrize("error", [OSError(5, "lost"), ValueError("I/O on closed file"), SystemExit(1)])
def test_what_could_not_be_said_is_the_last_that_is_tried(error: BaseException) -> None:
    tried: list[str] = []

    def say(line: str) -> None:
        tried.append(line)
        raise error

    pulse = Pulse(say)
    pulse.tell("one")
    pulse.tell("two")
    assert tried == ["one"]
