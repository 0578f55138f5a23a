"""Progress for people: rich where there is a terminal, plain lines where there is none."""

from __future__ import annotations

from rich.console import Console


class _Printed:
    """What this process has put on stdout so far."""

    document = False  # of JSON, whole


printed = _Printed()
out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def say(line: str) -> None:
    """Print one line of progress; rich markup is not interpreted, so any text is safe."""
    out.print(line, markup=False, soft_wrap=True)
