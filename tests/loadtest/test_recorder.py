"""The recorder and the timeline: which request counts where."""

from __future__ import annotations

import pytest

from loadtest import histogram
from loadtest.in_flight import InFlight
from loadtest.profile import Profile
from loadtest.recorder import Flight, Recorder
from loadtest.recording import Phase
from loadtest.tally import rank
from loadtest.timeline import Timeline

PROFILE = Profile(name="test", rate=10, warmup_s=2, steady_s=4, max_steady_s=8, cooldown_s=1)
LOOKS = InFlight(2, seed=1)  # none taken


def recorder(**changes: bool) -> Recorder:
    return Recorder(Timeline(PROFILE, extended=changes.get("extended", False)), (100, 200))


def ok(book: Recorder, intended: float, lag: float = 0.0, service: float = 0.01, slot: str = "blue") -> None:
    flight = Flight("GET /a", intended, intended + lag)
    book.sent(flight, 1)
    book.ok(flight, slot, intended + lag + service)


def test_only_requests_due_in_steady_are_judged() -> None:
    """Due in the warm-up and answered in steady, due in steady and answered after it: the due moment decides."""
    book = recorder()
    for intended, service in ((1.99, 0.5), (2.0, 0.01), (5.99, 0.5), (6.0, 0.01)):
        ok(book, intended, service=service)
    assert [(("GET /a", "blue"), 2)] == [(key, cell.ok) for key, cell in book.cells().items()]
    assert [(2, 1), (5, 1)] == [(b.t, b.ok) for b in book.blocks()]
    assert [(1, "warmup"), (2, "steady"), (5, "steady"), (6, "cooldown")] == [(s.t, s.phase) for s in book.seconds()]


def test_lateness_of_the_generator_is_in_the_response_time_and_not_in_the_service_time() -> None:
    """Sent 300 ms late and answered after 10 ms."""
    book = recorder()
    ok(book, 3.0, lag=0.3, service=0.01)
    cell = book.cells()["GET /a", "blue"]
    assert pytest.approx(310, rel=0.005) == histogram.percentile_ms(cell.response, 100)
    assert pytest.approx(10, rel=0.005) == histogram.percentile_ms(cell.service, 100)
    assert [1, 1] == cell.over
    assert pytest.approx(300, rel=0.005) == book.generator(book.seconds(), 0, LOOKS).lag_p99_ms


def test_failures_are_counted_by_kind_and_kept_out_of_latency() -> None:
    """Two kinds on one route; their time is kept apart."""
    book = recorder()
    for at, kind in ((3.0, "status 503"), (3.5, "timeout"), (4.0, "status 503")):
        flight = Flight("GET /a", at, at)
        book.sent(flight, 1)
        book.failed(flight, "green", at + 2, kind, f"seen at {at}")
    cell = book.cells()["GET /a", "green"]
    assert (0, 3, 0) == (cell.ok, cell.failed, cell.response.get_total_count())
    written = [failure.frozen(*key) for key, failure in book.failures().items()]
    assert [("status 503", 2, 3.0, 4.0, "seen at 3.0"), ("timeout", 1, 3.5, 3.5, "seen at 3.5")] == [
        (f.kind, f.count, f.first, f.last, f.example) for f in written
    ]
    assert pytest.approx(6.0) == book.generator(book.seconds(), 0, LOOKS).failed_s


def test_what_is_dropped_was_offered_and_not_sent() -> None:
    """The generator's own shortage shows."""
    book = recorder()
    ok(book, 3.0)
    book.dropped(3.2)
    assert [(2, 1, 1)] == [(s.offered, s.sent, s.dropped) for s in book.seconds()]
    assert 1 == book.generator(book.seconds(), 0, LOOKS).dropped


def test_what_never_came_back_is_unfinished() -> None:
    """Of judged requests; one was answered."""
    book = recorder()
    ok(book, 3.0)
    for due in (1.0, 3.0):
        book.sent(Flight("GET /a", due, due), 1)
    assert 1 == book.generator(book.seconds(), 0, LOOKS).unfinished


def test_steady_goes_on_to_the_next_whole_second_once_told_to_end() -> None:
    """Not before its stated length, and not beyond the longest."""
    told = []
    for now in (3.0, 7.2, 99.0):
        timeline = Timeline(PROFILE, extended=True)
        timeline.finish_steady(now)
        told.append(timeline.steady_end)
    assert [6.0, 8.0, 10.0] == told
    assert 10.0 == Timeline(PROFILE, extended=True).steady_end
    assert 6.0 == Timeline(PROFILE, extended=False).steady_end


def test_a_run_that_was_cut_has_the_phases_that_took_place() -> None:
    """Cut in steady, and cut in the warm-up."""
    timeline = Timeline(PROFILE, extended=False)
    timeline.cut(4.5)
    assert (Phase("warmup", 0, 2), Phase("steady", 2, 4.5)) == timeline.phases()
    timeline.cut(1.5)
    assert (Phase("warmup", 0, 1.5),) == timeline.phases()
    assert not timeline.judged(1.0)


@pytest.mark.parametrize(("share", "expected"), [(50, 2.0), (75, 3.0), (76, 4.0), (99, 4.0), (100, 4.0)])
def test_the_rank_is_the_least_value_that_covers_the_share(share: float, expected: float) -> None:
    """Of four values."""
    assert expected == rank([1.0, 2.0, 3.0, 4.0], share)
