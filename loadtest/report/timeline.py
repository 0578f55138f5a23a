"""Charts over time, all on one time axis: latency, throughput, failures, answers per slot, with the releases marked."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from statistics import fmean
from typing import TypeVar

import msgspec
from markupsafe import Markup

from loadtest import units
from loadtest.report.svg import NICE_SECONDS, Label, Scale, area, drawing, line, path, rect, tag, text
from loadtest.result import Event, Point, Result

T = TypeVar("T")

LEFT, RIGHT, TOP, BOTTOM = 44.0, 38.0, 26.0, 24.0
MOST_POINTS = 300  # more would be thinner than a pixel, and a long run's file would grow without end
PHASE_WORDS = {"warmup": "warm-up", "cooldown": "cool-down"}
ALARMING = frozenset({"rollback", "refused", "fault"})


class View(msgspec.Struct, frozen=True):
    """A chart's width and what all charts over time share."""

    name: str  # "wide" or "narrow": a phone gets its own drawing, not a shrunk one
    width: float
    result: Result
    points: tuple[Point, ...]
    step: int  # seconds that one point stands for

    @property
    def x(self) -> Scale:
        ends = [phase.end for phase in self.result.phases] + [point.t + 1 for point in self.result.points]
        return Scale(0, max(ends, default=1), LEFT, self.width - RIGHT)

    def middles(self) -> list[float]:
        """Where each point's seconds have their middle."""
        return [self.x(point.t + self.step / 2) for point in self.points]

    def edges(self) -> list[float]:
        """Where each point's seconds begin and end, so that counts step where the releases' markers stand."""
        return [self.x(point.t + end) for point in self.points for end in (0, self.step)]


def twice(values: Sequence[T]) -> list[T]:
    """Each value at the beginning and at the end of its seconds."""
    return [value for value in values for _ in range(2)]


def views(result: Result) -> tuple[View, View]:
    """The same run for a wide page (and paper) and for a phone."""
    step = max(1, math.ceil(len(result.points) / MOST_POINTS))
    points = thin(result.points, step)
    return View("wide", 920, result, points, step), View("narrow", 328, result, points, step)


def thin(points: Sequence[Point], step: int) -> tuple[Point, ...]:
    """Every `step` points as one: counts are means over the seconds merged, percentiles the worst of them."""
    groups = [points[i : i + step] for i in range(0, len(points), step)]
    return tuple(points) if step == 1 else tuple(map(_merge, groups))


def _merge(group: Sequence[Point]) -> Point:
    first = group[0]
    slots = {slot for point in group for slot in point.slots}
    return Point(
        t=first.t,
        phase=first.phase,
        offered=round(fmean(point.offered for point in group)),
        ok=round(fmean(point.ok for point in group)),
        failed=math.ceil(fmean(point.failed for point in group)),  # a failure never rounds away
        p50_ms=max(point.p50_ms for point in group),
        p95_ms=max(point.p95_ms for point in group),
        p99_ms=max(point.p99_ms for point in group),
        slots={slot: round(fmean(point.slots.get(slot, 0) for point in group)) for slot in slots},
    )


def latency(view: View) -> Markup:
    """p50, p95 and p99 of each second on a logarithmic scale, so that 3 ms and 3 s both can be read."""
    seen, bounds = [point for point in view.points if point.ok], view.result.thresholds_ms
    low = min((point.p50_ms for point in seen if point.p50_ms > 0), default=1.0)
    high = max([point.p99_ms for point in seen] + list(bounds), default=100.0)
    floor = math.pow(10, math.floor(math.log10(low)))
    y = Scale(floor, max(high * 2, floor * 10), 256 - BOTTOM, TOP, log=True)
    shares: dict[str, Callable[[Point], float]] = {
        "p50": lambda point: point.p50_ms,
        "p95": lambda point: point.p95_ms,
        "p99": lambda point: point.p99_ms,
    }
    drawn = [line((LEFT, y(bound)), (view.width - RIGHT, y(bound)), "threshold") for bound in bounds]
    for name, value in shares.items():
        places = zip(view.middles(), view.points, strict=True)
        drawn.append(path(((x, y(value(p))) if p.ok else None for x, p in places), f"series {name}"))
    steady = [phase.end for phase in view.result.phases if phase.name == "steady"]
    right = view.x(steady[0] if steady else view.x.high) - 4  # left of the word "cool-down"
    drawn += [text((right, y(bound) - 4), f"{bound:g} ms", "end", "threshold-name") for bound in bounds]
    if seen:
        ends = [(y(value(seen[-1])), name) for name, value in shares.items()]
        drawn += [
            text((view.width - RIGHT + 5, at + 4), name, class_=f"end {name}")
            for at, name in spread(ends, apart=13, last=y.start - 2)
        ]
    desc = f"p99 between {_range_ms(point.p99_ms for point in seen)}, p50 between {_range_ms(p.p50_ms for p in seen)}."
    return _chart(view, Label("latency", "Latency of each second, milliseconds", desc), y, drawn)


