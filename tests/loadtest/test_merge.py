"""Parts of several workers make the recording that one worker would have made."""

from __future__ import annotations

import random
from itertools import islice

import pytest
from msgspec.structs import replace

from loadtest import histogram
from loadtest.arrivals import schedule
from loadtest.distributed.merge import merged
from loadtest.distributed.messages import Part, shares
from loadtest.in_flight import InFlight
from loadtest.launch import RunConfig
from loadtest.profile import Journey, Profile
from loadtest.recorder import Flight, Recorder
from loadtest.recording import SCHEMA, Generator, Recording, Worker
from loadtest.timeline import Timeline
from loadtest.tokens import SeededUser, Tokens

PROFILE = Profile(name="test", rate=50, warmup_s=1, steady_s=4, cooldown_s=1, journeys=(Journey("GET /a", "/a"),))
CONFIG = RunConfig(PROFILE, "http://127.0.0.1:1", "", seed=7, thresholds_ms=(50.0, 200.0))
WORKERS = tuple(Worker(name, "node", 1.0, None) for name in ("a", "b", "c"))


def flown(seed: int) -> list[tuple[Flight, str, float, str]]:
    """What became of each arrival: route, slot, when it was done, what was wrong with it."""
    draw = random.Random(seed)
    found = []
    for due in schedule(PROFILE, seed):
        if due >= 6:
            return found
        flight = Flight(draw.choice(("GET /a", "POST /b")), due, due + draw.expovariate(1000))
        kind = draw.choice(("status 503", "timeout")) if draw.random() < 0.1 else ""
        found.append((flight, draw.choice(("blue", "green")), flight.sent + draw.expovariate(10), kind))
    return found


def recorded(flights: list[tuple[Flight, str, float, str]]) -> Part:
    """The books of whoever sent these."""
    book = Recorder(Timeline(PROFILE, extended=False), CONFIG.thresholds_ms)
    for flight, slot, done, kind in flights:
        book.sent(flight, 1)
        if kind:
            book.failed(flight, slot, done, kind, f"seen at {flight.intended}")
        else:
            book.ok(flight, slot, done)
    cells = book.cells()
    recording = Recording(
        schema=SCHEMA,
        run_id="run",
        profile="test",
        target=CONFIG.target,
        seed=7,
        rate=50,
        epoch=0.0,
        thresholds_ms=CONFIG.thresholds_ms,
        phases=book.timeline.phases(),
        seconds=book.seconds(),
        cells=tuple(cell.frozen(*key) for key, cell in cells.items()),
        blocks=book.blocks(),
        response=histogram.encode(histogram.merge(cell.response for cell in cells.values())),
        service=histogram.encode(histogram.merge(cell.service for cell in cells.values())),
        lag=histogram.encode(book.lag),
        failures=tuple(failure.frozen(*key) for key, failure in book.failures().items()),
        generator=book.generator(book.seconds(), 1.5, InFlight(1, seed=1)),
    )
    return Part(recording, tuple(book.sample(second.t) for second in recording.seconds))


def counts(text: str) -> list[tuple[int, int]]:
    items = histogram.decode(text).get_recorded_iterator()
    return [(item.value_iterated_to, item.count_at_value_iterated_to) for item in items]


@pytest.mark.parametrize("seed", range(3))
def test_the_parts_of_three_workers_are_the_recording_of_one(seed: int) -> None:
    """Every second with its exact percentiles, every cell, block, failure and histogram."""
    flights = flown(seed)
    whole = recorded(flights).recording
    found = merged([recorded(flights[worker::3]) for worker in range(3)], WORKERS, 5.0, CONFIG)
    assert whole.seconds == found.seconds
    assert whole.blocks == found.blocks
    assert sorted(whole.failures, key=str) == sorted(found.failures, key=str)
    assert [f.count for f in found.failures] == sorted((f.count for f in found.failures), reverse=True)
    plain = {"response": "", "service": ""}
    assert [replace(cell, **plain) for cell in whole.cells] == [replace(cell, **plain) for cell in found.cells]
    for ours, theirs in zip(whole.cells, found.cells, strict=True):
        assert counts(ours.response) == counts(theirs.response)
        assert counts(ours.service) == counts(theirs.service)
    for name in ("response", "service", "lag"):
        assert counts(getattr(whole, name)) == counts(getattr(found, name))
    assert (whole.generator.requests, whole.generator.unfinished) == (found.generator.requests, 0)
    assert (5.0, WORKERS) == (found.epoch, found.workers)


def test_the_generator_is_as_late_as_its_worst_worker_and_the_spreads_add_up() -> None:
    """Half of the requests on time do not excuse the other half."""
    part = recorded(flown(1))
    made = [
        Generator(1.0, 100, lag, worst, 1, 2, 3.0, samples, 4, 0.5, 3.0 + step)
        for step, (lag, worst, samples) in enumerate(((1.0, 30.0, 400), (9.0, 2.0, 398)))
    ]
    parts = [Part(replace(part.recording, generator=each), part.samples) for each in made]
    assert Generator(2.0, 200, 9.0, 30.0, 2, 4, 6.0, 398, 8, 1.0, 5.0) == merged(parts, WORKERS, 0.0, CONFIG).generator


def test_a_part_that_was_cut_short_ends_the_run_there() -> None:
    """And it is no interruption by the person who asked for the run: the worker has a reason of its own."""
    flights = flown(1)
    whole, part = recorded(flights[::2]), recorded(flights[1::2])
    cut = Timeline(PROFILE, extended=False)
    cut.cut(2.5)
    short = replace(part.recording, phases=cut.phases(), interrupted=True)
    found = merged([whole, Part(short, part.samples)], WORKERS[:2], 0.0, CONFIG)
    assert (cut.phases(), False) == (found.phases, found.interrupted)


@pytest.mark.parametrize("arrivals", ["poisson", "uniform"])
def test_the_shares_together_are_the_arrivals_of_a_run_by_one_process(arrivals: str) -> None:
    """The same moments for the same seed, each in one share."""
    config = replace(CONFIG, profile=replace(PROFILE, arrivals=arrivals, ramp_s=1))
    dealt = [due for share in shares(config, 3, None) for due in islice(share.arrivals(), 100)]
    assert list(islice(schedule(config.profile, 7), 300)) == sorted(dealt)


@pytest.mark.parametrize("workers", [1, 2, 3, 7])
def test_a_share_may_have_in_flight_what_its_rate_takes(workers: int) -> None:
    """Where the whole profile allows no more than it needs, and nothing divides evenly."""
    profile = replace(PROFILE, rate=100, timeout_s=3, max_in_flight=300, logins_per_s=100)
    own = [share.own() for share in shares(replace(CONFIG, profile=profile), workers, None)]
    assert workers == len({each.seed for each in own})
    assert all(each.profile.max_in_flight * workers >= 300 for each in own)


def test_each_seeded_user_belongs_to_one_worker() -> None:
    """So that none comes oftener than in a run by one, and meets the rate limit of its own."""
    users = tuple(SeededUser(number, f"u{number}@example.test", "token", (1,)) for number in range(7))
    dealt = [share.tokens for share in shares(CONFIG, 3, Tokens("the password", users, 0.0))]
    assert users == tuple(sorted((user for own in dealt if own for user in own.users), key=lambda user: user.id))
    assert [3, 2, 2] == [len(own.users) for own in dealt if own]
