"""What the stand-in says to inputs before anything is made, and what of them is settled then."""

from __future__ import annotations

from collections.abc import Iterator

from infra.plan.graph import Json
from infra.rehearsal import published
from infra.rehearsal.kinds import misfits


def faults(token: str, inputs: dict[str, Json], region: str) -> Iterator[tuple[str, str]]:
    """Path and words for each input that the SDK's types or AWS's schemas refuse."""
    yield from misfits(token, inputs)
    yield from published.complaints(token, inputs, region)
