"""The application over a real PostgreSQL and a real Valkey: in this process, and as a real gunicorn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from app import backfill, contract
from app.migrate import migrate
from tests.app.server import Server
from tests.app.world import Api, environment, running


@pytest.fixture(scope="session")
def migrated(new_database: Callable[..., str]) -> str:
    """The name of a migrated database that others are copied from."""
    url = new_database()
    migrate(url, lambda line: None)
    return urlsplit(url).path[1:]


@pytest.fixture
def contracted(new_database: Callable[..., str], migrated: str) -> str:
    """A database at the highest level: backfills finished, contract steps applied."""
    url = new_database(template=migrated)
    for each in backfill.read_backfills():
        backfill.run(url, each)
    while step := contract.upcoming(url):
        contract.apply(url, step)
    return url


@pytest.fixture(scope="module")
def database_url(new_database: Callable[..., str], migrated: str) -> str:
    """A migrated database of the module's own."""
    return new_database(template=migrated)


@pytest.fixture
def serve(database_url: str, redis_url: str) -> Iterator[Callable[..., Api]]:
    """A function that puts an application together with other settings: `serve(RATE_LIMIT_PER_MINUTE="5")`."""
    defaults = {"DATABASE_URL": database_url, "REDIS_URL": redis_url}
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(running(**{**defaults, **settings}))


@pytest.fixture
def api(serve: Callable[..., Api]) -> Api:
    """The application with the settings it has by default."""
    return serve()


@pytest.fixture
def start(database_url: str, redis_url: str, tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """A function that starts a real gunicorn: `start(FAULTS_ENABLED="1")`. It is stopped at the end."""
    defaults = {"DATABASE_URL": database_url, "REDIS_URL": redis_url}
    with ExitStack() as stack:

        def launch(**settings: str) -> Server:
            server = Server(environment(**{**defaults, **settings}), tmp_path / "server.log")
            stack.callback(server.kill)
            return server

        yield launch
