"""A second slot beside the one that `edge` has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.local.slots import Slot, SlotSpec, start_slot
from scripts.local.state import State
from tests.local.traffic import ready


@pytest.fixture
def green(edge: State, artefact: Callable[..., SlotSpec]) -> Slot:
    """The twin 2.0.0 in green, ready and without users."""
    return ready(edge, start_slot(Path(edge.home), edge, "green", artefact("2.0.0")))
