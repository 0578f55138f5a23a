"""Real servers for every test: one PostgreSQL and one Valkey per xdist worker."""

from __future__ import annotations

import itertools
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import psycopg
import pytest
import redis
from hypothesis import HealthCheck, settings

from scripts.local import postgres, system, valkey
from scripts.local.ports import free_port
from scripts.local.processes import stop
from scripts.local.slots import SlotSpec
from scripts.local.state import State

# The tests' data is thrown away: these servers need not survive a power cut.
NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "shared_buffers": "64MB"}


# Started in the background, a test run inherits signals that are ignored; the tests, and what they start, hear them.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

# No example fails for being slow on a machine that others use too. Where CI is set, Hypothesis's own profile
# `ci` is the parent of this one: the same examples in each run, so that a commit goes red only by what it changed.
settings.register_profile("shared machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared machine")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI a skip is a failure: it would hide a tool that is missing."""
    report = yield
    if report.skipped and os.environ.get("CI"):
        report.longrepr = f"skipped, and CI skips nothing: {report.longrepr}"
        report.outcome = "failed"
    return report


@pytest.fixture(scope="session", autouse=True)
def _reaped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """However this test run ends, even by SIGKILL, no process it started outlives it."""
    reap = (sys.executable, str(Path(__file__).parent / "local" / "reap.py"), str(tmp_path_factory.getbasetemp()))
    # The pipe closes when this process ends; only then does the shell go on.
    argv = ["sh", "-c", 'cat; exec "$@"', "sh", *reap]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True):
        yield


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of the maintenance database of a real server, one per xdist worker."""
    home, port, password = tmp_path_factory.mktemp("postgresql"), free_port(), secrets.token_hex(16)
    process = postgres.launch(home, port, password, NOT_DURABLE)
    try:
        postgres.wait(process, port, password, print)
        yield postgres.url(port, password, "postgres")
    finally:
        stop(home, postgres.NAME, process, postgres.STOP_GRACE_S, postgres.STOP_SIGNAL)


@pytest.fixture(scope="session")
def new_database(postgres_server: str) -> Callable[..., str]:
    """A function that makes an empty database, or a copy of one (`template=its name`), and returns its URL."""
    numbers = itertools.count(1)

    def create(template: str = "template1") -> str:
        name = f"test_{next(numbers)}"
        with psycopg.connect(postgres_server, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return postgres_server.removesuffix("/postgres") + f"/{name}"

    return create


@pytest.fixture(scope="module")
def postgres_url(new_database: Callable[..., str]) -> str:
    """An empty database of the module's own."""
    return new_database()


@pytest.fixture(scope="session")
def valkey_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a real server, one per xdist worker."""
    home, port, password = tmp_path_factory.mktemp("valkey"), free_port(), secrets.token_hex(16)
    process = valkey.launch(home, port, password)
    try:
        valkey.wait(process, port, password, print)
        yield valkey.url(port, password)
    finally:
        stop(home, valkey.NAME, process, valkey.STOP_GRACE_S)


@pytest.fixture
def redis_url(valkey_server: str) -> str:
    """The worker's server, emptied for this test."""
    with redis.Redis.from_url(valkey_server, socket_timeout=5) as client:
        client.flushall()
    return valkey_server


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty home for a local system."""
    return tmp_path / "home"


@pytest.fixture(scope="session")
def artefact() -> Callable[..., SlotSpec]:
    """A function that makes the spec of a slot's twin: `artefact("1.1.0", FAULT_LATENCY_MS="50")`."""
    program = str(Path(__file__).parent / "local" / "artefact.py")

    def spec(version: str, **env: str) -> SlotSpec:
        return SlotSpec(version=version, command=("{python}", program), env=env)

    return spec


@pytest.fixture
def edge(home: Path, artefact: Callable[..., SlotSpec], monkeypatch: pytest.MonkeyPatch) -> Iterator[State]:
    """A local system with Envoy and the twin 1.0.0 in blue, all the traffic on it, and no database or cache."""
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    try:
        yield system.up(home, print, first=artefact("1.0.0"), migrate=lambda url, report: None)
    finally:
        system.down(home, print)
