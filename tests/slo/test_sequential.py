"""The bets behind the gates: none wins on average while its claim holds, and how they add up."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, hypergeom

from slo import sequential
from slo.sequential import BOLDNESS, GROUPS, OVER, RESERVE, UNDER, Sample, Wealth

shares = st.floats(0.0005, 0.5)


@st.composite
def samples(draw: st.DrawFn, most: int = 60) -> Sample:
    total = draw(st.integers(0, most))
    return Sample(draw(st.integers(0, total)), total)


@given(st.integers(1, 40), shares, st.sampled_from([0, 0.1, 0.5, 0.9, 1]))
def test_nobody_wins_on_average_against_a_share_that_is_kept(total: int, allowed: float, part: float) -> None:
    """Summed over all counts of bad requests: at most 1 where the true share is the allowed one or on its side."""
    for odds, share in ((OVER, allowed * part), (UNDER, allowed + (1 - allowed) * part)):
        wins = [np.exp(sequential.share_bets(Sample(bad, total), allowed, odds)) for bad in range(total + 1)]
        assert (binom.pmf(np.arange(total + 1), total, share) @ np.array(wins) <= 1 + 1e-9).all()


@given(st.integers(1, 30), st.integers(1, 30), st.integers(0, 60))
def test_nobody_wins_on_average_by_blaming_a_slot_that_is_like_the_other(old: int, new: int, bad: int) -> None:
    """Whatever was bad in this second, and however much of it: which slot had it is drawn from a hat."""
    bad = min(bad, old + new)
    most = [k for k in range(min(bad, new) + 1) if bad - k <= old]
    wins = [np.exp(sequential.blame_bets(Sample(bad - k, old), Sample(k, new))) for k in most]
    assert (hypergeom.pmf(most, old + new, bad, new) @ np.array(wins) <= 1 + 1e-9).all()


@pytest.mark.parametrize(("old", "new"), [(4, 4), (9, 4), (60, 40)])
def test_nobody_wins_on_average_by_a_difference_of_just_the_margin(old: int, new: int) -> None:
    """Neither by betting on more nor on less, with equal slots, unequal ones and more requests than groups."""
    margin, draw, rounds = 0.2, np.random.default_rng(1), 4000
    won = []
    for turn in range(rounds):
        was, now = Sample(draw.binomial(old, 0.3), old), Sample(draw.binomial(new, 0.3 + margin), new)
        apart = sequential.differences(was, now, (turn,))
        won.append([np.exp(sequential.worse_bets(apart, margin)), np.exp(sequential.not_worse_bets(apart, margin))])
    mean, deviation = np.mean(won, axis=0), np.std(won, axis=0) / math.sqrt(rounds)
    assert (mean <= 1 + 4 * deviation).all()


def test_groups_hold_every_request_once() -> None:
    """The mean difference over groups of one size is the difference of the shares, whatever the draw."""
    apart = sequential.differences(Sample(30, 100), Sample(20, 50), (1, 2))
    assert len(apart) == GROUPS
    assert apart.mean() == pytest.approx(20 / 50 - 30 / 100)
    assert np.array_equal(apart, sequential.differences(Sample(30, 100), Sample(20, 50), (1, 2)))
    assert len(sequential.differences(Sample(0, 0), Sample(3, 5), (1,))) == 0


@given(samples(), samples(), st.integers(0, 5))
def test_a_failure_more_is_worse_in_every_group(old: Sample, new: Sample, seed: int) -> None:
    """So no bettor on "not worse" gains by it, and none on "worse" loses."""
    if new.bad == new.total:
        return
    more = Sample(new.bad + 1, new.total)
    before, after = (sequential.differences(old, each, (seed,)) for each in (new, more))
    assert (after >= before).all()
    assert (sequential.worse_bets(after, 0.02) >= sequential.worse_bets(before, 0.02)).all()
    assert (sequential.not_worse_bets(after, 0.02) <= sequential.not_worse_bets(before, 0.02)).all()
    assert (sequential.blame_bets(old, more) >= sequential.blame_bets(old, new)).all()


@given(samples(), samples(), shares)
def test_bets_on_a_share_do_not_depend_on_where_a_second_ends(one: Sample, two: Sample, allowed: float) -> None:
    """Two looks or one look for the same requests: the same wealth."""
    apart = sequential.share_bets(one, allowed, OVER) + sequential.share_bets(two, allowed, OVER)
    assert apart == pytest.approx(sequential.share_bets(one + two, allowed, OVER), abs=1e-9)


@given(st.integers(0, 50), st.integers(0, 60), st.integers(0, 60), shares, st.sampled_from([0.05, 0.004]))
def test_what_is_over_after_two_blocks_gives_up_no_claim(
    quiet: int, one: int, two: int, allowed: float, rate: float
) -> None:
    """However bad they are, and however good it was before."""
    wealth = Wealth.start(OVER, RESERVE)
    for bad in (*[0] * quiet, one, two):
        wealth = wealth.add(sequential.share_bets(Sample(bad, 60), allowed, OVER), sequential.growth(rate))
    assert not wealth.reached(rate)


@pytest.mark.parametrize("quiet", [0, 10, 60, 100])
def test_an_outage_gives_up_the_claim_in_its_third_block(quiet: int) -> None:
    """So the care for bursts costs two seconds, and what went well before costs nothing."""
    wealth, bets = Wealth.start(OVER, RESERVE), [Sample(0, 1000)] * quiet + [Sample(500, 1000)] * 3
    reached = []
    for each in bets:
        wealth = wealth.add(sequential.share_bets(each, 0.001, OVER), sequential.growth(0.004))
        reached.append(wealth.reached(0.004))
    assert reached == [False] * quiet + [False, False, True]


@given(st.lists(st.integers(0, 1), max_size=7), st.floats(1.5, 10))
def test_neither_reserve_nor_limit_lets_anybody_win_on_average(start: list[int], growth: float) -> None:
    """From any history, over the two ways the next request can end: what is there next is at most what is there now."""
    wealth, allowed = Wealth.start(OVER, RESERVE), 0.2
    for bad in start:
        wealth = wealth.add(sequential.share_bets(Sample(bad, 1), allowed, OVER), growth)
    after = [wealth.add(sequential.share_bets(Sample(bad, 1), allowed, OVER), growth).total for bad in (0, 1)]
    assert (1 - allowed) * after[0] + allowed * after[1] <= wealth.total * (1 + 1e-9)


def test_stakes_sum_to_one() -> None:
    """Otherwise the mean of the bettors is no bet."""
    assert [sum(stakes.values()) for stakes in (OVER, UNDER, BOLDNESS)] == pytest.approx([1, 1, 1])


@pytest.mark.parametrize("rate", [0.05, 0.01])
def test_exactly_the_comparisons_needed_are_enough(rate: float) -> None:
    """And one less is not."""
    needed, wealth = sequential.comparisons_needed(0.02, rate), Wealth.start(BOLDNESS)
    one = sequential.not_worse_bets(np.zeros(1), 0.02)
    assert not wealth.add((needed - 1) * one).reached(rate)
    assert wealth.add(needed * one).reached(rate)
    more = sequential.more_comparisons(wealth.add(100 * one), 0, 0.02, rate)
    assert more is not None
    assert needed - 100 <= more < needed - 70


def test_a_share_at_its_limit_is_never_settled() -> None:
    """No number of requests is promised where none would do."""
    wealth = Wealth.start(UNDER)
    assert sequential.more_requests(wealth, 0.005, 0.005, 0.05) is None
    assert (sequential.requests_under(0.005, 0.05), sequential.more_requests(wealth, 0, 0.005, 0.05)) == (688, 751)


@pytest.mark.parametrize(("share", "rate"), [(0, 0.05), (1, 0.05), (0.02, 0), (0.02, 0.5)])
def test_a_share_or_rate_that_is_none_is_refused(share: float, rate: float) -> None:
    """Here and not in the middle of a release."""
    for needed in (sequential.comparisons_needed, sequential.requests_under):
        with pytest.raises(ValueError, match=r"not shares; write such as 0.005 and 0.05"):
            needed(share, rate)
    with pytest.raises(ValueError, match="3 bad of 2 is not a count"):
        Sample(3, 2)
