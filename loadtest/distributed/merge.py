"""One recording out of the parts of several workers: a pure function, and nothing is lost on the way.

A worker's times count from when it was told to begin, on its own clock, so no two clocks are ever compared; they lie
apart by less than the word took to reach all workers, which a guard limits.
"""

from __future__ import annotations

import math
from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from msgspec.structs import replace

from loadtest import histogram
from loadtest.distributed.messages import Part
from loadtest.launch import RunConfig
from loadtest.recording import Block, Cell, Failure, Generator, Recording, Sample, Second, Worker
from loadtest.tally import rank

T = TypeVar("T")
R = TypeVar("R")
Key = int | tuple[int | str, ...]


def merged(parts: Sequence[Part], workers: Sequence[Worker], epoch: float, config: RunConfig) -> Recording:
    """The recording of the whole run, `parts` of which came; `epoch` is the master's, in Unix seconds."""
    recordings = [part.recording for part in parts]
    shortest = min(recordings, key=lambda recording: recording.phases[-1].end)
    return replace(
        shortest,
        seed=config.seed,
        rate=config.profile.rate,
        epoch=epoch,
        interrupted=False,  # it is invalid for the worker that was, which is another exit code
        seconds=_joined((s for part in parts for s in part.samples), lambda s: s.second.t, merged_second),
        cells=_joined((c for r in recordings for c in r.cells), lambda c: (c.route, c.slot), _cell),
        blocks=_joined((b for r in recordings for b in r.blocks), lambda b: (b.t, b.route), _block),
        response=_histogram(r.response for r in recordings),
        service=_histogram(r.service for r in recordings),
        lag=_histogram(r.lag for r in recordings),
        failures=_failures(recordings),
        generator=_generator([r.generator for r in recordings]),
        workers=tuple(workers),
    )


def merged_second(samples: Sequence[Sample]) -> Second:
    """The same second of several workers."""
    seconds = [sample.second for sample in samples]
    responses, lags = (_ascending(raw) for raw in ((s.responses for s in samples), (s.lags for s in samples)))
    p50, p95, p99 = (rank(responses, share) * 1000 for share in (50, 95, 99))
    return Second(
        t=seconds[0].t,
        phase=seconds[0].phase,
        offered=sum(s.offered for s in seconds),
        sent=sum(s.sent for s in seconds),
        ok=sum(s.ok for s in seconds),
        failed=sum(s.failed for s in seconds),
        dropped=sum(s.dropped for s in seconds),
        over=_over(seconds),
        slots=dict(sum((Counter(s.slots) for s in seconds), Counter())),
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
        lag_p99_ms=rank(lags, 99) * 1000,
        in_flight=sum(s.in_flight for s in seconds),
    )


def _joined(items: Iterable[T], key: Callable[[T], Key], join: Callable[[Sequence[T]], R]) -> tuple[R, ...]:
    """One of each key, in the order of the keys."""
    groups: dict[Key, list[T]] = defaultdict(list)
    for item in items:
        groups[key(item)].append(item)
    return tuple(join(groups[found]) for found in sorted(groups))


def _cell(cells: Sequence[Cell]) -> Cell:
    return Cell(
        cells[0].route,
        cells[0].slot,
        sum(cell.ok for cell in cells),
        sum(cell.failed for cell in cells),
        _over(cells),
        _histogram(cell.response for cell in cells),
        _histogram(cell.service for cell in cells),
    )


def _block(blocks: Sequence[Block]) -> Block:
    ok, failed = sum(block.ok for block in blocks), sum(block.failed for block in blocks)
    return Block(blocks[0].route, blocks[0].t, ok, failed, _over(blocks))


def _failures(recordings: Sequence[Recording]) -> tuple[Failure, ...]:
    """The most frequent first."""
    joined = _joined((f for r in recordings for f in r.failures), lambda f: (f.kind, f.route, f.slot), _failure)
    return tuple(sorted(joined, key=lambda failure: -failure.count))


def _failure(failures: Sequence[Failure]) -> Failure:
    earliest = min(failures, key=lambda failure: failure.first)
    count, last = sum(failure.count for failure in failures), max(failure.last for failure in failures)
    return replace(earliest, count=count, last=last)


def _generator(made: Sequence[Generator]) -> Generator:
    """Amounts are sums; how late the generator was is how late its worst worker was, which a sum would hide.

    Each worker looks at its own requests at moments of its own, so the errors of their counts are independent: the
    variances add up.
    """
    return Generator(
        cpu_s=sum(m.cpu_s for m in made),
        requests=sum(m.requests for m in made),
        lag_p99_ms=max(m.lag_p99_ms for m in made),
        worst_second_lag_p99_ms=max(m.worst_second_lag_p99_ms for m in made),
        dropped=sum(m.dropped for m in made),
        unfinished=sum(m.unfinished for m in made),
        mean_in_flight=sum(m.mean_in_flight for m in made),
        in_flight_samples=min(m.in_flight_samples for m in made),
        max_in_flight=sum(m.max_in_flight for m in made),  # no less than there ever were at once
        failed_s=sum(m.failed_s for m in made),
        in_flight_deviation=math.hypot(*(m.in_flight_deviation for m in made)),
    )


def _over(counted: Sequence[Second] | Sequence[Cell] | Sequence[Block]) -> tuple[int, ...]:
    return tuple(map(sum, zip(*(each.over for each in counted), strict=True)))


def _histogram(texts: Iterable[str]) -> str:
    return histogram.encode(histogram.merge(histogram.decode(text) for text in texts))


def _ascending(raw: Iterable[bytes]) -> Sequence[float]:
    return sorted(array("f", b"".join(raw)))
