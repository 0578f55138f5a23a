"""What a hold and a bake conclude from the seconds they have seen."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slo import sequential, watch
from slo.objective import Outcome
from slo.sequential import Sample
from slo.watch import Bake, Block, Claims, Hold, Measure

CLAIMS = Claims(margin=0.02, allowed=0.001, alarms=0.05)
ORDER = [Outcome.PASS, Outcome.INCONCLUSIVE, Outcome.FAIL]


def block(
    failed: tuple[int, int] = (0, 0), slow: tuple[int, int] = (0, 0), late: tuple[int, int] = (0, 0), each: int = 50
) -> Block:
    """A second of `each` requests to both slots."""
    bad = {Measure.FAILED: failed, Measure.SLOW: slow, Measure.LATE: late}
    return {measure: (Sample(old, each), Sample(new, each)) for measure, (old, new) in bad.items()}


def seen(*blocks: Block) -> Hold:
    hold = Hold.open(CLAIMS, late_ms=25)
    for each in blocks:
        hold = hold.add(each)
    return hold


@pytest.mark.parametrize(
    ("blocks", "outcome", "words"),
    [
        (
            [block()] * 8,
            Outcome.PASS,
            (
                "0 of 400 failed (0 %) in the new slot, 0 of 400 failed (0 %) in the old; 0 of 400 slow (0 %) in the "
                "new slot, 0 of 400 slow (0 %) in the old: not worse by 2 points"
            ),
        ),
        (
            [block()] * 4,
            Outcome.INCONCLUSIVE,
            (
                "0 of 200 failed (0 %) in the new slot, 0 of 200 failed (0 %) in the old: too few to say that it is "
                "not worse by 2 points; about 110 more requests to each are needed"
            ),
        ),
        (
            [block(failed=(0, 2))] * 8,
            Outcome.FAIL,
            (
                "16 of 400 failed (4 %) in the new slot, 0 of 400 failed (0 %) in the old: over the 0.1 % allowed, "
                "and worse than the old slot"
            ),
        ),
        (
            [block(slow=(1, 11))] * 8,
            Outcome.FAIL,
            "88 of 400 slow (22 %) in the new slot, 8 of 400 slow (2 %) in the old: worse by more than 2 points",
        ),
        (
            [block(late=(1, 11))] * 8,
            Outcome.FAIL,
            (
                "88 of 400 late (22 %) in the new slot, 8 of 400 late (2 %) in the old (over the 25 ms that it kept "
                "before): worse by more than 2 points"
            ),
        ),
        (
            [block(failed=(3, 3))] * 9,
            Outcome.INCONCLUSIVE,
            (
                "27 of 450 failed (6 %) in the new slot, 27 of 450 failed (6 %) in the old: over the 0.1 % allowed; "
                "both slots fail, so the release is not to blame"
            ),
        ),
        (
            [block(failed=(0, 1)), block()] * 7,
            Outcome.INCONCLUSIVE,
            (
                "7 of 700 failed (1 %) in the new slot, 0 of 700 failed (0 %) in the old: over the 0.1 % allowed; that "
                "the old slot is better is not sure yet"
            ),
        ),
        (
            [],
            Outcome.INCONCLUSIVE,
            (
                "0 of 0 failed in the new slot, 0 of 0 failed in the old: too few to say that it is not worse by 2 "
                "points; about 210 more requests to each are needed"
            ),
        ),
    ],
)
def test_what_a_hold_finds(blocks: list[Block], outcome: Outcome, words: str) -> None:
    found = seen(*blocks).finding
    assert (outcome, words) == (found.outcome, found.words)


def test_one_slot_alone_never_passes() -> None:
    """However many requests the other has."""
    nobody = {Measure.FAILED: (Sample(0, 5000), Sample(0, 0))}
    assert seen(*[nobody] * 60).finding.outcome is Outcome.INCONCLUSIVE


def test_latency_that_a_slot_does_not_tell_is_named() -> None:
    """And does not stop a pass."""
    found = seen(*[{Measure.FAILED: (Sample(0, 50), Sample(0, 50))}] * 8).finding
    assert found.outcome is Outcome.PASS
    assert found.words.endswith("latency was not judged: a slot tells none")


def test_exactly_the_requests_said_to_be_needed_are_enough() -> None:
    """And one less is not."""
    needed = sequential.comparisons_needed(CLAIMS.margin, CLAIMS.passes)
    blocks = [block(each=1)] * needed
    assert seen(*blocks).finding.outcome is Outcome.PASS
    assert seen(*blocks[1:]).finding.outcome is Outcome.INCONCLUSIVE


def test_a_stall_of_both_slots_neither_refuses_nor_stops_a_release() -> None:
    """Two seconds in which half of all requests fail, everywhere; then it goes on as before."""
    stall = block(failed=(25, 24), slow=(20, 22), late=(20, 22))
    blocks = [*[block()] * 5, stall, stall]
    assert seen(*blocks).finding.outcome is Outcome.INCONCLUSIVE
    after = [seen(*blocks, *[block()] * quiet).finding for quiet in range(60)]
    assert Outcome.FAIL not in {each.outcome for each in after}
    assert after[-1].outcome is Outcome.PASS


def test_the_next_hold_keeps_what_speaks_against_a_release_and_nothing_that_speaks_for_it() -> None:
    """Six failures in each of two holds refuse it together; a pass is each hold's own."""
    some = [block(failed=(0, 1))] * 6
    first = seen(*some)
    assert first.finding.outcome is Outcome.INCONCLUSIVE
    again = first.again()
    for each in some:
        again = again.add(each)
    assert again.finding.outcome is Outcome.FAIL
    assert again.finding.words.startswith("12 of 600 failed")
    passed = seen(*[block()] * 8)
    assert (passed.finding.outcome, passed.again().finding.outcome) == (Outcome.PASS, Outcome.INCONCLUSIVE)


