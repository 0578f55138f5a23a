"""Charts without a time axis: a value with its bounds against a target, a latency distribution, a bar with a budget."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from markupsafe import Markup

from loadtest import units
from loadtest.report.svg import Label, Scale, drawing, line, rect, tag, text
from loadtest.result import Result, Usage
from slo.objective import Bounds, Judgement

Mark = tuple[float, str, str]  # milliseconds, words, class


class Found(msgspec.Struct, frozen=True):
    """A measured number against its target, as drawn: from `low` to `high` on the axis."""

    value: float
    bounds: Bounds
    target: float
    axis: Bounds
    most: bool  # the target is a maximum: what lies right of it misses
    words: str
    desc: str


def interval(number: int, judgement: Judgement, kind: str) -> Markup:
    """The measured value with its bounds, coloured by `kind`; the side on which it would miss the target is hatched."""
    if judgement.value is None:
        return Markup()
    found = _amount(judgement, judgement.value) if judgement.total is None else _share(judgement, judgement.value)
    x = Scale(found.axis.lower, found.axis.upper, 6, 234)
    at, low, high = x(found.target), x(found.bounds.lower), x(found.bounds.upper)
    begin, end = (at, x.end) if found.most else (x.start, at)
    anchor = "end" if at > 150 else "start" if at < 90 else "middle"
    return drawing(
        Label(f"interval-{number}", f"{judgement.says}: measured against the target", found.desc),
        (240, 46),
        rect((begin, 8), (end - begin, 20), "missed"),
        line((x.start, 18), (x.end, 18), "axis"),
        line((at, 4), (at, 32), "target"),
        text((at, 44), found.words, anchor, "tick"),
        line((low, 18), (high, 18), f"bounds {kind}"),
        line((low, 13), (low, 23), f"bound {kind}"),
        line((high, 13), (high, 23), f"bound {kind}"),
        tag("circle", cx=x(found.value), cy=18, r=4.5, class_=f"value {kind}"),
        class_="interval",
    )


def _share(judgement: Judgement, value: float) -> Found:
    """Shares are drawn as what is bad of them, from nothing to beyond what is allowed: that is where the room is."""
    allowed, bad = 1 - judgement.target, 1 - value
    good = judgement.bounds or Bounds(value, value)
    bounds = Bounds(1 - good.upper, 1 - good.lower)
    says = [units.percent(share) for share in (bad, bounds.lower, bounds.upper, allowed)]
    return Found(
        value=bad,
        bounds=bounds,
        target=allowed,
        axis=Bounds(0, max(allowed * 1.35, bounds.upper * 1.1)),
        most=True,
        words=f"{says[3]} allowed",
        desc="{}, bounds {} to {}, {} allowed.".format(*says),
    )


def _amount(judgement: Judgement, value: float) -> Found:
    """Amounts are drawn around their target."""
    target = judgement.target
    bounds = judgement.bounds or Bounds(value, value)
    return Found(
        value=value,
        bounds=bounds,
        target=target,
        axis=Bounds(min(target * 0.9, bounds.lower * 0.98), max(target * 1.1, bounds.upper * 1.02)),
        most=False,
        words=f"at least {units.count(target)}",
        desc=f"{units.count(value)} measured, at least {units.count(target)} wanted.",
    )


def distribution(name: str, width: float, result: Result) -> Markup:
    """How many answers took how long, logarithmic, with the targets' bounds and the percentiles marked above."""
    bins = result.distribution
    if not bins:
        return Markup()
    marks = _marks(result)
    high = max([bins[-1].high_ms, *result.thresholds_ms])
    x = Scale(bins[0].low_ms / 1.1, high * 1.15, 6, width - 6, log=True)
    rows = stack([(x(at), 7.0 * len(words)) for at, words, _ in marks], width)
    top = 28 + 15 * max(row for _, row in rows)
    y = Scale(0, max(bar.count for bar in bins), top + 140, top)
    drawn: list[Markup] = []
    for bar in bins:
        height = max(1.5, y.start - y(bar.count))  # the tail is a few answers, and is what the targets are about
        title = tag("title", f"{units.ms(bar.low_ms)} to {units.ms(bar.high_ms)}: {bar.count:,} answers")
        left, right = x(bar.low_ms) + 0.5, x(bar.high_ms) - 0.5
        drawn.append(tag("g", title, rect((left, y.start - height), (max(1.0, right - left), height), "bar")))
    for (at, words, kind), (middle, row) in zip(marks, rows, strict=True):
        baseline = 12 + 15 * row
        drawn.append(line((x(at), baseline + 3), (x(at), y.start), kind))
        drawn.append(text((middle, baseline), words, "middle", f"{kind}-name"))
    drawn.append(line((x.start, y.start), (x.end, y.start), "axis"))
    ticks = [value for value in x.ticks(60) if 20 < x(value) < width - 20]  # no room for the words at the edge
    drawn += [text((x(value), y.start + 16), f"{units.significant(value)} ms", "middle", "tick") for value in ticks]
    desc = "; ".join(f"{words}: {units.ms(at)}" for at, words, _ in marks)
    label = Label(f"distribution-{name}", "Answers by latency, logarithmic", desc)
    return drawing(label, (width, y.start + 24), *drawn)


def _marks(result: Result) -> list[Mark]:
    bounds = [(bound, f"{bound:g} ms", "threshold") for bound in result.thresholds_ms]
    shares = [(row.response_ms, f"p{row.share:g}", "percentile") for row in result.percentiles if row.share >= 50]
    return [*bounds, *shares, (result.max_ms, "max", "percentile")]


def stack(places: Sequence[tuple[float, float]], width: float) -> list[tuple[float, int]]:
    """Give each label (pixel, own width) the first row from the top where it overlaps none, and keep it on the page."""
    ends: list[float] = []
    found: dict[int, tuple[float, int]] = {}
    for i in sorted(range(len(places)), key=lambda i: places[i][0]):
        at, wide = places[i]
        middle = min(max(at, wide / 2), width - wide / 2)
        row = next((r for r, end in enumerate(ends) if end + 6 <= middle - wide / 2), len(ends))
        ends[row : row + 1] = [middle + wide / 2]
        found[i] = (middle, row)
    return [found[i] for i in range(len(places))]


def budget(number: int, usage: Usage) -> Markup:
    """CPU per request as a bar, with the budget as a line across it."""
    if usage.budget_ms is None:
        return Markup()
    spent, allowed = usage.cpu_ms_per_request, usage.budget_ms
    x = Scale(0, max(allowed, spent) * 1.15, 1, 161)
    word = "over" if spent > allowed else "within"
    desc = f"{units.significant(spent)} of {units.significant(allowed)} ms: {word} the budget."
    return drawing(
        Label(f"budget-{number}", f"{usage.part}: CPU per request", desc),
        (162, 18),
        rect((1, 5), (160, 8), "track"),
        rect((1, 5), (x(spent) - 1, 8), f"spent {word}"),
        line((x(allowed), 1), (x(allowed), 17), "target"),
        class_="budget",
    )
