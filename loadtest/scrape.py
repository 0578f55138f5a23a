"""What the slots' own metrics say of a run: waits for pooled connections, cache answers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping

import urllib3
from prometheus_client.parser import text_string_to_metric_families

from loadtest import units
from loadtest.result import Fact
from loadtest.usage import Every

INTERVAL_S = 5.0
TIMEOUT_S = 1.0
BEGAN = "process_start_time_seconds"
Counters = Mapping[str, float]  # by name and label values: "cache_requests_total l1 hit"
Address = Callable[[], str | None]  # where a slot's metrics are now, if it runs


class MetricsSampler:
    """Reads each slot's metrics now and then, so that a process that ends in mid-run is not forgotten."""

    def __init__(self, slots: Mapping[str, Address], interval_s: float = INTERVAL_S) -> None:
        self._slots = slots
        self._http = urllib3.PoolManager(timeout=TIMEOUT_S, retries=False)
        self._seen: dict[str, list[Counters]] = {slot: [] for slot in slots}
        self._opened = 0.0
        self._every = Every(interval_s, self._look)

    def start(self, now: float) -> None:
        """Count from `now` (Unix seconds)."""
        self._opened = now
        self._every.start()

    def stop(self) -> tuple[Fact, ...]:
        """What happened since `start`, slot by slot."""
        self._every.stop()
        self._http.clear()
        return tuple(fact for slot, seen in self._seen.items() for fact in facts(slot, increase(seen, self._opened)))

    def _look(self) -> None:
        for slot, address in self._slots.items():
            url = address()
            if url is not None:
                self._seen[slot] += self._scrape(url)

    def _scrape(self, url: str) -> list[Counters]:
        """One reading, or none when the slot does not answer: it may be starting or ending."""
        try:
            answer = self._http.request("GET", url)
        except urllib3.exceptions.HTTPError:
            return []
        return [parse(answer.data.decode())] if answer.status == 200 else []


def parse(exposition: str) -> Counters:
    """The counters that `facts` needs from Prometheus' text format, by name and label values."""
    return {
        " ".join([sample.name, *sample.labels.values()]): sample.value
        for family in text_string_to_metric_families(exposition)
        for sample in family.samples
        if sample.name == BEGAN or sample.name.startswith(("db_pool_wait_seconds", "cache_requests_total"))
    }


def increase(readings: list[Counters], opened: float) -> Counters:
    """How much each counter grew, over processes that replaced one another: each is known by when it began."""
    processes: dict[float, tuple[Counters, Counters]] = {}
    for reading in readings:
        began = reading.get(BEGAN, 0.0)
        first = processes[began][0] if began in processes else {} if began >= opened else reading
        processes[began] = (first, reading)
    grown: dict[str, float] = defaultdict(float)
    for first, last in processes.values():
        for name in last.keys() - {BEGAN}:
            grown[name] += last[name] - first.get(name, 0.0)
    return grown


def facts(slot: str, grown: Counters) -> list[Fact]:
    """The lines of the report's table."""
    found: list[Fact] = []
    checkouts, waited_ms = grown.get("db_pool_wait_seconds_count", 0), 1000 * grown.get("db_pool_wait_seconds_sum", 0)
    if checkouts:
        note = f"{units.ms(waited_ms)} in {units.count(checkouts)} check-outs"
        found.append(Fact(f"wait for a database connection, {slot}", f"{units.ms(waited_ms / checkouts)} mean", note))
    memory, valkey = grown.get("cache_requests_total l1 hit", 0), grown.get("cache_requests_total l2 hit", 0)
    if look_ups := memory + grown.get("cache_requests_total l1 miss", 0):
        shares = f"{units.percent(memory / look_ups)} from memory, {units.percent(valkey / look_ups)} from Valkey"
        found.append(Fact(f"cache, {slot}", shares, f"of {units.count(look_ups)} look-ups; the rest was computed"))
    return found