blocks = st.lists(
    st.builds(
        lambda old, new, slow, each: block((min(old, each), min(new, each)), (0, min(slow, each)), each=each),
        st.integers(0, 3),
        st.integers(0, 3),
        st.integers(0, 3),
        st.integers(1, 60),
    ),
    min_size=1,
    max_size=12,
)


@given(blocks, st.integers(0, 11))
def test_a_failure_more_in_the_new_slot_never_helps_it(seconds: list[Block], where: int) -> None:
    """The outcome only moves from pass to fail as one answer turns into a failure."""
    where %= len(seconds)
    old, new = seconds[where][Measure.FAILED]
    if new.bad < new.total:
        worse = {**seconds[where], Measure.FAILED: (old, Sample(new.bad + 1, new.total))}
        after = seen(*seconds[:where], worse, *seconds[where + 1 :]).finding
        assert ORDER.index(seen(*seconds).finding.outcome) <= ORDER.index(after.outcome)


def baked(*seconds: Sample) -> Bake:
    bake = Bake.open(0.005, alarms=0.05)
    for each in seconds:
        bake = bake.add(each)
    return bake


@pytest.mark.parametrize(
    ("seconds", "outcome", "words"),
    [
        ([Sample(0, 100)] * 8, Outcome.PASS, "0 of 800 failed (0 %): under the 0.5 % allowed"),
        (
            [Sample(0, 100)] * 3,
            Outcome.INCONCLUSIVE,
            "0 of 300 failed (0 %): not surely under the 0.5 % allowed; about 460 more requests are needed",
        ),
        (
            [Sample(0, 100), Sample(60, 100), Sample(50, 100), Sample(0, 100)],
            Outcome.INCONCLUSIVE,
            "110 of 400 failed (27.5 %): not surely under the 0.5 % allowed; at this share it never will be",
        ),
        (
            [Sample(0, 100), *[Sample(20, 100)] * 3],
            Outcome.FAIL,
            "60 of 400 failed (15 %): over the 0.5 % allowed",
        ),
        (
            [],
            Outcome.INCONCLUSIVE,
            "0 of 0 failed: not surely under the 0.5 % allowed; about 760 more requests are needed",
        ),
    ],
)
def test_what_a_bake_finds(seconds: list[Sample], outcome: Outcome, words: str) -> None:
    found = baked(*seconds).finding
    assert (outcome, words) == (found.outcome, found.words)


@pytest.mark.parametrize(
    "ill",
    [
        block(late=(0, 25)),
        block(slow=(0, 50), late=(0, 50)),
        block(failed=(20, 21), slow=(9, 25)),
        block(failed=(50, 50)),
    ],
)
def test_two_bad_seconds_refuse_nothing(ill: Block) -> None:
    """Failures of both slots, slow answers of one, and any in a bake: the seconds after them tell."""
    for good in range(0, 60, 10):
        assert seen(*[block()] * good, ill, ill).finding.outcome is not Outcome.FAIL
        assert baked(*[Sample(0, 50)] * good, *[Sample(50, 50)] * 2).finding.outcome is not Outcome.FAIL


def test_failures_of_the_new_slot_alone_are_not_waited_for() -> None:
    """The old one has none in the same second: no burst of the service explains it."""
    assert seen(*[block()] * 30, block(failed=(0, 25))).finding.outcome is Outcome.FAIL


@pytest.mark.parametrize("good", [0, 10, 60])
def test_what_goes_on_is_refused_within_two_seconds_more(good: int) -> None:
    """The care for bursts costs no more than that, however long all went well."""
    late = block(late=(0, 40))
    assert seen(*[block()] * good, *[late] * 4).finding.outcome is Outcome.FAIL
    assert baked(*[Sample(0, 500)] * good, *[Sample(100, 500)] * 4).finding.outcome is Outcome.FAIL


def test_the_latency_compared_is_one_that_the_old_slot_kept() -> None:
    """95 % of its answers, and enough of them; the infinite bound says nothing."""
    answers = {10.0: 600, 25.0: 949, 50.0: 950, math.inf: 1000}
    assert watch.kept_ms(answers) == 50
    assert watch.kept_ms({**answers, 50.0: 949}) is None
    assert watch.kept_ms({50.0: 999, math.inf: 999}) is None
    assert watch.kept_ms(None) is None


@pytest.mark.parametrize("claims", [Claims(0, 0.001, 0.01), Claims(0.02, 1, 0.01), Claims(0.02, 0.001, 0)])
def test_claims_that_are_no_shares_are_refused(claims: Claims) -> None:
    """Before the first user is in a hold."""
    with pytest.raises(ValueError, match="not shares"):
        Hold.open(claims)
