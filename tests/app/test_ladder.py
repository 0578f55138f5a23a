"""The ladder of time limits: each inner one fires before the one around it."""

from __future__ import annotations

import re
import runpy
from itertools import pairwise

import pytest

from app import bodies, call, database, migrate, valkey
from scripts.local.envoy_config import REQUEST_S, ROUTE_S, UPSTREAM_IDLE_S
from tests.app.world import environment


def option(name: str) -> float:
    """Seconds of a session limit the pool sets."""
    match = re.search(rf"{name} = '(\d+)s'", database.SESSION)
    assert match is not None
    return float(match[1])


def test_every_inner_limit_is_shorter_than_the_one_around_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment(DATABASE_URL="postgresql://db/x", REDIS_URL="redis://cache/0").items():
        monkeypatch.setenv(name, value)
    server = runpy.run_module("app.gunicorn_conf")
    ladder = [
        ROUTE_S,
        server["timeout"],
        call.DEADLINE_S,
        database.CLIENT_S,
        option("statement_timeout"),
        option("lock_timeout"),
        database.CHECKOUT_S,
        valkey.TIMEOUT_S,
    ]
    assert all(outer > inner for outer, inner in pairwise(ladder)), ladder
    assert server["keepalive"] > UPSTREAM_IDLE_S
    assert bodies.BODY_S < REQUEST_S < ROUTE_S
    assert migrate.LOCK_TIMEOUT == "500ms"
