"""How often the gates err on simulated traffic: the reduced form of `python -m tests.bench alarms`."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from slo import sequential
from slo.objective import Outcome
from slo.sequential import BOLDNESS, OVER, RESERVE, Sample, Wealth
from tests.bench.alarms import ERROR_RATE, RATES, released
from tests.bench.traffic import MODELS, RELEASES, Release

CERTAIN = 0.9999  # a count of errors that a true rate of ERROR_RATE does not show more often than this
DOUBT = 0.01  # the chance that a rate of ERROR_RATE, or of more, is taken for less


def most(runs: int, rate: float = ERROR_RATE) -> int:
    return int(binom.ppf(CERTAIN, runs, rate))


@pytest.mark.parametrize("model", MODELS)
def test_good_releases_are_refused_no_oftener_than_stated(model: str) -> None:
    """Whole releases, a look a second, where each request is by itself, as recorded, and with stalls of both slots."""
    draw, seconds = np.random.default_rng(3), MODELS[model]()
    runs = [released(seconds, RELEASES[0], 300, draw) for _ in range(60)]
    assert sum(run.outcome is Outcome.FAIL for run in runs) <= most(len(runs))
    assert sum(run.outcome is Outcome.PASS for run in runs) >= 40


def fewest(runs: int, rate: float = ERROR_RATE) -> int:
    """Errors so few that a true rate of `rate`, or of more, shows no more in one of a hundred samples at most.

    So many or fewer are the evidence that the rate is under `rate`: a binomial test, whose null hypothesis is that the
    promise is broken.
    """
    return max(count for count in range(-1, runs) if binom.cdf(count, runs, rate) <= DOUBT)


def test_what_counts_as_evidence_is_far_from_what_is_only_no_evidence_against() -> None:
    """Of 350 releases 17 would be 5 %: 8 prove less, and 34 would not prove more."""
    assert (fewest(350), most(350)) == (8, 34)
    assert fewest(50) == -1  # too few runs prove nothing


@pytest.mark.faults
@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("model", MODELS)
def test_that_good_releases_are_refused_less_often_than_stated_is_proven_at_every_rate(model: str, rate: int) -> None:
    """350 whole releases each: were one in twenty refused, so few refusals would be seen in one of 100 such samples."""
    draw, seconds = np.random.default_rng([7, rate]), MODELS[model]()
    runs = [released(seconds, RELEASES[0], rate, draw) for _ in range(350)]
    assert sum(run.outcome is Outcome.FAIL for run in runs) <= fewest(len(runs))
    assert sum(run.outcome is Outcome.PASS for run in runs) >= len(runs) / 2


@pytest.mark.parametrize("model", MODELS)
def test_releases_worse_than_the_margin_go_live_no_oftener_than_stated(model: str) -> None:
    """Three points more failures, or slow answers, than the old slot's, where two are allowed."""
    draw, seconds = np.random.default_rng(4), MODELS[model]()
    for bad in (Release("3 % errors", errors=0.03), Release("+400 ms", later_ms=400)):
        runs = [released(seconds, bad, 300, draw) for _ in range(40)]
        assert sum(run.outcome is Outcome.PASS for run in runs) <= most(len(runs))
        assert sum(run.outcome is Outcome.FAIL for run in runs) >= 30


@pytest.mark.parametrize(("old", "new", "share"), [(95, 5, 0.0), (50, 50, 0.1)])
def test_a_slot_worse_by_just_the_margin_passes_at_any_of_many_looks_no_oftener_than_stated(
    old: int, new: int, share: float
) -> None:
    """A minute of looks, each of which may pass it; and as many that may refuse it, by the claim turned round."""
    draw, margin, runs = np.random.default_rng(5), 0.02, 300
    passed = refused = 0
    for run in range(runs):
        fine, worse = Wealth.start(BOLDNESS), Wealth.start(BOLDNESS, RESERVE)
        found = [False, False]
        for second in range(60):
            was, now = Sample(draw.binomial(old, share), old), Sample(draw.binomial(new, share + margin), new)
            apart = sequential.differences(was, now, (run, second))
            fine = fine.add(sequential.not_worse_bets(apart, margin))
            worse = worse.add(sequential.worse_bets(apart, margin), sequential.growth(ERROR_RATE))
            found = [found[0] or fine.reached(ERROR_RATE), found[1] or worse.reached(ERROR_RATE)]
        passed, refused = passed + found[0], refused + found[1]
    assert passed <= most(runs)
    assert refused <= most(runs)


def test_bursts_of_both_slots_blame_neither_however_often_one_looks() -> None:
    """Seconds in which a tenth to all requests fail, in both slots, at random; 300 looks each."""
    draw, blamed = np.random.default_rng(6), 0
    for _ in range(300):
        wealth, found = Wealth.start(OVER), False
        for share in draw.beta(0.1, 1, 300):
            old, new = Sample(draw.binomial(90, share), 90), Sample(draw.binomial(10, share), 10)
            wealth = wealth.add(sequential.blame_bets(old, new))
            found = found or wealth.reached(ERROR_RATE)
        blamed += found
    assert 0 < blamed <= most(300)
