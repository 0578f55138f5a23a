"""A real gunicorn with the application, and requests to both of its ports."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
import psutil
import urllib3

from scripts.local.ports import free_port
from tests.app.world import ADMIN_TOKEN

ROOT = Path(__file__).parents[2]
WAIT_S = 20.0
# Nothing is tried again behind a test's back.
NO_RETRIES = urllib3.Retry(0, read=False, redirect=False)


class Server:
    """One gunicorn: arbiter and worker. `port` and `admin_port` are on loopback."""

    def __init__(self, settings: Mapping[str, str], log: Path) -> None:
        self.port, self.admin_port, self.log = free_port(), free_port(), log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "gunicorn", "-c", "app/gunicorn_conf.py", "app.wsgi:app"],
                cwd=ROOT,
                env={"PORT": str(self.port), "ADMIN_PORT": str(self.admin_port), **settings},
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def get(self, path: str, timeout: float = 15.0, headers: Mapping[str, str] | None = None) -> tuple[int, bytes]:
        """Status and body of a request on a connection of its own."""
        return self.request("GET", self.port, path, timeout=timeout, headers=headers)

    def probe(self, path: str, timeout: float = 2.0) -> tuple[int, bytes]:
        """A GET on the admin port."""
        return self.request("GET", self.admin_port, path, timeout=timeout)

    def order(self, path: str, body: object, token: str = ADMIN_TOKEN) -> tuple[int, bytes]:
        """A POST on the admin port."""
        headers = {"Authorization": f"Bearer {token}"}
        return self.request("POST", self.admin_port, path, headers=headers, body=msgspec.json.encode(body))

    def request(
        self,
        method: str,
        port: int,
        path: str,
        *,
        timeout: float = 2.0,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> tuple[int, bytes]:
        """Status and body."""
        with urllib3.HTTPConnectionPool("127.0.0.1", port, timeout=timeout, retries=NO_RETRIES) as pool:
            answer = pool.request(method, path, headers=headers, body=body)
            return answer.status, answer.data

    def ready(self) -> Server:
        """Wait until /readyz says so."""
        self.wait(lambda: self.probe("/readyz")[0] == 200, "ready")
        return self

    def wait(self, condition: Callable[[], bool], words: str) -> None:
        """Wait for a condition; a refused connection counts as not yet."""
        deadline = time.monotonic() + WAIT_S
        while True:
            try:
                if condition():
                    return
            except urllib3.exceptions.HTTPError:
                pass
            assert time.monotonic() < deadline, f"not {words} within {WAIT_S:.0f} s: {self.log.read_text()}"
            assert self.process.poll() is None, f"ended before it was {words}: {self.log.read_text()}"
            time.sleep(0.02)

    @property
    def worker(self) -> psutil.Process:
        """The process that answers."""
        return psutil.Process(int(msgspec.json.decode(self.probe("/version")[1])["pid"]))

    def terminate(self) -> int:
        """SIGTERM; the exit code, once it has ended."""
        self.process.terminate()
        return self.process.wait(WAIT_S + 10)

    def kill(self) -> None:
        """End it and its workers, whatever state they are in."""
        if self.process.poll() is not None:
            return
        family = [psutil.Process(self.process.pid), *psutil.Process(self.process.pid).children(recursive=True)]
        for member in family:
            member.kill()
        self.process.wait(WAIT_S)
