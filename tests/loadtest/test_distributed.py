"""A master and its workers as processes of this machine, against a real server."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any

import msgspec
import pytest

from loadtest.arrivals import schedule
from loadtest.distributed import log
from loadtest.distributed.log import Log
from loadtest.distributed.messages import Plan
from loadtest.guards import guards
from loadtest.launch import RunConfig
from loadtest.profile import Journey
from loadtest.recording import Recording
from loadtest.result import Guard

OK = Journey(name="GET /ok", path="/ok")
Config = Callable[..., RunConfig]


class Crew:
    """A master and workers; what they print goes to files."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.running: list[subprocess.Popen[bytes]] = []
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])

    def start(self, config: RunConfig, workers: int, there: int, **plan: object) -> None:
        """`there` of the `workers` that the master waits for."""
        path = self.home / "plan.json"
        path.write_bytes(msgspec.json.encode(Plan(config, workers, port=self.port, **plan)))  # type: ignore[arg-type]
        self._spawn("master", str(path))
        for _ in range(there):
            self._spawn("worker", "127.0.0.1", str(self.port))

    @property
    def workers(self) -> list[subprocess.Popen[bytes]]:
        return self.running[1:]

    def heard(self) -> Log:
        """What the master said so far."""
        return log.read((self.home / "0.out").read_text())

    def wait(self) -> int:
        """The master's exit code, once all have ended."""
        for process in self.running:
            process.wait(60)
        return self.running[0].returncode

    def until_second(self, t: int) -> None:
        deadline = time.monotonic() + 60
        while not any(second.t >= t for second in self.heard().seconds):
            assert time.monotonic() < deadline, self.heard()
            time.sleep(0.05)

    def _spawn(self, module: str, *words: str) -> None:
        name = str(len(self.running))
        with (self.home / f"{name}.out").open("wb") as out, (self.home / f"{name}.err").open("wb") as err:
            command = [sys.executable, "-m", f"loadtest.distributed.{module}", *words]
            self.running.append(subprocess.Popen(command, stdout=out, stderr=err))


@pytest.fixture
def crew(tmp_path: Path) -> Iterator[Crew]:
    found = Crew(tmp_path)
    yield found
    for process in found.running:
        process.kill()
        process.wait(10)


def recording(crew: Crew) -> Recording:
    found = crew.heard().recording
    assert found is not None, crew.heard()
    return found


def workers_guard(found: Recording) -> Guard:
    return next(guard for guard in guards(found) if guard.name == "workers that did their whole part")


def test_two_workers_send_what_one_would_have_sent(server: Any, config: Config, crew: Crew) -> None:
    """Each arrival of the schedule once, half by each; their seconds are told while the run goes on."""
    run = config(OK, rate=150, warmup_s=1, steady_s=2, cooldown_s=1)
    crew.start(run, workers=2, there=2)
    assert 0 == crew.wait()
    found = recording(crew)
    due = [int(at) for at in takewhile(lambda at: at < 4, schedule(run.profile, run.seed))]
    assert [due.count(t) for t in range(4)] == [second.offered for second in found.seconds]
    assert len(due) == sum(second.ok for second in found.seconds) == server.counts()["GET /ok"]
    assert [0, 1, 2, 3] == [second.t for second in crew.heard().seconds]
    shares = [worker.generator.requests for worker in found.workers if worker.generator]
    assert sum(shares) == found.generator.requests == sum(cell.ok for cell in found.cells)
    assert abs(shares[0] - shares[1]) <= 1
    assert workers_guard(found).ok
    assert 0 == found.generator.unfinished == found.generator.dropped


def test_a_worker_that_is_killed_makes_the_run_invalid(config: Config, crew: Crew) -> None:
    """The others end at once, since nothing they could measure would count; what they have is kept."""
    crew.start(config(OK, steady_s=60), workers=2, there=2)
    crew.until_second(1)
    crew.workers[0].kill()
    assert 0 == crew.wait()
    found = recording(crew)
    assert [False, True] == sorted(worker.generator is None for worker in found.workers)
    assert "0 of 2" in workers_guard(found).found
    assert "was lost" in workers_guard(found).found
    assert not workers_guard(found).ok
    assert not found.interrupted
    assert found.phases[-1].end < 30


