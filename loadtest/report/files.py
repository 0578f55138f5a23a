"""Write the reports of a run into a folder."""

from __future__ import annotations

from pathlib import Path

import msgspec

from loadtest.report import html, junit, markdown
from loadtest.result import Result


def write_all(result: Result, out_dir: Path) -> tuple[Path, ...]:
    """Write report.html, result.json, junit.xml and summary.md; the paths come back in this order."""
    out_dir.mkdir(parents=True, exist_ok=True)
    texts = {
        "report.html": html.render(result),
        "result.json": msgspec.json.format(msgspec.json.encode(result), indent=2).decode() + "\n",
        "junit.xml": junit.render(result),
        "summary.md": markdown.render(result),
    }
    for name, text in texts.items():
        (out_dir / name).write_text(text, "utf-8")
    return tuple(out_dir / name for name in texts)
