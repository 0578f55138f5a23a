"""Whether users' requests can feed the gates of a plan."""

from __future__ import annotations

import pytest

from scripts.release.step import Kind, Step
from scripts.release.supply import shortage, thinner


def gate(kind: Kind, share: float, requests: int = 200, limit: float = 60) -> Step:
    return Step(kind, "green", "", requests=requests, share=share, limit=limit)


@pytest.mark.parametrize(
    ("kind", "share", "percent"),
    [(Kind.HOLD, 5, 5), (Kind.HOLD, 75, 25), (Kind.HOLD, 50, 50), (Kind.HOLD, 100, 100), (Kind.BAKE, 100, 100)],
)
def test_a_hold_is_fed_by_the_slot_with_fewer_users(kind: Kind, share: float, percent: float) -> None:
    """At 75 % that is the old one; copies of all reads reach both, and a bake looks at one slot only."""
    assert percent == thinner(gate(kind, share))


def test_a_hold_that_the_old_slot_can_no_longer_feed_is_a_shortage() -> None:
    """At 95 % as at 5 %."""
    for share in (5, 95):
        assert "at least 67 requests/s; 66/s come" in shortage([gate(Kind.HOLD, share)], rate=66)
        assert shortage([gate(Kind.HOLD, share)], rate=67) == ""


def test_no_rate_makes_up_for_a_limit_that_is_too_short() -> None:
    """A second counts as 25 comparisons at most."""
    said = shortage([gate(Kind.HOLD, 50, requests=4000)], rate=1e6)
    assert "needs 4,000 comparisons and makes 25 a second" in said
    assert "raise its limit to 160s" in said
    assert shortage([gate(Kind.HOLD, 50, requests=4000, limit=160)], rate=1e6) == ""
    assert shortage([gate(Kind.BAKE, 100, requests=4000)], rate=1e6) == ""
