"""Whole runs of the generator against a real server."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from loadtest import histogram
from loadtest.guards import guards
from loadtest.launch import (
    BadRun,
    GeneratorDied,
    LoadError,
    LoadRun,
    RunConfig,
    TargetUnreachable,
    launch,
    read_recording,
)
from loadtest.profile import Journey
from loadtest.recording import Recording
from loadtest.result import Guard
from loadtest.tokens import SeededUser, Tokens, TokensError, write_tokens

OK = Journey(name="GET /ok", path="/ok")
Recorded = Callable[..., Recording]
Config = Callable[..., RunConfig]


def kinds(recording: Recording) -> dict[str, int]:
    return {failure.kind: failure.count for failure in recording.failures}


def answered(recording: Recording) -> int:
    return sum(second.ok + second.failed for second in recording.seconds)


def little(recording: Recording) -> Guard:
    return next(guard for guard in guards(recording) if guard.name.startswith("Little's law"))


def until(condition: Callable[[], bool], deadline_s: float = 30) -> None:
    """Wait for `condition`."""
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def until_second(load: LoadRun, t: int) -> None:
    """Wait until the run has written second `t`."""
    until(lambda: any(second.t >= t for second in load.seconds()))


def test_what_was_sent_is_what_the_server_counted(server: Any, recorded: Recorded) -> None:
    """Three phases, four journeys; every offered request is sent once and answered once."""
    recording = recorded(
        OK,
        Journey(name="POST /echo", method="POST", path="/echo", json={"a": 1}, expect=(201,), contains='{"a":1}'),
        Journey(name="GET /chunked", path="/chunked", contains="ok", weight=0.5),
        Journey(name="GET /moved", path="/moved", expect=(302,), weight=0.5),
        rate=200,
        warmup_s=1,
        cooldown_s=1,
    )
    counts = server.counts()
    assert sum(s.sent for s in recording.seconds) == sum(n for path, n in counts.items() if path != "GET /counts")
    assert sum(s.offered for s in recording.seconds) == answered(recording)
    assert ["warmup", "steady", "cooldown"] == [phase.name for phase in recording.phases]
    steady = sum(s.ok for s in recording.seconds if s.phase == "steady")
    assert steady == sum(cell.ok for cell in recording.cells) == histogram.decode(recording.response).get_total_count()
    assert {"GET /ok", "POST /echo", "GET /chunked", "GET /moved"} == {cell.route for cell in recording.cells}
    assert () == recording.failures
    assert 0 == recording.generator.unfinished == recording.generator.dropped


def test_failures_have_their_kinds_and_no_part_in_latency(server: Any, recorded: Recorded) -> None:
    """Each way to fail once in seven; a request whose connection breaks is not sent a second time."""
    paths = ("/status/503", "/status/429", "/drop", "/cut", "/hang")
    recording = recorded(
        *(Journey(name=path, path=path) for path in paths),
        Journey(name="wrong", path="/ok", contains="never there"),
        Journey(name="late", path="/slow/800"),
        rate=70,
        steady_s=1,
        timeout_s=0.5,
    )
    expected = {"status 503", "status 429", "reset", "bad answer", "timeout", "check: no 'never there' in the body"}
    assert expected == set(kinds(recording))
    assert sum(cell.failed for cell in recording.cells) == answered(recording)
    assert 0 == histogram.decode(recording.response).get_total_count()
    counts = server.counts()
    for route in paths:
        sent = sum(cell.failed for cell in recording.cells if cell.route == route)
        assert sent == counts[f"GET {route}"]


def test_a_connection_that_the_server_closed_while_idle_is_no_failure(recorded: Recorded) -> None:
    """The server may; the next request takes another one."""
    recording = recorded(Journey(name="closing", path="/late-close"), rate=20, steady_s=1, arrivals="uniform")
    assert () == recording.failures


def test_a_pause_of_the_server_is_in_the_latency_of_all_who_came_meanwhile(server: Any, config: Config) -> None:
    """Frozen for one second of about three: a third of the requests waited, half of those more than half a second."""
    with launch(config(OK, rate=100, steady_s=3, arrivals="uniform", timeout_s=5)) as load:
        until_second(load, 0)
        server.freeze()
        time.sleep(1)
        server.thaw()
        recording = load.wait()
    response = histogram.decode(recording.response)
    assert histogram.percentile_ms(response, 90) > 400
    assert histogram.percentile_ms(response, 25) < 400
    assert () == recording.failures
    assert 50 < recording.generator.max_in_flight


def test_what_does_not_fit_in_flight_is_dropped_and_counted(recorded: Recorded) -> None:
    """Ten at a time, where nine and a half are under way on average: chance brings more now and then."""
    recording = recorded(Journey(name="slow", path="/slow/190"), rate=50, timeout_s=0.2, max_in_flight=10)
    made = recording.generator
    assert made.dropped > 5
    assert made.max_in_flight == 10
    steady = [s for s in recording.seconds if s.phase == "steady"]
    assert sum(s.offered for s in steady) == made.dropped + made.requests


def test_requests_in_flight_counted_on_a_timer_agree_with_the_latencies(recorded: Recorded) -> None:
    """Twenty in flight, warm-up's among them; had the books lost a fifth of the answers, the run would be invalid."""
    recording = recorded(Journey(name="slow", path="/slow/50"), rate=400, warmup_s=1, cooldown_s=1)
    assert little(recording).ok, little(recording)
    kept = histogram.decode(recording.service)
    lost = histogram.new()
    for number, item in enumerate(kept.get_recorded_iterator()):
        lost.record_value(item.value_iterated_to, item.count_at_value_iterated_to if number % 5 else 0)
    assert not little(replace(recording, service=histogram.encode(lost))).ok


