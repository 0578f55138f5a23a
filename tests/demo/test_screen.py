"""The demo's live lines."""

from __future__ import annotations

from loadtest.recording import Second
from scripts.demo.screen import describe


def test_a_second_says_who_waits_still_for_those_may_fail_yet() -> None:
    """What is refused after three seconds comes too late for its own line."""
    slots = {"blue": 573}
    second = Second(82, "steady", 1035, 1035, 573, 2, 1, (), slots, 100.0, 160.6, 178.5, 11.2, 1467)
    assert "573/s  p95  160.6 ms  failed 3  in flight 1,467  blue 100%" in describe(second)
