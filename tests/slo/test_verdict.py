"""A verdict is one of four outcomes, in numbers and in a sentence that agrees with them."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slo.objective import Judge, Judgement, Kind, Objective, Outcome
from slo.verdict import judge_amount, judge_share, not_judged, overall, percent

ERRORS = Objective("errors", Kind.ERRORS, 0.999, Judge.LOAD, "errors under 0.1 %")
P95 = Objective("latency-p95", Kind.LATENCY, 0.95, Judge.LOAD, "95 % of requests under 200 ms", threshold_ms=200)
UP = Objective("availability", Kind.AVAILABILITY, 0.999, Judge.PROMETHEUS, "99.9 % over 30 days", window_days=30)
RATE = Objective("throughput", Kind.THROUGHPUT, 1000, Judge.LOAD, "1,000 requests per second")
ORDER = [Outcome.PASS, Outcome.INCONCLUSIVE, Outcome.FAIL]


@pytest.mark.parametrize(
    ("objective", "bad", "total", "outcome"),
    [
        (ERRORS, 0, 3000, Outcome.PASS),
        (ERRORS, 0, 2994, Outcome.INCONCLUSIVE),
        (ERRORS, 1, 5000, Outcome.PASS),
        (ERRORS, 2, 5000, Outcome.INCONCLUSIVE),
        (ERRORS, 4, 10_000, Outcome.PASS),
        (ERRORS, 20, 30_000, Outcome.PASS),
        (ERRORS, 47, 60_000, Outcome.PASS),
        (ERRORS, 48, 60_000, Outcome.INCONCLUSIVE),
        (ERRORS, 559, 600_000, Outcome.PASS),
        (ERRORS, 60, 60_000, Outcome.INCONCLUSIVE),
        (ERRORS, 74, 60_000, Outcome.FAIL),
        (P95, 38, 1000, Outcome.PASS),
        (P95, 460, 10_000, Outcome.PASS),
        (P95, 2910, 60_000, Outcome.PASS),
        (P95, 2920, 60_000, Outcome.INCONCLUSIVE),
        (P95, 3100, 60_000, Outcome.FAIL),
        (P95, 0, 0, Outcome.ERROR),
    ],
)
def test_outcomes_of_known_counts(objective: Objective, bad: int, total: int, outcome: Outcome) -> None:
    """The table the claims rest on: what a run of that size may say."""
    assert outcome is judge_share(objective, bad, total).outcome


def test_a_judgement_carries_its_numbers() -> None:
    """Value, bounds and margin are of the good share; the budget is of the bad one."""
    found = judge_share(P95, 600, 60_000)
    assert (found.value, found.bad, found.total) == (0.99, 600, 60_000)
    assert found.margin == pytest.approx(0.04)
    assert found.budget_burnt == pytest.approx(0.2)
    assert found.bounds is not None
    assert 0.989 < found.bounds.lower < 0.99 < found.bounds.upper < 0.991


BURST = [(0, 1000)] * 59 + [(40, 1000)]


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (
            judge_share(P95, 12, 61_204),
            (
                "99.98 % of 61,204 answers came under 200 ms; with 95 % confidence at least 99.968 %, the "
                "target is 95 %: pass"
            ),
        ),
        (
            judge_share(ERRORS, 47, 60_000),
            "47 of 60,000 requests failed, 0.078 %; with 95 % confidence at most 0.0999 %, 0.1 % is allowed: pass",
        ),
        (
            judge_share(ERRORS, 90, 60_000),
            "90 of 60,000 requests failed, 0.15 %; with 95 % confidence at least 0.125 %, 0.1 % is allowed: fail",
        ),
        (
            judge_share(ERRORS, 48, 60_000),
            (
                "48 of 60,000 requests failed, 0.08 %; with 95 % confidence between 0.062 % and 0.102 %, 0.1 % is "
                "allowed: inconclusive; about 70,000 requests at this share would settle it"
            ),
        ),
        (
            judge_share(P95, 2999, 60_000),
            (
                "95.002 % of 60,000 answers came under 200 ms; with 95 % confidence between 94.85 % and 95.15 %, the "
                "target is 95 %: inconclusive; about 470,000,000 requests at this share would settle it"
            ),
        ),
        (
            judge_share(ERRORS, 40, 60_000, BURST),
            (
                "40 of 60,000 requests failed, 0.067 %; with 95 % confidence between 0 % and 0.267 %, 0.1 % is "
                "allowed: inconclusive; about 1,400,000 requests at this share would settle it"
            ),
        ),
        (
            judge_share(P95, 5, 2999, floor=3000),
            "99.833 % of 2,999 answers came under 200 ms; no share passes on fewer than 3,000 requests: inconclusive",
        ),
        (
            judge_share(P95, 2999, 2999, floor=3000),
            ("0 % of 2,999 answers came under 200 ms; with 95 % confidence at most 0.1 %, the target is 95 %: fail"),
        ),
        (judge_share(ERRORS, 0, 0), "no requests were counted, so nothing can be said: error"),
        (judge_amount(RATE, 1003.4), "1,003 successful requests per second, the target is 1,000: pass"),
        (judge_amount(RATE, 999.6), "999.600 successful requests per second, the target is 1,000: fail"),
        (judge_amount(RATE, None), "throughput was not measured, so nothing can be said: error"),
        (
            not_judged(UP, 61, 61_000, seconds=60),
            (
                "judged by prometheus, not by this run: 99.9 % of 61,000 requests were good; with 95 % confidence at "
                "least 99.876 %; less than 0.01 of the 43.2 budget minutes in 30 days went here"
            ),
        ),
        (not_judged(UP), "judged by prometheus, not by this run"),
    ],
    ids=itertools.count(),
)
def test_words_say_what_was_found_against_what_and_why(found: Judgement, words: str) -> None:
    """A person can read the verdict without the table beside it."""
    assert words == found.words


def test_a_burst_makes_the_same_count_less_certain() -> None:
    """Forty failures spread over a minute pass; the same forty in one second do not."""
    spread = [(1, 1000)] * 40 + [(0, 1000)] * 20
    assert judge_share(ERRORS, 40, 60_000, spread).outcome is Outcome.PASS
    assert judge_share(ERRORS, 40, 60_000, BURST).outcome is Outcome.INCONCLUSIVE


totals = st.integers(1, 200_000)


@given(totals, st.floats(0, 0.2), st.sampled_from([ERRORS, P95, UP]))
def test_one_more_bad_request_never_improves_the_outcome(total: int, share: float, objective: Objective) -> None:
    """Pass, inconclusive, fail: only in this direction as failures grow."""
    bad = min(int(share * total), total - 1)
    before, after = (ORDER.index(judge_share(objective, n, total).outcome) for n in (bad, bad + 1))
    assert before <= after


@given(totals, st.floats(0, 1), st.sampled_from([ERRORS, P95]))
def test_numbers_outcome_and_words_agree(total: int, share: float, objective: Objective) -> None:
    """The outcome follows from the bounds, and the sentence ends with it."""
    found = judge_share(objective, int(share * total), total)
    assert found.bounds is not None
    assert found.value is not None
    assert found.bounds.lower <= found.value <= found.bounds.upper
    if found.outcome is Outcome.INCONCLUSIVE:
        assert found.bounds.lower <= objective.target + 1e-12
        assert found.bounds.upper >= objective.target - 1e-12
    else:
        assert (found.value >= objective.target) == (found.outcome is Outcome.PASS)
    assert f": {found.outcome}" in found.words


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_percentage_is_never_rounded_over_its_limit(share: float, limit: float) -> None:
    """What is under the limit reads as under it, and all or nothing only as 100 % and 0 %."""
    shown = float(percent(share, limit).removesuffix(" %"))
    if abs(share - limit) > 1e-8:
        assert (shown > 100 * limit) == (share > limit)
    if 1e-8 < share < 1 - 1e-8:
        assert 0 < shown < 100


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ([], Outcome.ERROR),
        ([Outcome.PASS, Outcome.PASS], Outcome.PASS),
        ([Outcome.PASS, Outcome.INCONCLUSIVE], Outcome.INCONCLUSIVE),
        ([Outcome.INCONCLUSIVE, Outcome.ERROR], Outcome.ERROR),
        ([Outcome.ERROR, Outcome.FAIL, Outcome.PASS], Outcome.FAIL),
    ],
)
def test_the_worst_outcome_decides(outcomes: list[Outcome], expected: Outcome) -> None:
    """A known failure outweighs what could not be judged; nothing judged is no pass."""
    counts = {Outcome.PASS: (0, 9000), Outcome.INCONCLUSIVE: (0, 9), Outcome.FAIL: (99, 99), Outcome.ERROR: (0, 0)}
    assert expected is overall([judge_share(ERRORS, *counts[o]) for o in outcomes])


def test_shares_and_amounts_are_not_mixed_up() -> None:
    """The wrong judge refuses and names the right one."""
    with pytest.raises(ValueError, match=r"throughput is an amount .* judge it with judge_amount"):
        judge_share(RATE, 0, 1)
    with pytest.raises(ValueError, match=r"errors is a share .* judge it with judge_share"):
        judge_amount(ERRORS, 1)
