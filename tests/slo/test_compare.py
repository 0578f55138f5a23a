"""The comparison of two slots passes what is not worse, fails what is, and admits when it cannot tell."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slo.compare import Counts, compare_routes, compare_slots, over, requests_per_slot, to_blame
from slo.objective import Outcome
from slo.watch import Measure

MARGIN = 0.005
ORDER = [Outcome.PASS, Outcome.INCONCLUSIVE, Outcome.FAIL]
slots = st.builds(Counts, st.integers(1, 20_000), st.integers(0, 400))


@pytest.mark.parametrize(
    ("old", "new", "outcome", "words"),
    [
        (
            Counts(6000, 0),
            Counts(6000, 0),
            Outcome.PASS,
            (
                "0 of 6,000 failed (0 %) in the new slot, 0 of 6,000 failed (0 %) in the old; with 95 % confidence at "
                "most 0.0499 points worse, 0.5 allowed: pass"
            ),
        ),
        (
            Counts(3000, 0),
            Counts(2940, 60),
            Outcome.FAIL,
            (
                "60 of 3,000 failed (2 %) in the new slot, 0 of 3,000 failed (0 %) in the old; with 95 % confidence at "
                "least 1.59 points worse, 0.5 allowed: fail"
            ),
        ),
        (
            Counts(300, 0),
            Counts(300, 0),
            Outcome.INCONCLUSIVE,
            (
                "0 of 300 failed (0 %) in the new slot, 0 of 300 failed (0 %) in the old; with 95 % confidence between "
                "-0.994 and 0.994 points worse, 0.5 allowed: inconclusive; about 600 requests per slot are needed"
            ),
        ),
        (
            Counts(0, 0),
            Counts(300, 0),
            Outcome.INCONCLUSIVE,
            "the old slot has no requests to compare: inconclusive; about 600 requests per slot are needed",
        ),
        (
            Counts(3000, 0),
            Counts(3000, 10),
            Outcome.INCONCLUSIVE,
            (
                "10 of 3,010 failed (0.332 %) in the new slot, 0 of 3,000 failed (0 %) in the old; with 95 % "
                "confidence between 0.15 and 0.563 points worse, 0.5 allowed: inconclusive; 3,000 requests per slot "
                "let an equally good one pass in 80 of 100 cases, not in this"
            ),
        ),
    ],
)
def test_outcome_and_words(old: Counts, new: Counts, outcome: Outcome, words: str) -> None:
    """Four situations a gate meets, and the sentence it prints."""
    found = compare_slots(old, new, MARGIN)
    assert (outcome, words) == (found.outcome, found.words)


def test_newcombes_own_example_with_exact_limits() -> None:
    """Newcombe 1998, table II (a): 56/70 and 48/80 are 0.2 apart, 0.0524 to 0.3339 by score; exact is a bit wider."""
    found = compare_slots(Counts(32, 48), Counts(14, 56), 0.1, (0.025, 0.025))
    assert found.difference == pytest.approx(0.2)
    assert found.bounds is not None
    assert 0.03 < found.bounds.lower < 0.0524
    assert 0.3339 < found.bounds.upper < 0.35


def test_slow_answers_are_compared_among_those_that_did_not_fail() -> None:
    """A slot that fails fast is not thereby faster."""
    old, new = Counts(3000, 0, 20), Counts(3000, 900, 90)
    slow = compare_slots(old, new, 0.01, measure=Measure.SLOW)
    assert (slow.outcome, slow.words[:22]) == (Outcome.FAIL, "90 of 3,000 slow (3 %)")


@given(slots, slots)
def test_swapping_the_slots_mirrors_the_interval(old: Counts, new: Counts) -> None:
    """What is at most x worse one way is at least -x worse the other way."""
    there, back = compare_slots(old, new, MARGIN), compare_slots(new, old, MARGIN)
    assert there.bounds is not None
    assert back.bounds is not None
    assert there.difference == pytest.approx(-(back.difference or 0))
    assert there.bounds.upper == pytest.approx(-back.bounds.lower)
    assert not there.outcome is back.outcome is Outcome.FAIL


@given(slots, slots)
def test_more_failures_in_the_new_slot_never_help_it(old: Counts, new: Counts) -> None:
    """The outcome only moves from pass to fail as answers turn into failures."""
    worse = Counts(new.ok - 1, new.failed + 1)
    before, after = (ORDER.index(compare_slots(old, slot, MARGIN).outcome) for slot in (new, worse))
    assert before <= after


@given(slots, slots)
def test_a_smaller_error_rate_decides_less(old: Counts, new: Counts) -> None:
    """What is decided at 1 % is decided the same way at 5 %."""
    strict = compare_slots(old, new, MARGIN, (0.01, 0.01)).outcome
    assert strict in {Outcome.INCONCLUSIVE, compare_slots(old, new, MARGIN).outcome}


@pytest.mark.parametrize(("margin", "error_rate"), [(0, 0.05), (1, 0.05), (-0.1, 0.05), (0.01, 0), (0.01, 0.5)])
def test_a_margin_or_rate_that_is_no_share_is_refused(margin: float, error_rate: float) -> None:
    """A comparison without a margin would promise what no count can show."""
    with pytest.raises(ValueError, match=r"not shares; write such as 0.005 and 0.05"):
        compare_slots(Counts(1, 0), Counts(1, 0), margin, (error_rate, error_rate))


def outcomes(p: float, q: float, n: int, m: int, rounds: int = 600) -> dict[Outcome, float]:
    """Shares of outcomes over `rounds` comparisons: old share `p` of `n` requests, new share `q` of `m`."""
    rng = np.random.default_rng(5)
    pairs = zip(rng.binomial(n, p, rounds).tolist(), rng.binomial(m, q, rounds).tolist(), strict=True)
    found = [compare_slots(Counts(n - a, a), Counts(m - b, b), MARGIN).outcome for a, b in pairs]
    return {outcome: found.count(outcome) / rounds for outcome in Outcome}


@pytest.mark.parametrize(("p", "n", "m"), [(0.0005, 4000, 4000), (0.001, 3000, 30_000), (0.02, 30_000, 3000)])
def test_false_alarms_and_false_passes_stay_at_the_error_rate(p: float, n: int, m: int) -> None:
    """A new slot worse by exactly the margin passes or fails in 5 % each; of 600 draws, 8 % is three deviations off."""
    found = outcomes(p, p + MARGIN, n, m)
    assert found[Outcome.PASS] < 0.08
    assert found[Outcome.FAIL] < 0.08


def test_the_comparison_decides_when_it_should() -> None:
    """With the traffic it asks for an equal slot passes in about 80 %, and never fails; one far worse never passes."""
    needed = requests_per_slot(0.004, MARGIN)
    assert needed is not None
    equal = outcomes(0.004, 0.004, needed, needed)
    assert 0.72 < equal[Outcome.PASS] < 0.9
    assert equal[Outcome.FAIL] < 0.01
    assert outcomes(0.004, 0.03, needed, needed)[Outcome.FAIL] > 0.95


@pytest.mark.parametrize(("share", "margin", "needed"), [(0, 0.005, 598), (0, 0.001, 2995), (0.02, 0.01, 2583)])
def test_requests_a_gate_needs(share: float, margin: float, needed: int) -> None:
    """Without failures the rule of three decides; with them the interval that judges."""
    assert needed == requests_per_slot(share, margin)


OLD = {"GET /a": Counts(2000, 0), "GET /b": Counts(1000, 1), "POST /c": Counts(30, 0)}


def test_routes_pass_together_and_name_what_they_could_not_judge() -> None:
    """Thin and one-sided routes are told, and do not hold the release."""
    found = compare_routes({**OLD, "GET /o": Counts(3, 0)}, {**OLD, "GET /n": Counts(4, 0)}, MARGIN)
    assert Outcome.PASS is found.outcome
    assert (found.thin, found.alone) == (("POST /c",), ("GET /n", "GET /o"))
    thin, alone = "too few requests for a pass of their own: POST /c", "only the new slot served GET /n"
    assert found.words.endswith(f"; {thin}; {alone}; only the old slot served GET /o")


def test_a_broken_route_fails_however_thin() -> None:
    """Twenty failures of thirty cannot hide behind three thousand good answers elsewhere."""
    found = compare_routes(OLD, {**OLD, "POST /c": Counts(10, 20)}, MARGIN)
    assert Outcome.FAIL is found.outcome
    assert Outcome.FAIL is not found.total.outcome
    assert "POST /c: 20 of 30 failed (66.67 %) in the new slot" in found.words


def test_an_open_route_with_traffic_holds_the_release() -> None:
    """All together pass, one busy route is not decided: hold."""
    found = compare_routes(OLD, {**OLD, "GET /b": Counts(995, 5)}, MARGIN)
    assert (found.total.outcome, found.outcome) == (Outcome.PASS, Outcome.INCONCLUSIVE)
    assert Outcome.INCONCLUSIVE is found.routes["GET /b"].outcome


def test_no_common_route_is_inconclusive() -> None:
    """Nothing to compare is never a pass."""
    found = compare_routes({"GET /a": Counts(9000, 0)}, {"GET /b": Counts(9000, 0)}, MARGIN)
    assert Outcome.INCONCLUSIVE is found.outcome


def test_many_routes_raise_no_more_false_alarms() -> None:
    """Forty routes, all worse by just the margin: one of them fails in 5 % of cases or little more, not in 87 %."""
    rng = np.random.default_rng(7)
    alarms = 0
    for _ in range(100):
        old, new = rng.binomial(1500, 0.01, 40).tolist(), rng.binomial(1500, 0.01 + MARGIN, 40).tolist()
        found = compare_routes(
            {f"GET /{i}": Counts(1500 - bad, bad) for i, bad in enumerate(old)},
            {f"GET /{i}": Counts(1500 - bad, bad) for i, bad in enumerate(new)},
            MARGIN,
        )
        alarms += found.outcome is Outcome.FAIL
    assert alarms <= 12


@pytest.mark.parametrize(("failed", "says"), [(0, False), (3, False), (12, True)])
def test_a_slot_is_over_its_objective_when_chance_does_not_explain_it(failed: int, says: bool) -> None:
    """Three of 5,000 may be one in a thousand; twelve are not, and no requests say nothing."""
    assert says == over(Counts(5000 - failed, failed), 0.001, 0.05)
    assert not over(Counts(0, 0), 0.001, 0.05)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (Counts(5000, 0), Counts(500, 2), True),  # one in eleven each: one in 121
        (Counts(5000, 0), Counts(500, 1), False),
        (Counts(500, 0), Counts(500, 5), True),
        (Counts(500, 0), Counts(500, 4), False),
        (Counts(400, 100), Counts(400, 100), False),
        (Counts(0, 0), Counts(400, 100), False),  # nobody to compare with
        (Counts(500, 9), Counts(500, 0), False),
    ],
)
def test_a_slot_is_to_blame_for_failures_that_are_not_shared_out_by_chance(
    old: Counts, new: Counts, says: bool
) -> None:
    """However many there are: what hits both alike is nobody's."""
    assert says == to_blame(old, new, 0.05)


def test_many_thin_routes_are_told_in_a_few_words() -> None:
    """A sentence stays readable, and the whole list stays in the data."""
    slot = {f"GET /{name}": Counts(9, 0) for name in "abcde"}
    found = compare_routes(slot, slot, MARGIN)
    assert found.thin == tuple(slot)
    assert found.words.endswith("too few requests for a pass of their own: GET /a, GET /b and 3 other routes")
