"""Scales, ticks and labels of the drawings."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from loadtest import units
from loadtest.report.charts import stack
from loadtest.report.svg import NICE_SECONDS, Scale, path, tag
from loadtest.report.timeline import MOST_POINTS, pill_width, pills, spread, views
from loadtest.result import Result

places = st.lists(st.floats(44, 900), max_size=60).map(sorted)


@given(places)
def test_marker_numbers_never_overlap_and_none_is_lost(xs: list[float]) -> None:
    """Markers too close to be read share a pill, which names its first and last."""
    drawn = pills(xs)
    numbers: list[int] = []
    for _, words in drawn:
        first, _, last = words.partition("-")
        numbers += range(int(first), int(last or first) + 1)
    assert numbers == list(range(1, len(xs) + 1))
    for (left, said), (right, says) in pairwise(drawn):
        assert right - pill_width(says) / 2 > left + pill_width(said) / 2


@given(st.lists(st.tuples(st.floats(0, 328), st.floats(10, 60)), max_size=12))
def test_labels_above_a_chart_never_overlap_and_stay_on_it(wanted: list[tuple[float, float]]) -> None:
    """A label with no room goes one row down."""
    rows: dict[int, list[tuple[float, float]]] = {}
    for (_, width), (middle, row) in zip(wanted, stack(wanted, 328), strict=True):
        assert middle - width / 2 >= -0.001
        assert middle + width / 2 <= 328.001
        rows.setdefault(row, []).append((middle - width / 2, middle + width / 2))
    for row in rows.values():
        assert all(left[1] < right[0] for left, right in pairwise(sorted(row)))


def test_names_at_the_end_of_lines_are_spread() -> None:
    """Three percentiles that end at the same height can still be told apart."""
    ends = [(50, "p50"), (48, "p95"), (20, "p99")]
    assert spread(ends, apart=13, last=100) == [(20, "p99"), (48, "p95"), (61, "p50")]
    assert spread(ends, apart=13, last=55) == [(14, "p99"), (42, "p95"), (55, "p50")]


@pytest.mark.parametrize(
    ("scale", "apart", "steps", "expected"),
    [
        (Scale(0, 1200, 200, 0), 40, (), (0, 500, 1000)),
        (Scale(0, 1200, 200, 0), 30, (), (0, 200, 400, 600, 800, 1000, 1200)),
        (Scale(0, 83, 0, 830), 80, NICE_SECONDS, (0, 10, 20, 30, 40, 50, 60, 70, 80)),
        (Scale(0, 600, 0, 600), 70, NICE_SECONDS, (0, 120, 240, 360, 480, 600)),
        (Scale(1, 100, 200, 0, log=True), 20, (), (1, 2, 5, 10, 20, 50, 100)),
        (Scale(1, 10_000, 100, 0, log=True), 20, (), (1, 10, 100, 1000, 10_000)),
        (Scale(3, 700, 200, 0, log=True), 20, (), (5, 10, 20, 50, 100, 200, 500)),
    ],
)
def test_ticks_are_round_and_have_room(
    scale: Scale, apart: float, steps: tuple[int, ...], expected: tuple[float, ...]
) -> None:
    """1, 2, 5 and their tens, or steps of a clock."""
    assert scale.ticks(apart, steps) == pytest.approx(expected)


def test_a_value_outside_a_scale_stops_at_its_edge() -> None:
    """A percentile of 0 ms, which a second without answers has, is no infinity on a logarithmic axis."""
    assert Scale(1, 100, 200, 0, log=True)(0) == 200
    assert Scale(0, 10, 0, 100)(11) == 100


def test_text_and_attributes_are_escaped() -> None:
    """Whatever a route or an event is called."""
    assert tag("text", '<b a="1">&', class_='"><script>') == (
        '<text class="&#34;&gt;&lt;script&gt;">&lt;b a=&#34;1&#34;&gt;&amp;</text>'
    )


def test_a_line_has_gaps() -> None:
    """A second without an answer is not bridged."""
    assert 'd="M0 1L1 2M3 4"' in path([(0, 1), (1, 2), None, (3, 4)], "series")


def test_long_runs_are_drawn_with_few_points(result: Result) -> None:
    """An hour does not make a file of megabytes: counts are averaged, the worst percentile and any failure stay."""
    point = replace(result.points[0], failed=0, p99_ms=20.0)
    hour = tuple(replace(point, t=t, failed=int(t == 7), p99_ms=900.0 if t == 8 else 20.0) for t in range(3600))
    view, _ = views(replace(result, points=hour))
    assert (len(view.points), view.step) == (MOST_POINTS, 12)
    assert (view.points[0].failed, view.points[0].p99_ms, view.points[0].ok) == (1, 900.0, point.ok)
    assert (view.points[1].failed, view.points[1].p99_ms) == (0, 20.0)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (units.count(61204), "61,204"),
        (units.per_second(1019.7), "1,020/s"),
        (units.ms(0.424), "0.42 ms"),
        (units.ms(4.94), "4.9 ms"),
        (units.ms(99.94), "99.9 ms"),
        (units.ms(99.96), "100 ms"),
        (units.ms(1234.5), "1,234 ms"),
        (units.percent(0), "0 %"),
        (units.percent(0.0031), "0.31 %"),
        (units.percent(0.000042), "0.0042 %"),
        (units.percent(0.05), "5 %"),
        (units.percent(0.1177), "11.8 %"),
        (units.percent(2.35), "235 %"),
        (units.clock(7.4), "7 s"),
        (units.clock(119), "119 s"),
        (units.clock(185), "3:05"),
        (units.clock(3725), "1:02:05"),
        (units.sentence("errors under 0.1 %"), "Errors under 0.1 %"),
    ],
)
def test_numbers_have_units_and_no_more_digits_than_they_deserve(said: str, expected: str) -> None:
    """Thousands grouped, a space before the percent sign."""
    assert expected == said
