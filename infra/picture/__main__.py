"""Writes the pictures of the docs anew from the committed graphs: `python -m infra.picture` (`make docs`)."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from infra.picture.svg import draw
from infra.plan import golden

PICTURES: Final = Path(__file__).parents[2] / "docs" / "pictures"
FILES: Final = {"prod": "architecture.svg", "dev": "architecture-dev.svg"}


def write() -> None:
    """Draw each stack that the docs show."""
    for stack, name in FILES.items():
        graph = golden.read(stack)
        assert graph is not None
        (PICTURES / name).write_text(draw(graph))


if __name__ == "__main__":
    write()
