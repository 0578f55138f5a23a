"""The bound of a median difference: right error rates, and as much certainty as the answers allow."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu

from scripts.release.median import repeats_needed, slower
from slo.objective import Outcome

SIZES = st.integers(3, 12)


@given(SIZES, SIZES, st.floats(-60, 60), st.integers(0, 10**9))
def test_it_decides_as_the_rank_test_of_mann_and_whitney(m: int, n: int, more: float, seed: int) -> None:
    """With the exact p-values of scipy, around the place where it turns."""
    source = random.Random(seed)
    old, new = ([source.uniform(0, 100) + base for _ in range(size)] for size, base in ((m, 0), (n, 20 + more)))
    moved = [ms - 20 for ms in new]
    less, greater = (mannwhitneyu(moved, old, alternative=way, method="exact").pvalue for way in ("less", "greater"))
    expected = Outcome.PASS if less <= 0.05 else Outcome.FAIL if greater <= 0.05 else Outcome.INCONCLUSIVE
    assert expected is slower(old, new, 20).outcome


@pytest.mark.parametrize(("truly", "wrong"), [(10.001, Outcome.PASS), (9.999, Outcome.FAIL)])
def test_the_error_rate_is_what_is_promised(truly: float, wrong: Outcome) -> None:
    """On skewed times with stalls; 5 % of 1,500, and three standard deviations for chance."""
    source = random.Random(7)

    def times(more: float) -> list[float]:
        return [source.lognormvariate(2.5, 0.5) + (source.random() < 0.1) * 200 + more for _ in range(10)]

    found = [slower(times(0), times(truly), 10).outcome for _ in range(1500)]
    assert found.count(wrong) <= 75 + 26


def test_many_comparisons_share_the_chance_to_refuse_a_good_release() -> None:
    old, new = [1.0, 2.0, 3.0, 4.0], [21.0, 22.0, 23.0, 24.0]
    assert slower(old, new, 10).outcome is Outcome.FAIL
    assert slower(old, new, 10, comparisons=10).words.endswith("at least 5 of each are needed")
    assert (repeats_needed(), repeats_needed(comparisons=10)) == (3, 5)


@pytest.mark.parametrize(
    ("new", "outcome", "says"),
    [
        ([12.0, 13.0, 12.5, 13.5], Outcome.PASS, "with 95 % confidence between 0.5 and 3 ms slower, 5 allowed"),
        ([32.0, 33.0, 32.5, 33.5], Outcome.FAIL, "median 11.2 ms in the old slot, 32.8 ms in the new"),
        ([14.0, 17.0, 14.5, 15.0], Outcome.INCONCLUSIVE, "answers of each are needed"),
        ([12.0], Outcome.INCONCLUSIVE, "4 answers of the old slot and 1 of the new one cannot decide; at least 3 of"),
    ],
)
def test_the_words_say_what_was_found_and_what_is_missing(new: list[float], outcome: Outcome, says: str) -> None:
    found = slower([10.0, 11.0, 11.5, 11.6], new, 5)
    assert found.outcome is outcome
    assert says in found.words
    assert (found.needed is None) == (outcome is not Outcome.INCONCLUSIVE)


def test_the_number_it_asks_for_usually_decides() -> None:
    source = random.Random(3)

    def pair(n: int) -> tuple[list[float], list[float]]:
        return [source.gauss(50, 10) for _ in range(n)], [source.gauss(53, 10) for _ in range(n)]

    asked = [needed for _ in range(30) if (needed := slower(*pair(6), 10).needed)]
    assert len(asked) > 10
    decided = [slower(*pair(needed), 10).outcome is not Outcome.INCONCLUSIVE for needed in asked if needed < 200]
    assert sum(decided) > len(decided) / 2


def test_one_stalled_answer_does_not_decide() -> None:
    old = [10.0 + i / 10 for i in range(10)]
    assert slower(old, [*old[:9], 5000.0], 5).outcome is Outcome.PASS


def test_a_difference_that_is_just_the_allowed_one_asks_for_no_number() -> None:
    found = slower([1.0, 2.0, 3.0], [11.0, 12.0, 13.0], 10)
    assert (found.outcome, found.needed) == (Outcome.INCONCLUSIVE, None)
    assert found.words.endswith("so close to it, 1,000 may be too few")
