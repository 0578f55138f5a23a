"""A real server to load, and runs against it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from loadtest.launch import RunConfig, launch
from loadtest.profile import Journey, Profile
from loadtest.recording import Recording


class Server:
    """A running tests/loadtest/server.py."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self.process = process
        self.url = f"http://127.0.0.1:{int(process.stdout.readline())}"

    def counts(self) -> dict[str, int]:
        """How often each "METHOD path" was asked for."""
        with urllib.request.urlopen(f"{self.url}/counts", timeout=5) as response:
            return dict(json.load(response))

    def freeze(self) -> None:
        os.kill(self.process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.process.pid, signal.SIGCONT)


@pytest.fixture
def server() -> Iterator[Server]:
    script = Path(__file__).with_name("server.py")
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as process:
        found = Server(process)
        yield found
        found.thaw()
        process.kill()


@pytest.fixture
def config(server: Server, tmp_path: Path) -> Callable[..., RunConfig]:
    """A function from journeys, and settings of the profile and the run, to a short run against the server."""

    def build(*journeys: Journey, run: dict[str, object] | None = None, **settings: object) -> RunConfig:
        plain: dict[str, object] = {"name": "test", "rate": 100, "steady_s": 2, "timeout_s": 2, "journeys": journeys}
        profile = msgspec.convert(plain | settings, Profile)
        values: dict[str, object] = {"target": server.url, "out_dir": str(tmp_path), "thresholds_ms": (100.0, 200.0)}
        return RunConfig(profile=profile, **(values | (run or {})))  # type: ignore[arg-type]  # mixed on purpose

    return build


@pytest.fixture
def recorded(config: Callable[..., RunConfig]) -> Callable[..., Recording]:
    """As `config`, run to its end."""

    def run(*journeys: Journey, **settings: object) -> Recording:
        with launch(config(*journeys, **settings)) as load:
            return load.wait()

    return run
