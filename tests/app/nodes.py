"""A PostgreSQL and a Valkey of a test's own, to be killed, frozen and brought back on the same port."""

from __future__ import annotations

import signal
from pathlib import Path

import psutil

from scripts.local import postgres, valkey
from scripts.local.ports import free_port
from scripts.local.processes import Process, marked, stop

PASSWORD = "nodes"


class Node:
    """One server. `start` waits until it answers."""

    name = ""

    def __init__(self, home: Path) -> None:
        self.home, self.port = home, free_port()
        self.process: Process | None = None

    def start(self) -> None:
        raise NotImplementedError

    def kill(self) -> None:
        """SIGKILL to it and to all it started."""
        stop(self.home, self.name, self.process, 0.0, signal.SIGKILL)

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, signum: signal.Signals) -> None:
        for member in marked(self.home, self.name):
            for process in (member, *member.children(recursive=True)):
                if process.status() != psutil.STATUS_ZOMBIE:
                    process.send_signal(signum)


class Postgres(Node):
    name = postgres.NAME

    @property
    def url(self) -> str:
        return postgres.url(self.port, PASSWORD)

    def start(self) -> None:
        self.process = postgres.launch(self.home, self.port, PASSWORD, {"shared_buffers": "32MB"})
        postgres.wait(self.process, self.port, PASSWORD, print)


class Valkey(Node):
    name = valkey.NAME

    @property
    def url(self) -> str:
        return valkey.url(self.port, PASSWORD)

    def start(self) -> None:
        self.process = valkey.launch(self.home, self.port, PASSWORD)
        valkey.wait(self.process, self.port, PASSWORD, print)
