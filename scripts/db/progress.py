"""How far a backfill is, for people: a bar on a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from rich import progress
from rich.console import Console

from app.backfill import Progress

EVERY_S = 5.0  # between two lines


class Shown(NamedTuple):
    """Where a run tells how it goes."""

    on_batch: Callable[[Progress], None]
    say: Callable[[str], None]


@contextmanager
def shown(console: Console) -> Iterator[Shown]:
    """Both, on one console."""

    def say(line: str) -> None:
        console.print(line, markup=False, soft_wrap=True)

    if not console.is_terminal:
        yield Shown(_lines(say), say)
        return
    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.TaskProgressColumn(),
        progress.TextColumn("{task.fields[rows]:,} rows changed"),
        progress.TimeRemainingColumn(),
    )
    with progress.Progress(*columns, console=console) as bars:
        yield Shown(_bars(bars), say)


def told(found: Progress) -> str:
    """One line."""
    if found.finished:
        return f"{found.name}: finished, {found.rows:,} rows changed"
    return f"{found.name}: up to {found.at:,} of {found.last:,}, {found.rows:,} rows changed"


def _bars(bars: progress.Progress) -> Callable[[Progress], None]:
    tasks: dict[str, progress.TaskID] = {}

    def on_batch(found: Progress) -> None:
        if found.name not in tasks:
            tasks[found.name] = bars.add_task(found.name, rows=found.rows)
        total = max(found.last, found.at) - found.first  # rows may have come since it began
        bars.update(tasks[found.name], total=total, completed=found.at - found.first, rows=found.rows)

    return on_batch


def _lines(say: Callable[[str], None]) -> Callable[[Progress], None]:
    said_at = -EVERY_S

    def on_batch(found: Progress) -> None:
        nonlocal said_at
        if found.finished or time.monotonic() - said_at >= EVERY_S:
            said_at = time.monotonic()
            say(told(found))

    return on_batch
