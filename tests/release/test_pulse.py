"""A sign of life while a step says nothing."""

from __future__ import annotations

import threading
import time

import pytest

from scripts.commands.release import pulse
from scripts.commands.release.pulse import Pulse


def test_a_silent_step_is_said_to_go_on_until_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulse, "QUIET_S", 0.05)
    lines: list[str] = []
    twice = threading.Event()

    def tell(line: str) -> None:
        lines.append(line)
        if len(lines) == 2:
            twice.set()

    beat = Pulse(tell)
    with beat.beating():
        beat.begin("shift")
        assert twice.wait(10)
    said = len(lines)
    assert {line.split()[0] for line in lines} == {"shift"}
    assert "still, " in lines[0]
    time.sleep(0.2)
    assert len(lines) == said, "it goes on behind the end"


def test_whoever_speaks_is_not_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulse, "QUIET_S", 5.0)
    lines: list[str] = []
    beat = Pulse(lines.append)
    with beat.beating():
        beat.begin("shift")
        beat.tell("a line")
        time.sleep(0.2)
    assert lines == ["a line"]


def test_before_the_first_step_there_is_nothing_to_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulse, "QUIET_S", 0.02)
    lines: list[str] = []
    with Pulse(lines.append).beating():
        time.sleep(0.2)
    assert not lines


def test_a_line_that_cannot_be_written_is_left_out_and_no_other() -> None:
    """An arrow, where only ASCII can be written."""
    lines: list[str] = []

    def tell(line: str) -> None:
        line.encode("ascii")
        lines.append(line)

    beat = Pulse(tell)
    for line in ("one", "1.0.0 → 1.1.0", "two"):
        beat.tell(line)
    assert lines == ["one", "two"]