def test_a_service_that_hangs_makes_a_run_that_failed_and_not_an_invalid_one(recorded: Recorded) -> None:
    """All time out, as many in flight as the profile has to allow; the generator kept its schedule and its count."""
    recording = recorded(Journey(name="hang", path="/hang"), rate=200, timeout_s=1.5, max_in_flight=400)
    made = recording.generator
    assert {"timeout": made.requests} == kinds(recording)
    assert (0, 0) == (made.dropped, made.unfinished)
    assert little(recording).ok, little(recording)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_interrupted_run_writes_what_it_has(config: Config, number: int) -> None:
    """And says that it was interrupted."""
    with launch(config(OK, steady_s=60)) as load:
        until_second(load, 0)
        os.kill(load.process_pid, number)
        recording = load.wait(timeout=20)
    assert recording.interrupted
    assert answered(recording) > 50
    assert recording.phases[-1].end < 60


def test_steady_goes_on_until_it_is_told_to_end(config: Config, tmp_path: Path) -> None:
    """By a file; then a cool-down follows."""
    stop = tmp_path / "stop"
    run = config(OK, rate=20, steady_s=1, max_steady_s=60, cooldown_s=1, run={"until_path": str(stop)})
    with launch(run) as load:
        until_second(load, 2)
        stop.touch()
        recording = load.wait()
    steady = next(phase for phase in recording.phases if phase.name == "steady")
    assert 3 <= steady.end < 60
    assert steady.end == int(steady.end)
    assert "cooldown" == recording.phases[-1].name
    assert not recording.interrupted


def test_arms_share_the_arrivals_evenly_and_cells_are_keyed_by_the_slot_that_answered(recorded: Recorded) -> None:
    """Two arms by header; the server names its slot, and where it names none the arm is taken."""
    arms = {"blue": {"x-want-slot": "blue"}, "green": {"x-want-slot": "green"}}
    recording = recorded(OK, Journey(name="bad", path="/drop"), run={"arms": arms})
    totals = {slot: sum(c.ok + c.failed for c in recording.cells if c.slot == slot) for slot in ("blue", "green")}
    assert abs(totals["blue"] - totals["green"]) <= 2
    assert {("bad", "blue"), ("bad", "green")} == {(f.route, f.slot) for f in recording.failures}


def test_headers_reach_the_server_and_may_replace_our_own(recorded: Recorded) -> None:
    """One Host line, the one that was given."""
    run = {"headers": {"Host": "shop.example", "x-mine": "1"}}
    for needle in ("Host: shop.example\r\n", "x-mine: 1\r\n"):
        recording = recorded(Journey(name="head", path="/head", contains=needle), rate=20, steady_s=1, run=run)
        assert () == recording.failures


