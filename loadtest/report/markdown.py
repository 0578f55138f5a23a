"""Markdown for a comment on a pull request: the verdict, the targets, the slowest routes; the rest is in the report."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from loadtest import units
from loadtest.headline import found
from loadtest.report.words import badge, verdict
from loadtest.result import Result
from slo.objective import Judgement


def render(result: Result) -> str:
    """The whole comment."""
    word = verdict(result)
    parts = [
        f"## {word.symbol} {word.word}: {cell(result.title)}",
        cell(result.headline),
        _table(
            ("Target", "Verdict", "Found"),
            ((units.sentence(j.says), _outcome(result, j), units.sentence(found(j))) for j in result.judgements),
        ),
        _table(
            ("Not judged by this run", "What it can say"),
            ((units.sentence(j.says), units.sentence(j.words)) for j in result.not_judged),
        ),
        _guards(result),
        _routes(result),
        _table(
            ("Errors", "Route", "Slot", "Count"),
            ((e.kind, e.route, e.slot, units.count(e.count)) for e in result.errors),
        ),
        _table(("At", "Event"), ((units.clock(e.t), f"{e.kind}: {e.label}") for e in result.events)),
        f"<sub>Profile {cell(result.profile)}, run {cell(result.run_id)}, started {result.started_at}.</sub>",
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def cell(words: str) -> str:
    """Text that stays text inside a table: no cell ends, no markup begins."""
    escaped = escape(" ".join(words.split()), quote=False)
    return "".join(f"\\{letter}" if letter in "\\|`*_[]" else letter for letter in escaped)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], numbers_from: int | None = None) -> str:
    lines = [f"| {' | '.join(map(cell, row))} |" for row in rows]
    rule = ["---:" if numbers_from is not None and i >= numbers_from else "---" for i in range(len(head))]
    return "\n".join([f"| {' | '.join(head)} |", f"| {' | '.join(rule)} |", *lines]) if lines else ""


def _outcome(result: Result, judgement: Judgement) -> str:
    word = badge(result, judgement.outcome)
    return f"{word.symbol} {word.word}"


def _guards(result: Result) -> str:
    if result.valid:
        return ""
    broken = ((g.name, g.found, g.allowed) for g in result.guards if not g.ok)
    return _table(("Why the run is invalid", "Found", "Allowed"), broken)


def _routes(result: Result) -> str:
    rows = (
        (r.route, units.count(r.requests), units.count(r.failed), *map(units.ms, (r.p50_ms, r.p95_ms, r.p99_ms)))
        for r in result.routes
    )
    return _table(("Route", "Requests", "Failed", "p50", "p95", "p99"), rows, numbers_from=1)
