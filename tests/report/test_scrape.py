"""Waits and cache answers over a run, from the metrics that the slots expose."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from prometheus_client import CollectorRegistry, Counter, Summary, generate_latest

from loadtest.result import Fact
from loadtest.scrape import BEGAN, MetricsSampler, increase, parse

WAITED = "db_pool_wait_seconds_sum"


class Slot(HTTPServer):
    """The admin port of a slot, with the counters that the application has."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Metrics)
        self.registry = CollectorRegistry()
        self.wait = Summary("db_pool_wait_seconds", "Waits.", registry=self.registry)
        self.cache = Counter("cache_requests", "Look-ups.", ("level", "result"), registry=self.registry)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/metrics"


class Metrics(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Slot)
        body = generate_latest(self.server.registry)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def slot() -> Iterator[Slot]:
    with Slot() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_only_what_happened_meanwhile_is_told(slot: Slot) -> None:
    """Waits before the run are not the run's."""
    slot.wait.observe(5.0)
    sampler = MetricsSampler({"blue": lambda: slot.url}, interval_s=3600)
    sampler.start(now=1.0)
    slot.wait.observe(0.003)
    slot.wait.observe(0.005)
    slot.cache.labels("l1", "hit").inc(6)
    slot.cache.labels("l1", "miss").inc(4)
    slot.cache.labels("l2", "hit").inc(3)
    assert sampler.stop() == (
        Fact("wait for a database connection, blue", "4.0 ms mean", "8.0 ms in 2 check-outs"),
        Fact("cache, blue", "60 % from memory, 30 % from Valkey", "of 10 look-ups; the rest was computed"),
    )


def test_a_slot_that_does_not_answer_tells_nothing(slot: Slot) -> None:
    """One that does not run, and one that refuses connections."""
    gone = slot.url.replace(str(slot.server_port), "1")
    sampler = MetricsSampler({"blue": lambda: None, "green": lambda: gone}, interval_s=3600)
    sampler.start(now=1.0)
    assert sampler.stop() == ()


def test_counters_grow_over_processes_that_replace_one_another() -> None:
    """A slot that was started again counts from nothing; one that began in mid-run counts whole."""
    readings = [
        {BEGAN: 900.0, WAITED: 7.0},
        {BEGAN: 900.0, WAITED: 9.0},
        {BEGAN: 1010.0, WAITED: 1.0},
        {BEGAN: 1010.0, WAITED: 4.0},
    ]
    assert increase(readings, opened=1000.0) == {WAITED: 6.0}


def test_other_metrics_are_left_out() -> None:
    """A slot exposes hundreds of series; the report has two lines for them."""
    text = 'up 1\ncache_requests_total{level="l1",result="hit"} 3\nprocess_start_time_seconds 900\n'
    assert parse(text) == {"cache_requests_total l1 hit": 3.0, BEGAN: 900.0}
