"""What a recording's histograms say, in the terms of a report: milliseconds and bars."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from loadtest import histogram
from loadtest.result import Bin

BINS_PER_DECADE = 20  # bars of equal width on a logarithmic axis, each 12 % wide


class Latency:
    """The latencies of some answers; histograms add up without loss, so routes and slots merge freely."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._histogram = histogram.merge(histogram.decode(text) for text in texts if text)

    @property
    def count(self) -> int:
        """Answers."""
        return int(self._histogram.total_count)

    @property
    def sum_s(self) -> float:
        """All latencies added up, in seconds."""
        return float(self._histogram.get_mean_value()) * self.count / 1e6

    @property
    def max_ms(self) -> float:
        """The slowest answer; 0 when there are none."""
        return float(self._histogram.get_max_value()) / 1e3 if self.count else 0.0

    def percentiles_ms(self, shares: Sequence[float]) -> tuple[float, ...]:
        """Milliseconds that `shares` percent of the answers did not exceed, in the order asked; 0 without answers."""
        if not self.count:
            return tuple(0.0 for _ in shares)
        found = self._histogram.get_percentile_to_value_dict(list(shares))
        return tuple(float(found[share]) / 1e3 for share in shares)

    def bins(self) -> tuple[Bin, ...]:
        """Bars of equal width on a logarithmic axis, without the empty ones, ascending."""
        counts: dict[int, int] = {}
        for item in self._histogram.get_recorded_iterator():
            index = math.floor(math.log10(max(item.value_iterated_to, 1) / 1e3) * BINS_PER_DECADE)
            counts[index] = counts.get(index, 0) + int(item.count_added_in_this_iter_step)
        return tuple(Bin(_edge_ms(index), _edge_ms(index + 1), counts[index]) for index in sorted(counts))


def _edge_ms(index: int) -> float:
    """The lower edge of bar `index`; bar 0 begins at 1 ms."""
    return round(math.pow(10, index / BINS_PER_DECADE), 6)
