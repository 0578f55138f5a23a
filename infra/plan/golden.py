"""The committed graphs, of the platform `golden/STACK.json`: a review shows what a change of a program changes."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from infra.plan.graph import Graph, from_json, to_json
from infra.stackfile import PROJECT

DIRECTORY: Final = Path(__file__).parent / "golden"


def read(stack: str, project: str = PROJECT) -> Graph | None:
    """The committed graph of a stack, None if there is none yet. Raises ConfigError for one that cannot be read."""
    path = _path(stack, project)
    return from_json(path.read_bytes(), str(path)) if path.exists() else None


def write(graph: Graph) -> Path:
    """Commit to this graph; returns its file."""
    path = _path(graph.stack, graph.project)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(to_json(graph))
    return path


def _path(stack: str, project: str) -> Path:
    """Those of the other programs stand in a folder of their own."""
    return DIRECTORY / project.removeprefix(PROJECT).removeprefix("-") / f"{stack}.json"