def test_a_worker_that_is_told_to_end_makes_the_run_invalid(config: Config, crew: Crew) -> None:
    """By SIGTERM, as a node that is drained does it: it sends what it has before it goes."""
    crew.start(config(OK, steady_s=60), workers=2, there=2)
    crew.until_second(0)
    os.kill(crew.workers[0].pid, signal.SIGTERM)
    assert 0 == crew.wait()
    found = recording(crew)
    assert all(worker.generator for worker in found.workers)
    assert "ended before its time" in workers_guard(found).found
    assert not workers_guard(found).ok


def test_a_master_that_is_told_to_end_tells_what_there_is(config: Config, crew: Crew) -> None:
    """And the run is invalid."""
    crew.start(config(OK, steady_s=60), workers=2, there=2)
    crew.until_second(0)
    os.kill(crew.running[0].pid, signal.SIGTERM)
    assert 0 == crew.wait()
    assert not workers_guard(recording(crew)).ok


def test_a_worker_that_is_not_there_in_time_makes_the_run_invalid(server: Any, config: Config, crew: Crew) -> None:
    """Nothing is sent, and the one that came is let go."""
    crew.start(config(OK), workers=2, there=1, gather_s=4)
    assert 4 == crew.wait()
    assert "1 of 2 workers were there within 4 s" in crew.heard().invalid
    assert "GET /ok" not in server.counts()


def test_a_worker_without_a_master_ends_when_it_is_told_to(crew: Crew) -> None:
    """While it still tries to reach one."""
    crew._spawn("worker", "127.0.0.1", str(crew.port))
    status = Path(f"/proc/{crew.running[0].pid}/status")
    deadline = time.monotonic() + 30
    while not int(re.findall(r"SigCgt:\s+(\w+)", status.read_text())[0], 16) >> signal.SIGTERM - 1 & 1:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    crew.running[0].terminate()
    assert 128 + signal.SIGTERM == crew.wait()


def test_workers_that_wait_for_others_end_when_they_are_told_to(config: Config, crew: Crew) -> None:
    """The run is invalid, since it cannot begin any more."""
    crew.start(config(OK), workers=2, there=1, gather_s=5)
    deadline = time.monotonic() + 30
    while "reported as ready" not in (crew.home / "0.err").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(0.3)
    crew.workers[0].terminate()
    assert crew.workers[0].wait(3) in {0, 128 + signal.SIGTERM}
    assert 4 == crew.wait()


def test_a_master_stays_for_its_reader_until_it_is_told_to_end(config: Config, crew: Crew) -> None:
    """Its last word is said, its workers are gone, and it waits."""
    crew.start(config(OK, steady_s=1), workers=1, there=1, linger_s=60)
    assert 0 == crew.workers[0].wait(60)
    deadline = time.monotonic() + 30
    while not crew.heard().over:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert crew.running[0].poll() is None
    crew.running[0].terminate()
    assert 0 == crew.wait()


def test_a_worker_that_cannot_do_its_share_makes_the_run_invalid(config: Config, crew: Crew) -> None:
    """It says why; here its journeys have no users."""
    crew.start(config(journeys="tasks"), workers=1, there=1)
    assert 4 == crew.wait()
    assert "workers could not take their share: " in crew.heard().invalid
    assert "failed: AssertionError" in crew.heard().invalid


def test_a_target_that_the_master_cannot_reach_is_refused(config: Config, crew: Crew) -> None:
    """Before any worker is waited for."""
    crew.start(config(OK, run={"target": "http://127.0.0.1:1"}), workers=2, there=0)
    assert 2 == crew.wait()
    assert "target http://127.0.0.1:1 cannot be reached" in crew.heard().refused


def test_seeding_without_the_secrets_of_the_task_api_is_refused(config: Config, crew: Crew) -> None:
    """The message names what the Secret lacks."""
    crew.start(config(journeys="tasks"), workers=2, there=0, seeds=True)
    assert 2 == crew.wait()
    assert "DATABASE_URL" in crew.heard().refused
