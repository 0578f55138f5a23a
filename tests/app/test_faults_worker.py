"""A worker killed with -9: what was in flight in it fails, and nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import urllib3

from tests.app.server import Server

pytestmark = pytest.mark.faults


def test_only_requests_in_flight_in_a_killed_worker_fail(start: Callable[..., Server]) -> None:
    server = start(FAULTS_ENABLED="1", FAULT_LATENCY_MS="1000").ready()
    killed = server.worker

    def ask() -> int:
        try:
            return server.get("/health")[0]
        except urllib3.exceptions.HTTPError:
            return 0

    with ThreadPoolExecutor(10) as pool:
        in_flight = [pool.submit(ask) for _ in range(5)]
        time.sleep(0.5)
        killed.kill()
        after = [pool.submit(ask) for _ in range(5)]
        assert [request.result(30) for request in in_flight] == [0] * 5
        assert [request.result(30) for request in after] == [200] * 5
    server.ready()
    assert server.worker.pid != killed.pid
    assert server.terminate() == 0
