"""`primetrade load` as a person runs it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from loadtest.launch import GeneratorDied, LoadRun, RunConfig
from loadtest.profile import Profile
from loadtest.recording import Recording
from scripts.commands.load import Progress, follow
from scripts.commands.load import command as load

PROFILE = """
name: shop
rate: 50
steady_s: 2
journeys:
  - {name: GET /ok, path: /ok, weight: 3}
  - {name: POST /echo, method: POST, path: /echo, json: {n: 1}, expect: [201]}
"""
TARGETS = """
version: 1
service: shop
excluded_routes: []
traffic_floor: 10
routes: []
objectives:
  - {name: p95, kind: latency, says: 95 % under 900 ms, threshold_ms: 900, target: 0.8, judged_by: load}
  - {name: rate, kind: throughput, says: enough, target: RATE, judged_by: load}
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A folder with a profile for an API that is not ours, and targets that it meets."""
    (tmp_path / "shop.yaml").write_text(PROFILE)
    (tmp_path / "slo.yaml").write_text(TARGETS.replace("RATE", "20"))
    return tmp_path


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "scripts.cli", "load", *words]


def run_words(shop: Path, url: str) -> tuple[str, ...]:
    return "run", str(shop / "shop.yaml"), "--target", url, "--out", str(shop / "out"), "--slo", str(shop / "slo.yaml")


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*words), capture_output=True, text=True, timeout=60, check=False)


def test_a_run_against_a_foreign_api_is_judged_and_reported(server: Any, shop: Path) -> None:
    """Exit 0 when the targets are met, 4 when this machine was too busy to tell; reports either way."""
    done = run(*run_words(shop, server.url), "--json")
    result = json.loads(done.stdout)
    assert "pass" == result["outcome"], done.stderr
    assert (0 if result["valid"] else 4) == done.returncode
    assert {"GET /ok", "POST /echo"} == {row["route"] for row in result["routes"]}
    assert {"report.html", "result.json", "junit.xml", "summary.md"} <= {p.name for p in (shop / "out").iterdir()}


def test_each_verdict_has_its_exit_code(server: Any, shop: Path) -> None:
    """One recording, told in five ways and judged again: passed, missed, not to be settled, invalid, interrupted."""
    run(*run_words(shop, server.url), "--steady", "1s")
    path = shop / "out" / "recording.json"
    recorded = msgspec.json.decode(path.read_bytes(), type=Recording)
    calm = replace(recorded.generator, lag_p99_ms=1.0, worst_second_lag_p99_ms=1.0)
    valid = replace(recorded, generator=calm)
    slow = [replace(part, over=(part.ok,)) for part in recorded.cells]
    slow_blocks = [replace(part, over=(part.ok,)) for part in recorded.blocks]

    def judged(recording: Recording) -> int:
        path.write_bytes(msgspec.json.encode(recording))
        words = ["report", str(shop / "out"), "--slo", str(shop / "slo.yaml")]
        return int(load.main(words, standalone_mode=False))

    assert 0 == judged(valid)
    assert 3 == judged(replace(valid, cells=tuple(slow), blocks=tuple(slow_blocks)))
    assert 4 == judged(replace(valid, generator=replace(calm, dropped=1)))
    assert 130 == judged(replace(valid, interrupted=True))
    (shop / "slo.yaml").write_text(TARGETS.replace("RATE", "5000"))
    assert 10 == judged(valid)


def test_rate_length_and_headers_are_taken_from_the_command_line(server: Any, shop: Path) -> None:
    """In place of the profile's; the header reaches the server."""
    profile = PROFILE.partition("journeys")[0] + 'journeys: [{name: head, path: /head, contains: "x-mine: yes"}]\n'
    (shop / "shop.yaml").write_text(profile)
    words = ("--rate", "80", "--steady", "1s", "--header", "x-mine: yes", "--json")
    result = json.loads(run(*run_words(shop, server.url), *words).stdout)
    assert (80, 1, 0) == (result["rate"], result["steady_s"], result["failed"])


def test_an_interrupted_run_reports_what_it_has_and_ends_with_130(server: Any, shop: Path) -> None:
    """Ctrl-C in mid-run."""
    words = command(*run_words(shop, server.url), "--steady", "60s")
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        lines = shop / "out" / "live.jsonl"
        end = time.monotonic() + 30
        while not (lines.exists() and lines.stat().st_size):
            assert time.monotonic() < end
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=30)
    assert 130 == process.returncode, said
    assert (shop / "out" / "report.html").is_file()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("run", "loud", "--target", "http://127.0.0.1:1"), "ours are analysis, cluster, load, smoke"),
        (("run", "smoke", "--target", "http://127.0.0.1:1"), "primetrade db seed"),
        (("run", "smoke", "--target", "x", "--header", "nocolon"), "has no colon"),
        (("run", "smoke", "--target", "x", "--steady", "60"), "60 is not a duration"),
        (("run", "smoke", "--target", "x", "--steady", "0.5s"), "not a whole number of seconds"),
        (("run", "smoke", "--target", "x", "--rate", "0"), "Invalid value for '--rate'"),
        (("run", "smoke", "--target", "x", "--rate", "1"), "logins_per_s: 2.0 is more than rate: 1.0"),
        (("run", "load", "--target", "x", "--rate", "1300"), "6,000 is less than the 6,500 requests in flight"),
        (("report", "nowhere"), "give the folder of a finished run"),
    ],
)
def test_a_bad_command_is_refused_with_exit_2(words: tuple[str, ...], expected: str) -> None:
    """One clear line."""
    done = run(*words)
    assert 2 == done.returncode
    assert expected in " ".join(done.stderr.split())


def test_a_generator_that_outlives_its_plan_is_stopped(tmp_path: Path) -> None:
    """A child that only waits, and a plan whose end has come: nobody watches it for ever."""
    (tmp_path / "generator.log").touch()
    config = RunConfig(Profile(name="past", rate=1, steady_s=-3600), "http://127.0.0.1:1", str(tmp_path))
    with (
        subprocess.Popen(["sleep", "20"]) as process,
        LoadRun(config, process) as late,
        pytest.raises(GeneratorDied, match="outlived its plan and was stopped"),
    ):
        follow(late, Progress())
    assert -signal.SIGTERM == process.returncode


def test_a_limit_on_open_files_that_is_too_low_is_refused(shop: Path) -> None:
    """Connections that cannot be opened would look like failures of the target."""
    words = command(*run_words(shop, "http://127.0.0.1:1"))
    limited = ["sh", "-c", 'ulimit -n 1000 && exec "$@"', "sh", *words]
    done = subprocess.run(limited, capture_output=True, text=True, timeout=60, check=False)
    assert 2 == done.returncode
    assert "6,000 takes 6,200 open files, and 1,000 are allowed here" in " ".join(done.stderr.split())


def test_our_profiles_are_listed() -> None:
    """For people and for machines."""
    assert "load" in run("profiles").stdout
    assert {"analysis", "cluster", "load", "smoke"} == {p["name"] for p in json.loads(run("profiles", "--json").stdout)}
