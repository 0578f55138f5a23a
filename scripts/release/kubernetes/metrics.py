"""Users' requests as Prometheus counts them, and what a pod says it has in flight.

A gate needs counters that only grow: here each pod's own are added up, so that a pod that comes, goes or begins anew
takes nothing away from its slot's. Whatever is down, empty, no number or not there is an error with the reason; figures
that stand still are found by the gate itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec
import urllib3
from prometheus_client.parser import text_string_to_metric_families

from scripts.release.errors import ReleaseError
from scripts.release.histogram import NAME, READS, slow_answers
from scripts.release.route import SLOTS
from scripts.release.slots import Tally

ASK_S: Final = 5.0
WINDOW: Final = "30s"  # what was not scraped for so long is gone
RATE: Final = "15s"
EVERY_S, LEAST = 2, 4  # s between two scrapes, as gates look at figures of 3 s; fewer in RATE are too few for sure
IN_FLIGHT: Final = "http_requests_in_flight"
WHOLE: Final = math.inf  # the bucket of all answers

Bound = float  # of a bucket, in ms


class Sample(NamedTuple):
    """One series of an answer."""

    labels: Mapping[str, str]
    value: float


class Count(NamedTuple):
    """A counter of a slot: so many of its answers, failed or not, were there within `bound`."""

    slot: str
    failed: bool
    bound: Bound


class Growing:
    """Counters of many pods as sums that never fall. A series seen for the first time counts whole."""

    def __init__(self) -> None:
        self._last: dict[object, float] = {}
        self._sums: dict[Count, float] = {}

    def add(self, found: Iterable[tuple[object, Count, float]]) -> Mapping[Count, float]:
        """The sums after a look: series, what it counts, how much it says."""
        for series, count, value in found:
            last = self._last.get(series, 0.0)
            self._sums[count] = self._sums.get(count, 0.0) + (value - last if value >= last else value)
            self._last[series] = value
        return self._sums


def answers_query(namespace: str, app: str, *, reads: bool = False) -> str:
    """Answers by pod, status and bucket, by the histogram of the applications; a pod without any by its `up`."""
    pods = _pods(namespace, app)
    method = f',method=~"{"|".join(READS)}"' if reads else ""
    counted = f"sum by (pod, status_code, le) (last_over_time({NAME}_bucket{{{pods}{method}}}[{WINDOW}]))"
    return f"{counted} or last_over_time(up{{{pods}}}[{WINDOW}]) == 1"


def edge_query(namespace: str, app: str) -> str:
    """Answers by pod address, by an Envoy Gateway's count of the users' own rules."""
    rules = f'envoy_cluster_name=~"httproute/{namespace}/{app}/rule/[0-9]+"'
    kinds = ("success", "error")
    return " or ".join(
        f"label_replace(sum by (envoy_endpoint_address) (last_over_time(envoy_cluster_endpoint_rq_{kind}{{{rules}}}"
        f'[{WINDOW}])), "kind", "{kind}", "", "")'
        for kind in kinds
    )


def rate_query(namespace: str, app: str, *, edge: bool) -> str:
    """Users' requests a second, as the applications count them, or the gateway."""
    return f"sum(rate({_requests(namespace, app, edge)}[{RATE}]))"


def scrapes_query(namespace: str, app: str, *, edge: bool) -> str:
    """How often a counter of them was scraped in RATE, at most: of those that are there now, and were before."""
    counter = _requests(namespace, app, edge)
    return f"max((count_over_time({counter}[{RATE}]) or 0 * {counter}) and {counter} and {counter} offset {RATE})"


def _requests(namespace: str, app: str, edge: bool) -> str:
    if edge:
        return f'envoy_cluster_endpoint_rq_total{{envoy_cluster_name=~"httproute/{namespace}/{app}/rule/[0-9]+"}}'
    return f"{NAME}_count{{{_pods(namespace, app)}}}"


def _pods(namespace: str, app: str) -> str:
    return f'namespace="{namespace}",pod=~"{app}-({"|".join(SLOTS)})-.+"'


