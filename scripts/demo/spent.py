"""What the parts of the local system spend while the load runs: CPU by process, and what the slots' metrics say."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from loadtest.recording import Recording
from loadtest.result import Fact, Usage
from loadtest.scrape import MetricsSampler
from loadtest.usage import UsageSampler, tree, usages
from scripts.local import envoy, postgres, valkey
from scripts.local.envoy_config import SLOTS
from scripts.local.slots import read_slot
from scripts.local.state import State


class Spending:
    """Both samplers over one window, for the system in `home`."""

    def __init__(self, state: State, home: Path, generator: int) -> None:
        def server(name: str) -> Callable[[], list[int]]:
            return lambda: tree(state.processes[name].pid) if name in state.processes else []

        def slots() -> list[int]:
            found = [slot for name in SLOTS if (slot := read_slot(home, name))]
            return [pid for slot in found for replica in slot.replicas for pid in tree(replica.process.pid)]

        def metrics(name: str) -> Callable[[], str | None]:
            # One replica speaks for its slot: the facts are means and shares.
            def address() -> str | None:
                slot = read_slot(home, name)
                return f"http://127.0.0.1:{slot.replicas[0].admin_port}/metrics" if slot else None

            return address

        self._usage = UsageSampler(
            {
                "app": slots,
                "Envoy": server(envoy.NAME),
                "PostgreSQL": server(postgres.NAME),
                "Valkey": server(valkey.NAME),
                "generator": lambda: tree(generator),
            }
        )
        self._metrics = MetricsSampler({name: metrics(name) for name in SLOTS})
        self._cpu_s: dict[str, float] = {}
        self.facts: tuple[Fact, ...] = ()

    def start(self) -> None:
        """Open the window."""
        now = time.time()
        self._usage.start(now)
        self._metrics.start(now)

    def stop(self) -> None:
        """Close it."""
        self._cpu_s = self._usage.stop()
        self.facts = self._metrics.stop()

    def usage(self, recording: Recording) -> tuple[Usage, ...]:
        """CPU of each part over the users' requests of the window; requests of the analysis load are on top of them."""
        return usages(self._cpu_s, {}, recording.generator.requests)
