"""The page: one self-contained file, drawn on the server side, readable without scripts and on paper."""

from __future__ import annotations

from functools import partial
from itertools import count
from pathlib import Path

import jinja2
import msgspec
from markupsafe import Markup

from loadtest import units
from loadtest.headline import found
from loadtest.report import charts, timeline
from loadtest.report.words import badge, verdict
from loadtest.result import Result

HERE = Path(__file__).parent
CHARTS_OVER_TIME = (timeline.latency, timeline.throughput, timeline.failures, timeline.slots)


def render(result: Result) -> str:
    """The whole report as HTML; nothing in it is fetched from anywhere."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_together,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "count": units.count,
        "ms": units.ms,
        "percent": units.percent,
        "clock": units.clock,
        "per_second": units.per_second,
        "significant": units.significant,
        "sentence": units.sentence,
    }
    views = timeline.views(result)
    numbers = count(1)
    return environment.get_template("page.html.j2").render(
        r=result,
        verdict=verdict(result),
        found=found,
        word=partial(badge, result),
        over_time={chart.__name__: [chart(view) for view in views] for chart in CHARTS_OVER_TIME},
        distribution=[charts.distribution(view.name, view.width, result) for view in views],
        step=views[0].step,
        alarm=timeline.alarm,
        interval=lambda j: charts.interval(next(numbers), j, badge(result, j.outcome).kind),
        budget=lambda usage: charts.budget(next(numbers), usage),
        style=_inline("style.css"),
        script=_inline("hover.js"),
        points=_points(result, views[0]),
    )


def _together(value: object) -> object:
    """Keep a number and its percent sign on one line."""
    return value.replace(" %", "\N{NO-BREAK SPACE}%") if type(value) is str else value


def _inline(name: str) -> Markup:
    return Markup((HERE / name).read_text("utf-8"))  # noqa: S704 - our own file


def _points(result: Result, view: timeline.View) -> Markup:
    """What the hover box reads: rows of [t, offered, ok, failed, p50, p95, p99, {slot: answers}]."""
    rows = [
        (p.t, p.offered, p.ok, p.failed, round(p.p50_ms, 1), round(p.p95_ms, 1), round(p.p99_ms, 1), p.slots)
        for p in view.points
    ]
    data = {"step": view.step, "points": rows, "events": [(e.t, e.label) for e in result.events]}
    # A JSON text ends no script element once its "<" is written as an escape.
    return Markup(msgspec.json.encode(data).decode().replace("<", "\\u003c"))  # noqa: S704 - escaped on this line
