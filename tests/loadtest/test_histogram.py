"""Histograms: close to the truth, and nothing lost in merging."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest import histogram

durations = st.lists(st.floats(1e-4, 600), min_size=1, max_size=200)  # seconds


@given(durations, st.sampled_from([50, 95, 99, 100]))
def test_a_percentile_is_within_half_a_percent_of_the_nearest_rank(values: list[float], share: int) -> None:
    """Latencies from 0.1 ms to ten minutes."""
    counted = histogram.new()
    for value in values:
        histogram.record(counted, value)
    expected = sorted(values)[math.ceil(share / 100 * len(values)) - 1] if share < 100 else max(values)
    below = sorted(values)[max(0, math.ceil(share / 100 * len(values)) - 2)]  # HdrHistogram rounds the rank to nearest
    found = histogram.percentile_ms(counted, share) / 1000
    assert any(found == pytest.approx(value, rel=0.005) for value in (expected, below))


@given(durations, durations)
def test_merged_histograms_equal_one_that_saw_everything(left: list[float], right: list[float]) -> None:
    """Count by count, and through the written form."""
    parts = []
    whole = histogram.new()
    for values in (left, right):
        part = histogram.new()
        for value in values:
            histogram.record(part, value)
            histogram.record(whole, value)
        parts.append(histogram.decode(histogram.encode(part)))
    merged = histogram.merge(parts)
    assert histogram.encode(whole) == histogram.encode(merged)
    assert len(left) + len(right) == merged.get_total_count()


@pytest.mark.parametrize(("seconds", "expected_ms"), [(0.0, 0.001), (-1.0, 0.001), (1e6, 3_600_000.0)])
def test_what_does_not_fit_counts_as_the_nearest_that_does(seconds: float, expected_ms: float) -> None:
    """A request is never lost for its latency."""
    counted = histogram.new()
    histogram.record(counted, seconds)
    assert counted.get_total_count() == 1
    assert histogram.percentile_ms(counted, 100) == pytest.approx(expected_ms, rel=0.005)


def test_an_empty_histogram_has_no_latency() -> None:
    """Zero, written and read as any other."""
    assert histogram.percentile_ms(histogram.decode(histogram.encode(histogram.new())), 95) == 0
