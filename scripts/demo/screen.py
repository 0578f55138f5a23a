"""What a person sees while the demo runs: one live panel, or plain lines where there is no terminal."""

from __future__ import annotations

import time
from collections import deque
from types import TracebackType
from typing import Self

from rich.console import Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from loadtest.recording import Second
from loadtest.result import Event
from scripts.console import err, out

BARS = "▁▂▃▄▅▆▇█"
SLOT_COLOURS = {"blue": "blue", "green": "green"}
PLAIN_EVERY_S = 5
WIDEST = 150  # characters of a line about an event


def sparkline(values: list[float], full: float) -> str:
    """One bar per value, against `full` as the highest."""
    return "".join(BARS[min(len(BARS) - 1, int(v / full * len(BARS)))] for v in values)


def shares(slots: dict[str, int]) -> dict[str, float]:
    """Answers per slot as shares of all answers; empty when there are none."""
    total = sum(slots.values())
    return {name: n / total for name, n in sorted(slots.items())} if total else {}


def describe(second: Second) -> str:
    """One second in one line, for logs."""
    split = ", ".join(f"{name or 'no slot'} {share:.0%}" for name, share in shares(second.slots).items())
    failed = second.failed + second.dropped
    ok = f"{second.ok:>6,}/s  p95 {second.p95_ms:>6.1f} ms"
    # Who waits still may fail yet: a second is told when it is over, and no answer that comes later.
    return f"{second.t:>4} s {second.phase:<8} {ok}  failed {failed}  in flight {second.in_flight:,}  {split}"


class Screen:
    """Progress of the demo; `note`, `second` and `event` may be called from any thread."""

    def __init__(self, title: str, *, to_stderr: bool = False) -> None:
        self._title = title
        self._console = err if to_stderr else out
        self._seconds: deque[Second] = deque(maxlen=60)
        self._events: deque[str] = deque(maxlen=8)
        self._failed = 0
        self._began = time.monotonic()
        self._live = (
            Live(get_renderable=self._render, console=self._console, refresh_per_second=2)
            if self._console.is_terminal
            else None
        )

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        if self._live:
            self._live.stop()

    def note(self, line: str) -> None:
        """Say something that is not about a request or a release."""
        self._show(line)

    def event(self, event: Event) -> None:
        """Show a release event at the second of the run it happened in; the report has the whole of long details."""
        line = f"{event.t:>6.1f} s {event.kind:<9} {event.label}"
        if event.detail:
            line += f" - {event.detail}"
        self._show(line if len(line) <= WIDEST else f"{line[: WIDEST - 4]} ...")

    def second(self, second: Second) -> None:
        """Take in one finished second of load."""
        self._seconds.append(second)
        self._failed += second.failed + second.dropped
        if self._live is None and second.t % PLAIN_EVERY_S == 0:
            self._line(describe(second))

    def _show(self, line: str) -> None:
        if self._live is None:
            self._line(line)
        else:
            self._events.append(line)

    def _line(self, line: str) -> None:
        self._console.print(line, markup=False, soft_wrap=True)

    def _render(self) -> RenderableType:
        elapsed = f"{time.monotonic() - self._began:.0f} s"
        body: list[RenderableType] = []
        if self._seconds:
            body += [self._numbers(self._seconds[-1]), self._slot_bar(self._seconds[-1])]
        body += [Text(line, overflow="ellipsis", no_wrap=True) for line in list(self._events)]
        return Panel(Group(*body), title=self._title, subtitle=elapsed, border_style="cyan")

    def _numbers(self, last: Second) -> Table:
        grid = Table.grid(expand=True, padding=(0, 2))
        for _ in range(4):
            grid.add_column(ratio=1)
        failed = Text(f"failed {self._failed:,}", style="bold red" if self._failed else "bold")
        grid.add_row(
            Text(f"{last.phase} {last.t} s", style="bold"),
            Text(f"{last.ok:,} requests/s", style="bold"),
            Text(f"p95 {last.p95_ms:.1f} ms", style="bold"),
            failed,
        )
        history = [s.p95_ms for s in self._seconds][-20:]
        grid.add_row("", "", Text(sparkline(history, max(50.0, *history)), style="dim"), "")
        return grid

    def _slot_bar(self, last: Second) -> Text:
        bar = Text()
        for name, share in shares(last.slots).items():
            bar.append(
                f" {name} {share:.0%} ".ljust(int(share * 60)), style=f"white on {SLOT_COLOURS.get(name, 'grey50')}"
            )
        return bar
