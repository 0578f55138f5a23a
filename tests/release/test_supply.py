"""Whether users' requests can feed the gates of a plan."""

from __future__ import annotations

import msgspec
import pytest

from scripts.release import engine
from scripts.release.engine import Caller
from scripts.release.errors import Undecided
from scripts.release.file import ReleaseFile, override_one
from scripts.release.step import Kind, Stage, Step
from scripts.release.supply import shortage, thinner
from scripts.release.twin import Twin


def gate(kind: Kind, share: float, requests: int = 200, limit: float = 60) -> Step:
    return Step(kind, "green", "", requests=requests, share=share, limit=limit)


def shadow(share: float) -> Step:
    return Step(Kind.HOLD, "green", "", requests=200, share=share, limit=60, stage=Stage.SHADOW)


@pytest.mark.parametrize(
    ("kind", "share", "percent"),
    [(Kind.HOLD, 5, 5), (Kind.HOLD, 75, 25), (Kind.HOLD, 50, 50), (Kind.HOLD, 100, 100), (Kind.BAKE, 100, 100)],
)
def test_a_hold_is_fed_by_the_slot_with_fewer_users(kind: Kind, share: float, percent: float) -> None:
    """At 75 % that is the old one; a bake looks at one slot only."""
    assert percent == thinner(gate(kind, share))


def test_a_hold_that_the_old_slot_can_no_longer_feed_is_a_shortage() -> None:
    """At 95 % as at 5 %."""
    for share in (5, 95):
        assert "at least 67 requests/s; 66/s come" in shortage([gate(Kind.HOLD, share)], rate=66)
        assert shortage([gate(Kind.HOLD, share)], rate=67) == ""


def test_copies_of_reads_reach_both_slots_and_writes_none() -> None:
    """Whatever the share of reads, no slot has the rest of it."""
    for share in (5, 80, 100):
        assert share == thinner(shadow(share))
    said = shortage([shadow(20)], rate=16)
    assert "needs 200 copied reads in 60 s, and 20 % of the requests are taken for reads (shadow.share)" in said
    assert "at least 17 requests/s; 16/s come" in said
    assert shortage([shadow(20)], rate=17) == ""


def of_writes(twin: Twin, file: ReleaseFile, share: float) -> ReleaseFile:
    """Users of whom one request in twenty is a read, and a release file that takes so many percent for reads."""
    twin.rate, twin.read = 40, 0.05
    settings = override_one(override_one(file.settings, "steps=[shadow, 50, 100]"), f"shadow.share={share}")
    return msgspec.structs.replace(file, settings=settings)


def test_no_shadow_is_begun_that_the_reads_of_a_service_of_writes_cannot_feed(
    twin: Twin, file: ReleaseFile, caller: Caller
) -> None:
    before = twin.observe()
    with pytest.raises(Undecided, match=r"copied reads in 60 s.*shadow\.share.*Nothing was changed"):
        engine.deploy(twin, of_writes(twin, file, 5), "1.1.0", caller)
    assert (twin.observe(), twin.calls) == (before, [])


def test_a_shadow_that_was_promised_more_reads_than_come_holds_to_its_limit(
    twin: Twin, file: ReleaseFile, caller: Caller
) -> None:
    """What the refusal spares."""
    with pytest.raises(Undecided, match="too few to say that it is not worse"):
        engine.deploy(twin, of_writes(twin, file, 100), "1.1.0", caller)
    assert twin.current.target.mirror == "green"


def test_half_of_the_requests_are_taken_for_reads_where_nobody_says(file: ReleaseFile) -> None:
    assert file.settings.shadow.share == 50


def test_no_rate_makes_up_for_a_limit_that_is_too_short() -> None:
    """A second counts as 25 comparisons at most."""
    said = shortage([gate(Kind.HOLD, 50, requests=4000)], rate=1e6)
    assert "needs 4,000 comparisons and makes 25 a second" in said
    assert "raise its limit to 160s" in said
    assert shortage([gate(Kind.HOLD, 50, requests=4000, limit=160)], rate=1e6) == ""
    assert shortage([gate(Kind.BAKE, 100, requests=4000)], rate=1e6) == ""
