"""What a master prints is what is read back from its log."""

from __future__ import annotations

import random

import pytest
from msgspec.structs import replace

from loadtest.distributed import log
from loadtest.recording import Recording, Second
from tests.report import example

SECOND = Second(3, "steady", 10, 10, 10, 0, 0, (), {"blue": 10}, 1.0, 2.0, 3.0, 0.5, 1)


def long() -> Recording:
    """One that takes many lines: nothing in it packs well."""
    return replace(example.recording(), run_id=random.Random(1).randbytes(40_000).hex())


def test_what_is_said_is_read_among_the_lines_of_others() -> None:
    """Notes, seconds, the recording; and text that looks like nothing of ours."""
    lines = [
        log.waiting("waiting for 2 workers\nor so"),
        "2026-11-24 18:20:53,061 locust.runners vm reported as ready",
        log.second(SECOND),
        *log.recording(long()),
        "primetrade something else",
    ]
    found = log.read("\n".join(lines))
    assert (["waiting for 2 workers\nor so"], True, [SECOND]) == (found.notes, found.waiting, found.seconds)
    assert long() == found.recording
    assert max(map(len, lines)) < 16 * 1024
    assert len(lines) > 10


@pytest.mark.parametrize("lost", [0, 3, -2])
def test_a_recording_that_lacks_a_line_is_no_recording(lost: int) -> None:
    """A log that was rotated away under its reader."""
    lines = list(log.recording(long()))
    del lines[lost]
    with pytest.raises(log.GarbledLog, match="was cut"):
        log.read("\n".join(lines))


def test_the_end_of_a_log_shows_that_the_last_word_was_said() -> None:
    """The recording itself is not looked for in a part."""
    lines = [log.note("begun"), *log.recording(long())]
    found = log.read("\n".join(lines[-3:]), whole=False)
    assert (True, None) == (found.over, found.recording)
    assert not log.read("\n".join(lines[:-1]), whole=False).over


def test_a_log_that_is_read_while_it_grows_is_no_error() -> None:
    """Cut anywhere: in a second, and before the end of the recording."""
    lines = [log.second(SECOND), *log.recording(long())]
    found = log.read("\n".join(lines[:-1]) + "\n" + lines[-1][:-5])
    assert (None, [SECOND]) == (found.recording, found.seconds)
    assert [] == log.read(lines[0][:-5]).seconds


@pytest.mark.parametrize("kind", ["refused", "invalid"])
def test_the_last_word_of_a_master_without_a_recording_is_read(kind: str) -> None:
    """Why there is none."""
    found = log.read(getattr(log, kind)("no such target"))
    assert ("no such target", True) == (getattr(found, kind), found.over)
