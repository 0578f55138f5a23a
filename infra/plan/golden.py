"""The committed graphs, `golden/STACK.json`: a review shows what a change of the program changes on AWS."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from infra.plan.graph import Graph, from_json, to_json

DIRECTORY: Final = Path(__file__).parent / "golden"


def read(stack: str) -> Graph | None:
    """The committed graph of a stack, None if there is none yet. Raises ConfigError for one that cannot be read."""
    path = DIRECTORY / f"{stack}.json"
    return from_json(path.read_bytes(), str(path)) if path.exists() else None


def write(graph: Graph) -> Path:
    """Commit to this graph; returns its file."""
    path = DIRECTORY / f"{graph.stack}.json"
    path.write_bytes(to_json(graph))
    return path