def throughput(view: View) -> Markup:
    """Answers of each second as a surface under the line of what was offered: a gap between them is a loss."""
    high = max((point.offered for point in view.points), default=1)
    y = Scale(0, max(1.0, high * 1.15), 190 - BOTTOM, TOP)
    xs = view.edges()
    drawn = [
        area(xs, [y(point.ok) for point in twice(view.points)], [y(0)] * len(xs), "answered"),
        path(zip(xs, [y(point.offered) for point in twice(view.points)], strict=True), "series offered"),
    ]
    desc = f"Offered at most {high:,} in a second; {view.result.requests:,} requests in the steady phase."
    return _chart(view, Label("throughput", "Requests of each second, offered and answered", desc), y, drawn)


def failures(view: View) -> Markup:
    """Failed requests of each second on a scale of their own, where four of a thousand can still be seen."""
    high = max((point.failed for point in view.points), default=0)
    y = Scale(0, max(4.0, high * 1.15), 110 - BOTTOM, TOP)
    width = max(2.5, view.x(view.step) - view.x(0) - 1)
    drawn = [
        rect((x - width / 2, y(point.failed)), (width, y(0) - y(point.failed)), "failed")
        for x, point in zip(view.middles(), view.points, strict=True)
        if point.failed
    ]
    desc = f"At most {high:,} in a second; {view.result.failed:,} in the steady phase."
    return _chart(view, Label("failures", "Failed requests of each second", desc), y, drawn)


def slots(view: View) -> Markup:
    """Answers of each second stacked by the slot that gave them, each surface named where it is thickest."""
    names = sorted({slot for point in view.points for slot in point.slots})
    sums = [list(accumulate((point.slots.get(name, 0) for name in names), initial=0)) for point in view.points]
    y = Scale(0, max([1.0] + [total[-1] * 1.15 for total in sums]), 190 - BOTTOM, TOP)
    xs = view.edges()
    drawn: list[Markup] = []
    for i, name in enumerate(names):
        kind = name if name in {"blue", "green"} else "other"
        lows, highs = [y(total[i]) for total in twice(sums)], [y(total[i + 1]) for total in twice(sums)]
        drawn.append(area(xs, highs, lows, f"slot {kind}"))
        drawn.append(_slot_name(view, lows, highs, name or "unnamed"))
    desc = "; ".join(f"{slot or 'unnamed'}: {count:,} answers" for slot, count in view.result.slots.items())
    label = Label("slots", "Answers of each second by slot", f"In the steady phase: {desc or 'none'}.")
    return _chart(view, label, y, drawn)


def _slot_name(view: View, lows: Sequence[float], highs: Sequence[float], name: str) -> Markup:
    """The slot's name inside its surface: where that is thickest, and as far from the markers as can be."""
    reach = 12  # edges on each side that have to be thick enough too, so that the word fits
    xs, marks = view.edges(), [view.x(event.t) for event in view.result.events]
    thick = [low - high for low, high in zip(lows, highs, strict=True)]
    fit = [min(thick[max(0, i - reach) : i + reach + 1]) for i in range(len(thick))]
    if max(fit, default=0) < 16:
        return Markup()
    best = [i for i, room in enumerate(fit) if room >= max(fit) * 0.9]
    at = max(best, key=lambda i: min(abs(xs[i] - mark) for mark in [*marks, LEFT, view.width - RIGHT]))
    return text((xs[at], (lows[at] + highs[at]) / 2 + 4), name, "middle", f"slot-name {name}")


