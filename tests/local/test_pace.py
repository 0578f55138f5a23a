"""What the tests' clients tell of a service that stalls: those that wait send nothing that could fail."""

from __future__ import annotations

import pytest

from tests.local.traffic import Seen, pace

S = 10**9


def answers(client: int, *seconds: float) -> list[Seen]:
    return [Seen(200, "blue", 0, int(at * S), client) for at in seconds]


@pytest.mark.parametrize(
    ("seen", "longest"),
    [
        (answers(0, 1, 2, 3) + answers(1, 1, 2, 3), 1),
        (answers(0, 3) + answers(1, 1, 2, 3), 3),  # before the first
        (answers(0, 1) + answers(1, 1, 2, 3), 3),  # behind the last
        (answers(0, 0.5, 3.5) + answers(1, 1, 2, 3), 3),  # while the other one goes on
        (answers(1, 1, 2, 3), 4),  # it was never answered
    ],
)
def test_a_stall_of_any_client_at_any_time_is_its_gap(seen: list[Seen], longest: float) -> None:
    rate, gap = pace(seen, 0, 4 * S, clients=2)
    assert (rate, gap) == (len(seen) / 4, longest)