def read_answers(samples: Sequence[Sample], app: str) -> list[tuple[object, Count, float]]:
    """What `answers_query` found, by slot; a pod that has answered nobody yet counts 0."""
    found: list[tuple[object, Count, float]] = []
    for labels, value in samples:
        pod = labels.get("pod", "")
        slot = next((slot for slot in SLOTS if pod.startswith(f"{app}-{slot}-")), "")
        if not slot:
            continue
        if "le" not in labels:
            found.append((pod, Count(slot, failed=False, bound=WHOLE), 0.0))
            continue
        status = labels.get("status_code", "")
        bound = round(float(labels["le"]) * 1000, 6)
        found.append(((pod, status, bound), Count(slot, status.startswith("5"), bound), value))
    return found


def read_edge(samples: Sequence[Sample], slots: Mapping[str, str]) -> list[tuple[object, Count, float]]:
    """What `edge_query` found, by slot; `slots` says which slot a pod's IP is of."""
    return [
        ((address, labels.get("kind")), Count(slots[address], labels.get("kind") == "error", WHOLE), value)
        for labels, value in samples
        if (address := labels.get("envoy_endpoint_address", "").rpartition(":")[0]) in slots
    ]


def tallies(
    sums: Mapping[Count, float], latency_ms: float, edge: Mapping[Count, float] | None = None
) -> Mapping[str, Tally]:
    """The slots that anything is known of. `edge`: who counts the requests, where it is not the application."""
    counted = sums if edge is None else edge
    found = {}
    for slot in {count.slot for count in (*sums, *counted)}:
        failed, good = (round(counted.get(Count(slot, failed, WHOLE), 0.0)) for failed in (True, False))
        bounds = {count.bound: round(value) for count, value in sums.items() if count[:2] == (slot, False)}
        within = bounds if len(bounds) > 1 else None
        found[slot] = Tally(failed + good, failed, slow_answers(within, latency_ms), within)
    return found


def in_flight(text: str) -> int | None:
    """The requests that a process has begun and not answered; None where it does not say."""
    try:
        for family in text_string_to_metric_families(text):
            if family.name == IN_FLIGHT:
                return round(sum(sample.value for sample in family.samples))
    except (OverflowError, ValueError):
        return None
    return None


class Prometheus:
    """The HTTP API of a Prometheus."""

    def __init__(self, address: str) -> None:
        self._address = address.rstrip("/")
        self._pool = urllib3.PoolManager(retries=False, timeout=ASK_S)

    def ask(self, query: str) -> Sequence[Sample]:
        """The instant vector of a query. Raises ReleaseError for one that is down, refuses, or says no numbers."""
        if not self._address:
            raise ReleaseError("nobody counts users' requests: say kubernetes.prometheus in release.yaml, its address")
        try:
            reply = self._pool.request(
                "POST", f"{self._address}/api/v1/query", fields={"query": query}, encode_multipart=False
            )
        except (urllib3.exceptions.HTTPError, ValueError) as exc:
            raise ReleaseError(f"Prometheus {self._address} does not answer: {exc}") from exc
        try:
            return samples(reply.status, reply.data)
        except ReleaseError as exc:
            raise ReleaseError(f"Prometheus {self._address} {exc}") from exc


class _Data(msgspec.Struct):
    result: list[Any] = []


class _Answer(msgspec.Struct):
    status: str
    data: _Data = msgspec.field(default_factory=_Data)
    error: str = ""


def samples(status: int, body: bytes) -> Sequence[Sample]:
    """An answer of the query API. Raises ReleaseError."""
    try:
        answer = msgspec.json.decode(body, type=_Answer)
    except msgspec.DecodeError:
        raise ReleaseError(f"answers with {status} and {body[:100]!r}: is it a Prometheus?") from None
    if answer.status != "success":
        raise ReleaseError(f"refuses: {answer.error}")
    found = [Sample(each["metric"], float(each["value"][1])) for each in answer.data.result]
    if bad := [each for each in found if not math.isfinite(each.value)]:
        raise ReleaseError(f"says {bad[0].value} of {dict(bad[0].labels)}: that is no count")
    return found