def spread(places: Iterable[tuple[float, str]], apart: float, last: float) -> list[tuple[float, str]]:
    """Move labels down until each is `apart` pixels under the one before, then all up until none is below `last`."""
    moved: list[tuple[float, str]] = []
    for at, name in sorted(places):
        moved.append((max(at, moved[-1][0] + apart) if moved else at, name))
    over = max(0.0, max((at for at, _ in moved), default=last) - last)
    return [(at - over, name) for at, name in moved]


def pills(places: Sequence[float]) -> list[tuple[float, str]]:
    """Where to write the numbers of markers at `places` (pixels, ascending): "4" or, if too close, "4-6"."""
    groups: list[list[int]] = []
    for i in range(len(places)):
        groups.append([i])
        while len(groups) > 1:
            (left, said), (right, says) = (_pill(places, group) for group in groups[-2:])
            if right - left >= (pill_width(said) + pill_width(says)) / 2 + 2:
                break
            last = groups.pop()
            groups[-1] += last
    return [_pill(places, group) for group in groups]


def pill_width(words: str) -> float:
    return 9 + 7 * len(words)


def _pill(places: Sequence[float], group: Sequence[int]) -> tuple[float, str]:
    first, last = group[0] + 1, group[-1] + 1
    return fmean(places[i] for i in group), str(first) if first == last else f"{first}-{last}"


def _chart(view: View, label: Label, y: Scale, drawn: Sequence[Markup]) -> Markup:
    """The grid, `drawn`, phases as a veil over it, axes, events: in this order, so that markers stay readable."""
    x = view.x
    return drawing(
        Label(f"{label.name}-{view.name}", label.title, label.desc),
        (view.width, y.start + BOTTOM),
        *(_tick_y(view, y, value) for value in y.ticks(22)),
        *drawn,
        *_phases(view, y),
        line((LEFT, y.start), (x.end, y.start), "axis"),
        *(text((x(t), y.start + BOTTOM - 6), units.clock(t), "middle", "tick") for t in x.ticks(58, NICE_SECONDS)),
        *_events(view, y),
        class_="time",
        data_from=x.start,
        data_to=x.end,
        data_seconds=x.high,
    )


def _phases(view: View, y: Scale) -> Iterable[Markup]:
    for phase in view.result.phases:
        words = PHASE_WORDS.get(phase.name)
        left, right = view.x(phase.start), view.x(phase.end)
        if words is None or right <= left:
            continue
        yield rect((left, TOP), (right - left, y.start - TOP), "phase")
        if right - left > 6 * len(words):
            yield text(((left + right) / 2, TOP + 12), words, "middle", "phase-name")


def _tick_y(view: View, y: Scale, value: float) -> Markup:
    at = y(value)
    label = text((LEFT - 6, at + 4), units.significant(value), "end", "tick")
    return tag("g", line((LEFT, at), (view.width - RIGHT, at), "grid"), label)


def _events(view: View, y: Scale) -> Iterable[Markup]:
    events = view.result.events
    xs = [view.x(event.t) for event in events]
    for number, (x, event) in enumerate(zip(xs, events, strict=True), start=1):
        title = tag("title", f"{number}: {event.label} ({units.clock(event.t)})")
        yield tag("g", title, line((x, TOP - 4), (x, y.start), f"event {alarm(event)}"))
    for x, words in pills(xs):
        width = pill_width(words)
        middle = min(max(x, width / 2), view.width - width / 2)
        shape = rect((middle - width / 2, 3), (width, 17), "pill", rx=8.5)
        yield tag("g", shape, text((middle, 16), words, "middle", "pill-name"))


def alarm(event: Event) -> str:
    """The class of a marker: "alarm" for what a person would look for first."""
    return "alarm" if event.kind in ALARMING else "plain"


def _range_ms(values: Iterable[float]) -> str:
    found = list(values)
    return f"{units.ms(min(found))} and {units.ms(max(found))}" if found else "no answers"
