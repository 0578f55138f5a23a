"""Requests that waited too long at the edge: refused before any work, so that work is done for clients who wait."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest

from app.logs import JsonFormatter
from app.settings import Settings
from loadtest.profile import names, read_profile
from scripts.local import system
from scripts.local.slots import SlotSpec
from scripts.local.state import State
from tests.app.world import Api, environment
from tests.local.traffic import send

THREADS, SERVICE_S = 8, 0.1
CAPACITY = THREADS / SERVICE_S  # answers a second: a thread sleeps for each, so that the machine's load hardly matters
PATIENCE_S, LIMIT_S = 1.0, 0.6  # of a client; of the slot: a request begun in time is answered in time
OVERLOAD_S, CALM_S = 10, 4


def began(seconds_ago: float) -> dict[str, str]:
    return {"X-Request-Start": f"{time.time() - seconds_ago:.6f}"}


def test_what_waited_too_long_is_a_problem_in_metrics_and_log(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    """Nobody looked for its route or its token."""
    with caplog.at_level(logging.INFO, "app"):
        answer = api.post("/tasks", {}, headers={**began(3.5), "X-Request-Id": "edge-given-id"})
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "3")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers.getlist("Cache-Control") == ["no-store"]
    body = answer.get_json()
    assert (body["type"], body["request_id"]) == ("urn:primetrade:problem:overloaded", "edge-given-id")
    line = json.loads(JsonFormatter().format(caplog.records[-1]))
    assert (line["route"], line["status"], line["request_id"]) == ("late", 503, "edge-given-id")
    assert 3500 <= line["queue_ms"] < 60_000
    counted = (
        'http_request_duration_seconds_count{method="POST",route="late",slot="blue",status_code="503",version="dev"}'
    )
    assert f"{counted} 1.0" in api.runtime.metrics.text().decode()


def test_a_browser_may_read_the_refusal(serve: Callable[..., Api]) -> None:
    """Without its header a page would see a failed connection."""
    origin = "https://app.example.org"
    answer = serve(CORS_ORIGINS=origin).get("/tasks", headers={**began(9), "Origin": origin})
    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (503, origin)


@pytest.mark.parametrize("said", [None, 0, -3600, "t=5", "nan"])
def test_without_a_time_or_with_one_to_come_nothing_is_refused(api: Api, said: float | str | None) -> None:
    """A clock ahead of ours tells nothing about a wait."""
    headers = {"X-Request-Start": said} if isinstance(said, str) else {} if said is None else began(said)
    assert api.get("/openapi.json", headers=headers).status_code == 200


def test_only_the_edge_says_when_a_request_began(serve: Callable[..., Api]) -> None:
    api = serve(TRUSTED_PROXIES="10.1.0.0/16")
    for peer, status in (("127.0.0.1", 200), ("10.1.2.3", 503)):
        answer = api.get("/openapi.json", headers=began(9), environ_base={"REMOTE_ADDR": peer})
        assert answer.status_code == status


def test_the_edge_tells_the_slot_when_a_request_began(edge: State) -> None:
    """In Unix seconds, whatever the client claims, on the preview route too."""
    for route in ({}, {"x_route_key": edge.route_key, "x_route_slot": "blue"}):
        before = time.time()
        headers = send(edge, x_request_start="1.0", **route).json()["headers"]
        (said,) = [float(value) for name, value in headers.items() if name.lower() == "x-request-start"]
        assert before - 0.01 <= said <= time.time() + 0.01


def test_no_client_of_ours_leaves_before_a_slot_gives_it_up() -> None:
    limit_s = Settings.from_env(environment(DATABASE_URL="postgresql://db/x", REDIS_URL="redis://cache/0")).queue_limit
    assert [] == [name for name in names() if read_profile(name).timeout_s <= limit_s]


class Answer(msgspec.Struct, frozen=True):
    """When a request was due, in seconds of its load, and its status; 0 when its client left without one."""

    due_s: float
    status: int
    retry_after: bool


async def ask(port: int, due_s: float) -> Answer:
    """A client who leaves when he has waited long enough."""
    writer = None
    try:
        async with asyncio.timeout(PATIENCE_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /openapi.json HTTP/1.1\r\nHost: slot\r\n\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
        return Answer(due_s, int(head[9:12]), b"\r\nretry-after: 1\r\n" in head.lower())
    except (TimeoutError, OSError, asyncio.IncompleteReadError):
        return Answer(due_s, 0, retry_after=False)
    finally:
        if writer is not None:
            writer.close()


async def load(port: int, rate: float, seconds: float) -> list[Answer]:
    """Requests at fixed moments, whatever became of those before."""
    asked, start = [], time.monotonic()
    for number in range(int(rate * seconds)):
        due_s = number / rate
        await asyncio.sleep(max(0.0, start + due_s - time.monotonic()))
        asked.append(asyncio.create_task(ask(port, due_s)))
    return await asyncio.gather(*asked)


async def overload_then_calm(port: int) -> tuple[list[Answer], list[Answer]]:
    """Twice what the slot can do, and right behind it half of that."""
    overload = asyncio.create_task(load(port, 2 * CAPACITY, OVERLOAD_S))
    await asyncio.sleep(OVERLOAD_S)
    calm = await load(port, CAPACITY / 2, CALM_S)
    return await overload, calm


def goodput(answers: list[Answer], seconds: float) -> float:
    """Answers a second, as a share of what the slot can do."""
    return sum(answer.status == 200 for answer in answers) / seconds / CAPACITY


@pytest.fixture
def slot(
    home: Path, database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., int]]:
    """A function that starts the application behind Envoy and gives the edge's port: `slot(QUEUE_LIMIT="1")`."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("REDIS_URL", redis_url)
    slow = {"THREADS": str(THREADS), "FAULTS_ENABLED": "1", "FAULT_LATENCY_MS": f"{1000 * SERVICE_S:g}"}
    slow["RATE_LIMIT_PER_MINUTE"] = "1000000"

    def start(**settings: str) -> int:
        first = SlotSpec("1.0.0", env={**slow, **settings})
        return system.up(home, print, first=first, migrate=lambda url, report: None).edge_port

    with ExitStack() as stack:
        stack.callback(system.down, home, print)
        yield start


@pytest.mark.faults
def test_an_overloaded_slot_answers_all_it_can_and_recovers_at_once(slot: Callable[..., int]) -> None:
    """The others are told to come again; when the load is back to what it can do, next to nothing is refused."""
    overload, calm = asyncio.run(overload_then_calm(slot(QUEUE_LIMIT=str(LIMIT_S))))
    assert goodput(overload, OVERLOAD_S) > 0.7
    assert all(answer.retry_after for answer in overload if answer.status == 503)
    assert sum(answer.status == 503 for answer in overload) > len(overload) / 4
    assert sum(answer.status == 200 for answer in calm) > 0.9 * len(calm)


@pytest.mark.faults
def test_without_a_limit_an_overloaded_slot_works_for_clients_who_have_gone(slot: Callable[..., int]) -> None:
    """Once its queue is as long as they wait, next to nobody is answered, nor when the load is half of what it can do.

    This is what the limit is there for.
    """
    overload, calm = asyncio.run(overload_then_calm(slot(QUEUE_LIMIT="1000")))
    queued = [answer for answer in overload if answer.due_s > 3 * PATIENCE_S]
    assert goodput(queued, OVERLOAD_S - 3 * PATIENCE_S) < 0.3
    assert sum(answer.status == 200 for answer in calm) < 0.5 * len(calm)
