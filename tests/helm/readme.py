"""The table of a chart's values in its README, made of the comments in values.yaml."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from tests.helm.render import Object, read

BEGIN = "<!-- Generated from values.yaml, do not edit: python -m tests.helm.write -->\n"
END = "<!-- end -->\n"
KEY = re.compile(r"( *)([A-Za-z][\w./-]*):")


def commented(text: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """Each value that has a comment beginning with `# --`: its path and the comment."""
    path: list[str] = []
    words: list[str] = []
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith("# --"):
            words = [stripped.removeprefix("# --").strip()]
        elif stripped.startswith("#") and words:
            words.append(stripped.removeprefix("#").strip())
        elif found := KEY.match(line):
            path = [*path[: len(found[1]) // 2], found[2]]
            if words:
                yield tuple(path), " ".join(words)
            words = []


def default(values: Object, path: tuple[str, ...]) -> object:
    found: object = values
    for step in path:
        assert isinstance(found, dict)
        found = found[step]
    return found


def table(chart: Path) -> str:
    values = read(chart / "values.yaml")
    rows = [
        f"| `{'.'.join(path)}` | `{json.dumps(default(values, path))}` | {words} |"
        for path, words in commented((chart / "values.yaml").read_text())
    ]
    return "\n".join(["| value | default | what it is |", "| --- | --- | --- |", *rows]) + "\n"


def readme(chart: Path) -> str:
    """The README with its table made anew."""
    before, _, rest = (chart / "README.md").read_text().partition(BEGIN)
    return before + BEGIN + table(chart) + END + rest.partition(END)[2]
