"""Bounds hold the truth as often as they say, for independent failures and for bursts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slo.bounds import block_bootstrap, clopper_pearson, wider
from slo.budget import budget_burnt, budget_seconds, burn_rate, requests_needed
from slo.objective import Bounds

counts = st.integers(1, 100_000).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total)))
seconds = st.lists(
    st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), min_size=1, max_size=80
)
intervals = st.tuples(st.floats(0, 1), st.floats(0, 1)).map(lambda pair: Bounds(min(pair), max(pair)))


@pytest.mark.parametrize(
    ("bad", "total", "upper"),
    [
        (0, 3000, 0.000998),
        (1, 5000, 0.000948),
        (4, 10_000, 0.000915),
        (20, 30_000, 0.000969),
        (47, 60_000, 0.000999),
        (48, 60_000, 0.001017),
        (559, 600_000, 0.000999),
        (38, 1000, 0.0495),
        (460, 10_000, 0.0496),
        (2910, 60_000, 0.04997),
        (5, 5, 1.0),
    ],
)
def test_upper_bounds_of_known_samples(bad: int, total: int, upper: float) -> None:
    """The one-sided 95 % bounds that the claims of the project rest on."""
    assert clopper_pearson(bad, total).upper == pytest.approx(upper, rel=1e-3)


def test_without_failures_the_bound_is_the_rule_of_three() -> None:
    """Closed form: 1 - 0.05^(1/n) above, 0 below; mirrored when all failed."""
    assert clopper_pearson(0, 3000).upper == pytest.approx(1 - 0.05 ** (1 / 3000))
    assert clopper_pearson(0, 3000).lower == 0
    assert clopper_pearson(3000, 3000).lower == pytest.approx(0.05 ** (1 / 3000))


@pytest.mark.parametrize(("bad", "total"), [(-1, 5), (6, 5), (0, 0)])
def test_impossible_counts_are_refused(bad: int, total: int) -> None:
    """No bound is made up for counts that cannot be."""
    with pytest.raises(ValueError, match="is not a count; give 0 <= bad <= total"):
        clopper_pearson(bad, total)


@given(counts, st.floats(0.6, 0.999))
def test_exact_bounds_hold_the_measured_share(count: tuple[int, int], confidence: float) -> None:
    """Lower <= measured share <= upper, inside 0 and 1."""
    bad, total = count
    bounds = clopper_pearson(bad, total, confidence)
    assert 0 <= bounds.lower <= bad / total <= bounds.upper <= 1


@given(counts.filter(lambda c: c[0] < c[1]))
def test_one_more_failure_raises_both_bounds(count: tuple[int, int]) -> None:
    """More bad requests of the same total never make a service look better."""
    less, more = clopper_pearson(*count), clopper_pearson(count[0] + 1, count[1])
    assert less.lower < more.lower
    assert less.upper < more.upper or more.upper == 1


@given(counts)
def test_more_confidence_widens(count: tuple[int, int]) -> None:
    """Bounds at 99 % hold those at 95 %."""
    sure, surer = clopper_pearson(*count), clopper_pearson(*count, 0.99)
    assert surer == wider(sure, surer)


@given(intervals, intervals)
def test_wider_holds_both_and_nothing_more(a: Bounds, b: Bounds) -> None:
    """Each end is an end of one of the two, in either order."""
    both = wider(a, b)
    assert both == wider(b, a)
    assert both.lower == min(a.lower, b.lower)
    assert both.upper == max(a.upper, b.upper)


@given(seconds)
def test_bootstrap_stays_among_the_seconds_and_repeats(blocks: list[tuple[int, int]]) -> None:
    """No bound lies beyond the best or the worst second, and the same counts give the same bounds."""
    bounds = block_bootstrap(blocks)
    shares = [bad / total for bad, total in blocks]
    assert min(shares) - 1e-12 <= bounds.lower <= bounds.upper <= max(shares) + 1e-12
    assert bounds == block_bootstrap([*blocks, (0, 0)])


def test_bootstrap_without_requests_is_refused() -> None:
    """Seconds without requests say nothing."""
    with pytest.raises(ValueError, match="no block holds a request"):
        block_bootstrap([(0, 0)])


def test_a_long_run_is_drawn_in_longer_blocks() -> None:
    """A day of seconds gives much the same bounds as the same counts by two and a half minutes."""
    rng = np.random.default_rng(3)
    day = [(int(b), 100) for b in rng.binomial(100, 0.01, 86_400)]
    coarse = [(sum(b for b, _ in day[i : i + 144]), 14_400) for i in range(0, len(day), 144)]
    assert block_bootstrap(day) == block_bootstrap(coarse)


def bursty(rng: np.random.Generator) -> tuple[list[tuple[int, int]], float]:
    """A minute at 1,000/s in which one second in ten stalls and spoils 20 to 80 % of its requests; the true share."""
    spoilt = np.where(rng.random(60) < 0.1, rng.uniform(0.2, 0.8, 60), 0.001)
    total = rng.poisson(1000, 60) + 1
    return list(zip(rng.binomial(total, spoilt).tolist(), total.tolist(), strict=True)), 0.1 * 0.5 + 0.9 * 0.001


def test_bursts_need_the_bootstrap() -> None:
    """Over 300 bursty minutes the judged bounds hold the truth in 90 % or more; exact ones alone in under 70 %."""
    rng = np.random.default_rng(11)
    held = {"exact": 0, "below": 0, "above": 0}
    for _ in range(300):
        blocks, truth = bursty(rng)
        exact = clopper_pearson(sum(b for b, _ in blocks), sum(t for _, t in blocks))
        bounds = wider(exact, block_bootstrap(blocks))
        held["exact"] += truth <= exact.upper
        held["below"] += bounds.lower <= truth
        held["above"] += truth <= bounds.upper
    assert held["exact"] < 0.7 * 300
    assert held["below"] >= 0.9 * 300
    assert held["above"] >= 0.9 * 300


@pytest.mark.parametrize(
    ("allowed", "expected", "needed"),
    [(0.001, 0.0, 2995), (0.05, 0.0, 59), (0.001, 0.001, None), (0.001, 1.0, 1), (0.001, 0.00099999999, None)],
)
def test_requests_needed_for_a_claim(allowed: float, expected: float, needed: int | None) -> None:
    """The least sample that proves the claim; none where the share sits on the target."""
    assert needed == requests_needed(allowed, expected)


@given(st.floats(0.0005, 0.2), st.floats(0, 3).filter(lambda x: abs(x - 1) > 0.1))
@settings(max_examples=50)
def test_requests_needed_is_the_least(allowed: float, ratio: float) -> None:
    """As many settle it, one fewer does not, on either side of the target."""
    expected = allowed * ratio
    needed = requests_needed(allowed, expected)
    assert needed is not None

    def settled(total: int) -> bool:
        bounds = clopper_pearson(expected * total, total)
        return bounds.upper <= allowed if ratio < 1 else bounds.lower > allowed

    assert settled(needed)
    assert needed == 1 or not settled(needed - 1)


def test_budget_arithmetic_of_three_nines() -> None:
    """43.2 minutes in 30 days; at burn rate 14.4 an hour costs 2 % of them."""
    assert budget_seconds(0.001, 30) == pytest.approx(43.2 * 60)
    assert burn_rate(144, 10_000, 0.001) == pytest.approx(14.4)
    assert budget_burnt(14.4, 3600, 30) == pytest.approx(0.02)
    with pytest.raises(ValueError, match="empty sample"):
        burn_rate(0, 0, 0.001)
