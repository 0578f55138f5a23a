"""What the gates conclude from counts."""

from __future__ import annotations

import math

import pytest

from scripts.release.file import ReleaseFile
from scripts.release.histogram import READS, answers_within, slow_answers
from scripts.release.judge import judge_analysis, judge_bake, judge_early, judge_hold, needs
from scripts.release.slots import Tally
from slo.compare import Counts
from slo.objective import Outcome


@pytest.mark.parametrize(
    ("old", "new", "outcome", "says"),
    [
        (Tally(5000, 0, 0), Tally(500, 0, 0), Outcome.PASS, "0 of 500 failed, in the old slot 0 of 5,000"),
        (Tally(5000, 0, 0), Tally(500, 5, 0), Outcome.FAIL, "significantly over the 0.1 % allowed"),
        (Tally(5000, 0, 0), Tally(500, 0, 60), Outcome.FAIL, "60 of 500 slow"),
        (Tally(5000, 600, 0), Tally(500, 60, 0), Outcome.INCONCLUSIVE, "both slots fail"),
        (Tally(5000, 0, 0), Tally(50, 0, 0), Outcome.INCONCLUSIVE, "requests per slot are needed"),
        (Tally(5000, 0, 0), Tally(0, 0, 0), Outcome.INCONCLUSIVE, "the new slot has no requests"),
        (Tally(0, 0, 0), Tally(500, 0, 0), Outcome.INCONCLUSIVE, "the old slot has no requests"),
        (Tally(5000, 0, None), Tally(500, 0, None), Outcome.PASS, "latency was not judged"),
    ],
)
def test_users_traffic_in_a_shift(file: ReleaseFile, old: Tally, new: Tally, outcome: Outcome, says: str) -> None:
    verdict = judge_hold(old, new, file)
    assert outcome is verdict.outcome
    assert says in verdict.words


@pytest.mark.parametrize(
    ("new", "outcome"),
    [
        (Tally(5000, 0), Outcome.PASS),
        (Tally(5000, 80), Outcome.FAIL),
        (Tally(5000, 25), Outcome.INCONCLUSIVE),
        (Tally(0, 0), Outcome.INCONCLUSIVE),
        (Tally(300, 0), Outcome.INCONCLUSIVE),
    ],
)
def test_users_traffic_in_a_bake(file: ReleaseFile, new: Tally, outcome: Outcome) -> None:
    assert outcome is judge_bake(new, file).outcome


def test_exactly_the_requests_said_to_be_needed_are_enough(file: ReleaseFile) -> None:
    """And one less is not."""
    hold, bake = needs(file).hold, needs(file).bake
    assert Outcome.PASS is judge_hold(Tally(hold, 0, 0), Tally(hold, 0, 0), file).outcome
    assert Outcome.INCONCLUSIVE is judge_hold(Tally(hold - 1, 0, 0), Tally(hold - 1, 0, 0), file).outcome
    assert Outcome.PASS is judge_bake(Tally(bake, 0), file).outcome
    assert Outcome.INCONCLUSIVE is judge_bake(Tally(bake - 1, 0), file).outcome


def test_one_bad_route_is_enough_to_refuse(file: ReleaseFile) -> None:
    """Though all routes together would pass: the reason names it."""
    sample = {
        "GET /": {"blue": Counts(5000, 0), "green": Counts(5000, 0)},
        "POST /pay": {"blue": Counts(60, 0), "green": Counts(40, 20)},
    }
    verdict = judge_analysis(sample, "blue", "green", file)
    assert Outcome.FAIL is verdict.outcome
    assert "POST /pay" in verdict.words


def test_a_slot_that_answered_nothing_is_not_passed(file: ReleaseFile) -> None:
    assert Outcome.INCONCLUSIVE is judge_analysis({"GET /": {"blue": Counts(500, 0)}}, "blue", "green", file).outcome
    assert Outcome.INCONCLUSIVE is judge_analysis({}, "blue", "green", file).outcome


def test_an_early_look_refuses_only_what_is_plain(file: ReleaseFile) -> None:
    good = Tally(5000, 0, 0)
    assert judge_early(good, Tally(100, 1, 0), 0.001, 60, file) is None
    assert judge_early(Tally(5000, 900, 0), Tally(100, 20, 0), 0.001, 60, file) is None
    early = judge_early(good, Tally(100, 20, 0), 0.001, 60, file)
    assert early
    assert Outcome.FAIL is early.outcome


METRICS = """
# TYPE http_request_duration_seconds histogram
http_request_duration_seconds_bucket{route="/a",status_code="200",le="0.2"} 7
http_request_duration_seconds_bucket{route="/a",status_code="200",le="+Inf"} 9
http_request_duration_seconds_count{route="/a",status_code="200"} 9
http_request_duration_seconds_sum{route="/a",status_code="200"} 1.5
http_request_duration_seconds_bucket{route="/b",status_code="500",le="0.2"} 0
http_request_duration_seconds_bucket{route="/b",status_code="500",le="+Inf"} 4
http_request_duration_seconds_count{route="/b",status_code="500"} 4
"""


def test_slow_answers_are_read_from_the_slots_own_histogram() -> None:
    """Failed ones are not slow ones, and a threshold between two bounds cannot be judged."""
    within = answers_within(METRICS)
    assert within == {200: 7, math.inf: 9}
    assert slow_answers(within, 200) == 2
    assert slow_answers(within, 150) is None
    assert slow_answers(answers_within("up 1\n"), 200) is None


def test_slow_reads_are_told_from_slow_writes() -> None:
    """Where the histogram names methods; where it does not, nothing is said rather than something else."""
    named = METRICS.replace('route="/a"', 'method="GET",route="/a"').replace('route="/b"', 'method="POST",route="/b"')
    writes = named.replace('status_code="500"', 'status_code="201"')
    assert answers_within(writes, READS) == {200: 7, math.inf: 9}
    assert answers_within(writes) == {200: 7, math.inf: 13}
    assert answers_within(METRICS, READS) is None