def test_progress_is_written_second_by_second(config: Config, tmp_path: Path) -> None:
    """Each line once, in order, while the run goes on."""
    seen = []
    with launch(config(OK, steady_s=3)) as load:
        while load.poll() is None:
            seen += load.seconds()
            time.sleep(0.1)
        seen += load.seconds()
        recording = load.wait()
    assert [0, 1, 2] == [second.t for second in seen]
    assert sum(second.ok for second in recording.seconds) > 200
    assert recording == read_recording(tmp_path)
    assert 0o600 == (tmp_path / "run.json").stat().st_mode & 0o777


def test_a_generator_that_dies_says_why(config: Config, tmp_path: Path) -> None:
    """With the end of its log; here it cannot write its recording."""
    (tmp_path / "recording.part").mkdir()
    with (
        launch(config(OK, steady_s=1)) as load,
        pytest.raises(GeneratorDied, match=r"(?s)ended with code 1 .*IsADirectoryError"),
    ):
        load.wait(timeout=30)


def tokens(path: Path, lasting_s: float) -> str:
    users = tuple(SeededUser(i, f"u{i}@example.test", "token", (1,)) for i in (1, 2))
    write_tokens(path, Tokens("the password", users, time.time() + lasting_s))
    return str(path)


@pytest.mark.parametrize("lasting_s", [-1, 20])
def test_tokens_that_expire_before_the_run_is_over_are_refused(config: Config, tmp_path: Path, lasting_s: int) -> None:
    """Expired ones, and those that would be in mid-run: it would end as failures of the system."""
    path = tokens(tmp_path / "tokens.json", lasting_s)
    with pytest.raises(TokensError, match=r"its tokens expire at .* UTC, .*primetrade db seed"):
        launch(config(journeys="tasks", run={"tokens_path": path}))


def test_tokens_that_outlast_the_run_are_taken(config: Config, tmp_path: Path) -> None:
    """The run starts."""
    run = config(journeys="tasks", steady_s=1)
    path = tokens(tmp_path / "tokens.json", run.longest_s() + 5)
    with launch(replace(run, tokens_path=path)) as load:
        assert load.wait(timeout=30).generator.requests > 0


@pytest.mark.parametrize(
    ("run", "settings", "expected"),
    [
        ({"target": "localhost:80"}, {}, "is no http:// or https:// address"),
        ({"target": "http://127.0.0.1:80/api"}, {}, "leave paths to the journeys"),
        ({"target": "http://ann:secret@127.0.0.1:80"}, {}, "give them as --header 'Authorization: ...'"),
        ({"target": "http://ann@127.0.0.1:80"}, {}, "the target holds credentials"),
        ({"headers": {"a b": "c"}}, {}, "'a b' is not the name of a header"),
        ({}, {"journeys": "tasks"}, "primetrade db seed"),
    ],
)
def test_a_run_that_makes_no_sense_is_refused(
    config: Config, run: dict[str, Any], settings: dict[str, Any], expected: str
) -> None:
    """Before anything starts."""
    with pytest.raises(BadRun, match=expected) as refused:
        launch(config(OK, run=run, **settings))
    assert "secret" not in str(refused.value)


def test_a_folder_that_cannot_be_made_is_refused(config: Config, tmp_path: Path) -> None:
    """A file is where the reports should go."""
    (tmp_path / "file").touch()
    with pytest.raises(BadRun, match=r"file cannot be made: File exists; give another --out"):
        launch(config(OK, run={"out_dir": str(tmp_path / "file")}))


def test_a_target_where_nothing_answers_is_refused(config: Config) -> None:
    """Before anything starts."""
    with pytest.raises(TargetUnreachable, match="cannot be reached"):
        launch(config(OK, run={"target": "http://127.0.0.1:1"}))


def test_a_folder_without_a_recording_is_refused(tmp_path: Path) -> None:
    """And so is one of another version."""
    with pytest.raises(LoadError, match="give the folder of a finished run"):
        read_recording(tmp_path)
    (tmp_path / "recording.json").write_text("{}")
    with pytest.raises(LoadError, match="not a recording of this version"):
        read_recording(tmp_path)
