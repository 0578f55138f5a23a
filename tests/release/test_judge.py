"""What the gates conclude from counts."""

from __future__ import annotations

import math

import pytest

from scripts.release.file import ReleaseFile
from scripts.release.histogram import READS, answers_within, slow_answers
from scripts.release.judge import judge_analysis, needs
from slo import watch
from slo.compare import Counts
from slo.objective import Outcome
from slo.sequential import Sample


def test_exactly_the_requests_said_to_be_needed_are_enough(file: ReleaseFile) -> None:
    """And one less is not; in every gate that counts."""
    analysis, hold, bake = needs(file).analysis, needs(file).hold, needs(file).bake
    compare = file.settings.gates.compare
    for few, outcome in ((0, Outcome.PASS), (1, Outcome.INCONCLUSIVE)):
        good = {"GET /": {slot: Counts(analysis - few, 0) for slot in ("blue", "green")}}
        assert outcome is judge_analysis(good, "blue", "green", file).outcome
        watched = watch.Hold.open(watch.Claims(compare.margin, 0.001, 0.05, compare.error_rate))
        for _ in range(hold - few):
            watched = watched.add({watch.Measure.FAILED: (Sample(0, 1), Sample(0, 1))})
        assert outcome is watched.finding.outcome
        baking = watch.Bake.open(file.settings.bake.failure_share, 0.05, compare.error_rate)
        assert outcome is baking.add(Sample(0, bake - few)).finding.outcome


@pytest.mark.parametrize(
    ("old", "new", "outcome", "says"),
    [
        (Counts(750, 0), Counts(750, 0), Outcome.PASS, "0 of 750 failed, in the old slot 0 of 750: at most 0.4 points"),
        (
            Counts(750, 0),
            Counts(738, 12),
            Outcome.FAIL,
            "12 of 750 failed, in the old slot 0 of 750: over the 0.1 % allowed, and worse than the old slot",
        ),
        (Counts(750, 0), Counts(750, 0, 90), Outcome.FAIL, "90 of 750 slow (12 %) in the new slot"),
        (Counts(700, 50), Counts(700, 50), Outcome.INCONCLUSIVE, "both slots fail, so the release is not to blame"),
        (Counts(750, 0), Counts(744, 6), Outcome.INCONCLUSIVE, "that the old slot is better is not sure"),
        (Counts(100, 0), Counts(100, 0), Outcome.INCONCLUSIVE, "about 150 requests per slot are needed"),
    ],
)
def test_analysis_load(file: ReleaseFile, old: Counts, new: Counts, outcome: Outcome, says: str) -> None:
    verdict = judge_analysis({"GET /": {"blue": old, "green": new}}, "blue", "green", file)
    assert outcome is verdict.outcome
    assert says in verdict.words


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
