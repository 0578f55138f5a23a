"""CPU seconds that each part of the system spends while a load runs, by sets of processes that come and go."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping

import msgspec
import psutil

from loadtest.result import Usage

INTERVAL_S = 2.0
# Milliseconds of CPU a request may cost (the design's performance budget), by the first word of the part's name.
BUDGETS_MS = {"app": 0.5, "envoy": 0.25, "postgresql": 0.2, "valkey": 0.1, "generator": 0.2}

Key = tuple[int, float]  # process id and the moment it was created: ids come again
Pids = Callable[[], Iterable[int]]


class Reading(msgspec.Struct, frozen=True):
    """CPU seconds of one process and of the children it has waited for, since it was created."""

    cpu_s: float
    parent: int


class Account:
    """What one part has spent since it was opened: pure arithmetic over successive readings.

    A process that ended has handed its seconds to its parent, if that is still there; if not, what was last seen of it
    counts. A process that began after the account was opened counts whole.
    """

    def __init__(self, opened: float) -> None:
        self._opened = opened
        self._alive: dict[Key, Reading] = {}
        self._ended_s = 0.0
        self._before: dict[Key, float] = {}

    def add(self, readings: Mapping[Key, Reading]) -> None:
        """Take the readings of all processes of the part at one moment."""
        pids = {pid for pid, _ in readings}
        self._ended_s += sum(
            old.cpu_s for key, old in self._alive.items() if key not in readings and old.parent not in pids
        )
        for key, reading in readings.items():
            self._before.setdefault(key, reading.cpu_s if key[1] < self._opened else 0.0)
        self._alive = dict(readings)

    @property
    def spent_s(self) -> float:
        """CPU seconds since the account was opened."""
        alive = sum(reading.cpu_s for reading in self._alive.values())
        return max(0.0, alive + self._ended_s - sum(self._before.values()))


class Every(threading.Thread):
    """Does `act` before `start` returns, then every `interval_s`, and once more when it is stopped."""

    def __init__(self, interval_s: float, act: Callable[[], None]) -> None:
        super().__init__(name=f"every {interval_s:g} s", daemon=True)
        self._interval_s, self._act = interval_s, act
        self._over = threading.Event()
        self._error: Exception | None = None

    def start(self) -> None:
        """Act for the first time, and go on."""
        self._act()
        super().start()

    def run(self) -> None:
        """The thread itself."""
        try:
            while not self._over.wait(self._interval_s):
                self._act()
            self._act()
        except Exception as exc:  # noqa: BLE001 - raised again where somebody can hear it
            self._error = exc

    def stop(self) -> None:
        """End it; returns when the last act is done, and raises what an act raised."""
        self._over.set()
        self.join()
        if self._error is not None:
            raise self._error


class UsageSampler:
    """Watches the processes of each part; `parts` are asked anew each time, since processes come and go."""

    def __init__(self, parts: Mapping[str, Pids], interval_s: float = INTERVAL_S) -> None:
        self._parts = parts
        self._accounts: dict[str, Account] = {}
        self._every = Every(interval_s, self._look)

    def start(self, now: float) -> None:
        """Open the accounts at `now` (Unix seconds)."""
        self._accounts = {part: Account(now) for part in self._parts}
        self._every.start()

    def stop(self) -> dict[str, float]:
        """CPU seconds of each part since `start`."""
        self._every.stop()
        return {part: account.spent_s for part, account in self._accounts.items()}

    def _look(self) -> None:
        for part, pids in self._parts.items():
            self._accounts[part].add(read(pids()))


def tree(pid: int) -> list[int]:
    """A process and all below it; none when it has ended."""
    try:
        process = psutil.Process(pid)
        return [pid, *(child.pid for child in process.children(recursive=True))]
    except psutil.NoSuchProcess:
        return []


def read(pids: Iterable[int]) -> dict[Key, Reading]:
    """The CPU seconds of those of `pids` that are still there."""
    found: dict[Key, Reading] = {}
    for pid in pids:
        try:
            process = psutil.Process(pid)
            with process.oneshot():
                times = process.cpu_times()
                key = (pid, process.create_time())
                found[key] = Reading(
                    times.user + times.system + times.children_user + times.children_system, process.ppid()
                )
        except psutil.NoSuchProcess:
            continue
    return found


def usages(cpu_s: Mapping[str, float], requests: Mapping[str, int], all_requests: int) -> tuple[Usage, ...]:
    """CPU per request of each part: by its own requests where `requests` knows them ("app blue"), else by all."""
    return tuple(
        Usage(
            part=part,
            cpu_s=seconds,
            cpu_ms_per_request=1000 * seconds / count if (count := requests.get(part, all_requests)) else 0.0,
            budget_ms=BUDGETS_MS.get(part.partition(" ")[0].lower()),
        )
        for part, seconds in cpu_s.items()
    )
