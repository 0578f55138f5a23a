"""A recording and the targets make a result."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from msgspec.structs import replace

from loadtest.judge import UncountedError, judge
from loadtest.recording import Block, Cell, Failure, Recording
from loadtest.result import Result
from slo.objective import Outcome, Targets
from tests.report import example

Judged = Callable[[Recording], Result]


def outcomes(result: Result) -> dict[str, Outcome]:
    return {judgement.objective: judgement.outcome for judgement in result.judgements}


def with_route(recording: Recording, route: str, ok: int, failed: int = 0, *, slow: bool = False) -> Recording:
    """The recording with `ok` and `failed` more requests of `route` in each steady second."""
    over = (ok,) * 3 if slow else (0, 0, 0)
    blocks = tuple(Block(route, t, ok, failed, over) for t in range(10, 80))
    texts = example.histogram(example.np.full(70 * ok, 900.0 if slow else 3.0))
    cell = Cell(route, "blue", 70 * ok, 70 * failed, tuple(70 * n for n in over), texts, texts)
    return replace(recording, blocks=(*recording.blocks, *blocks), cells=(*recording.cells, cell))


def test_a_good_run_meets_all_four_targets(result: Result) -> None:
    """The verdict, in one value and in words."""
    assert set(outcomes(result).values()) == {Outcome.PASS}
    assert (result.outcome, result.valid) == (Outcome.PASS, True)
    assert result.headline == (
        f"All four targets met: {result.requests:,} requests at {result.achieved_rps:,.0f}/s, "
        f"95 % under {result.p95_ms:.1f} ms, 4 failed."
    )


def test_only_the_steady_phase_is_judged(result: Result) -> None:
    """Warm-up and cool-down are drawn, not counted."""
    steady = [point for point in result.points if 10 <= point.t < 80]
    assert result.requests == sum(point.ok + point.failed for point in steady)
    assert len(result.points) == 83
    assert result.steady_s == 70


def test_failed_requests_are_no_latencies(result: Result) -> None:
    """Latency is judged over the answers that did not fail, errors over all requests."""
    totals = {judgement.objective: judgement.total for judgement in result.judgements}
    assert totals["errors"] == result.requests
    assert totals["latency-p95"] == result.requests - result.failed == sum(b.count for b in result.distribution)


@pytest.mark.parametrize(
    ("change", "missed", "words"),
    [
        ({"slow": 30.0}, {"latency-p95", "latency-p99"}, "Two of four targets missed: 95 % of requests under 200 ms ("),
        ({"failed_share": 0.004}, {"errors"}, "One of four targets missed: errors under 0.1 % ("),
        ({"rate": 900}, {"throughput"}, "One of four targets missed: 1,000 requests per second (90"),
    ],
)
def test_a_missed_target_is_named(judged: Judged, change: dict[str, float], missed: set[str], words: str) -> None:
    """Each kind of target can fail a run, and the headline says which and by what numbers."""
    result = judged(example.recording(**change))  # type: ignore[arg-type]  # the table mixes int and float
    assert missed == {name for name, outcome in outcomes(result).items() if outcome is Outcome.FAIL}
    assert result.outcome is Outcome.FAIL
    assert result.headline.startswith(words)


def test_a_run_that_offers_less_than_the_target_cannot_miss_it(judged: Judged) -> None:
    """At 900 requests/s offered, nobody learns whether 1,000 can be served."""
    result = judged(replace(example.recording(rate=900), rate=900))
    assert outcomes(result)["throughput"] is Outcome.INCONCLUSIVE
    assert "only 900 requests per second were offered" in result.judgements[-1].words


def test_a_close_call_is_not_settled(judged: Judged) -> None:
    """As many failures as allowed settle nothing, and the run neither passes nor fails."""
    result = judged(example.recording(failed_share=0.0009))
    assert outcomes(result)["errors"] is result.outcome is Outcome.INCONCLUSIVE
    said = (
        r"One of four targets not settled: errors under 0\.1 % \(about [\d,]+ requests at this share would settle it\)"
    )
    assert re.match(said, result.headline)


def test_too_short_a_run_says_so_once(judged: Judged) -> None:
    """Three shares under the traffic floor have one reason in common."""
    cells, blocks = example.recording().cells[:1], example.recording().blocks[:5]
    result = judged(replace(example.recording(), cells=cells, blocks=blocks))
    assert (
        "Three of four targets not settled: 95 % of requests under 200 ms; 99 % of requests under 500 ms; "
        "errors under 0.1 % (no share passes on fewer than 3,000 requests). "
    ) in result.headline


def test_failures_in_bursts_widen_the_bounds(judged: Judged) -> None:
    """Seventy failures in one second say less than one in each of seventy seconds."""

    def lower_bound(failed: Callable[[Block], int]) -> float:
        whole = example.recording()
        blocks = tuple(replace(block, failed=failed(block)) for block in whole.blocks)
        errors = next(j for j in judged(replace(whole, blocks=blocks)).judgements if j.objective == "errors")
        assert errors.bad == 70
        assert errors.bounds is not None
        return errors.bounds.lower

    spread = lower_bound(lambda block: int(block.route == "GET /tasks"))
    burst = lower_bound(lambda block: 70 * (block.route == "GET /tasks" and block.t == 30))
    assert burst < spread


def test_a_route_that_misses_its_own_target_fails_the_run(judged: Judged) -> None:
    """A route is judged beside the objectives, and a significant miss is not passed over."""
    result = judged(with_route(example.recording(), "POST /auth/login", ok=45, slow=True))
    assert outcomes(result)["latency-p95"] is Outcome.PASS
    assert result.outcome is Outcome.FAIL
    assert result.headline.endswith(
        "One route missed its own target: 95 % of POST /auth/login under 500 ms "
        "(0 % of 3,150 answers came under 500 ms)."
    )


def test_a_route_with_few_requests_holds_nothing_up(judged: Judged) -> None:
    """Under the traffic floor a route is inconclusive, and the run still passes."""
    result = judged(with_route(example.recording(), "POST /auth/login", ok=2))
    login = next(row for row in result.routes if row.route == "POST /auth/login")
    assert login.judgement is not None
    assert (login.judgement.outcome, result.outcome) == (Outcome.INCONCLUSIVE, Outcome.PASS)


def test_probes_are_not_requests(judged: Judged, result: Result) -> None:
    """Routes that slo.yaml excludes change no number, however badly they do."""
    probed = judged(with_route(example.recording(), "GET /health", ok=50, failed=50, slow=True))
    assert probed.judgements == result.judgements
    assert probed.routes == result.routes
    assert (probed.requests, probed.p99_ms) == (result.requests, result.p99_ms)


def test_what_a_load_run_cannot_judge_is_listed_apart(result: Result) -> None:
    """With numbers where counts allow, and with what is missing where they do not."""
    words = {judgement.objective: judgement.words for judgement in result.not_judged}
    assert list(words) == ["availability", "users", "data", "post-auth-login"]
    assert "99.994 %" in words["availability"]
    assert words["users"].endswith("needs a capacity model")
    assert words["data"].endswith("needs a capacity model")
    assert words["post-auth-login"] == "no such request in the steady phase of this run"


def test_a_rate_limited_request_is_an_error_but_not_unavailable(judged: Judged) -> None:
    """A refusal on purpose counts under load and not in availability."""
    recording = example.recording()
    limited = tuple(replace(failure, kind="status 429") for failure in recording.failures)
    result = judged(replace(recording, failures=limited))
    availability = next(judgement for judgement in result.not_judged if judgement.objective == "availability")
    errors = next(judgement for judgement in result.judgements if judgement.objective == "errors")
    assert (availability.bad, errors.bad) == (0, 4)


def test_a_bound_that_was_not_counted_is_refused(targets: Targets) -> None:
    """A recording made with other targets cannot be judged, and the message says what to do."""
    recording = replace(example.recording(), thresholds_ms=(100.0, 250.0, 500.0))
    with pytest.raises(UncountedError, match=r"counted answers over 100, 250, 500 ms, but .* about 200 ms: record"):
        judge(recording, targets)


def test_routes_are_merged_over_slots(result: Result) -> None:
    """One row a route, the busiest first, with the answers of both slots."""
    assert [row.requests for row in result.routes] == sorted((row.requests for row in result.routes), reverse=True)
    assert {row.route for row in result.routes} == set(example.ROUTES)
    assert sum(row.requests for row in result.routes) == sum(result.slots.values()) == result.requests


def test_percentiles_are_kept_only_where_answers_support_them(judged: Judged) -> None:
    """The 99.99th percentile of a short run would be its maximum under another name."""
    recording = example.recording()
    few = example.histogram(example.np.arange(1.0, 2001.0))
    cell = replace(recording.cells[0], response=few, service=few)
    shares = [row.share for row in judged(replace(recording, cells=(cell,))).percentiles]
    assert shares == [25, 50, 75, 90, 95, 99, 99.9]


def test_errors_come_most_frequent_first(judged: Judged) -> None:
    """By kind, with their route, slot and an example."""
    rare = Failure("timeout", "GET /tasks", "green", 1, 30.0, 30.0, "no answer in 10 s")
    often = Failure("status 500", "GET /tasks", "green", 9, 31.0, 44.0, "oops")
    result = judged(replace(example.recording(), failures=(rare, often)))
    assert [(row.kind, row.count) for row in result.errors] == [("status 500", 9), ("timeout", 1)]


def test_events_are_in_order_of_time(targets: Targets) -> None:
    """Their numbers on the charts ascend from left to right."""
    result = judge(example.recording(), targets, events=reversed(example.EVENTS))
    assert result.events == example.EVENTS


def test_a_run_without_a_request_has_no_verdict(judged: Judged) -> None:
    """Nothing was measured: the run is invalid and no target is met."""
    empty = example.empty()
    result = judged(empty)
    assert result.valid is False
    assert Outcome.PASS not in outcomes(result).values()
    assert (result.requests, result.distribution, result.percentiles) == (0, (), ())
