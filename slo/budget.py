"""Error-budget arithmetic (terms of the Google SRE Workbook, chapter 5)."""

from __future__ import annotations

import bisect
from collections.abc import Callable
from typing import Final

from slo.bounds import CONFIDENCE, clopper_pearson

SECONDS_PER_DAY: Final = 86_400.0
MOST_REQUESTS: Final = 10**12  # a claim that needs more is no claim


def burn_rate(bad: float, total: float, allowed_share: float) -> float:
    """How many times faster than allowed the budget goes: 1.0 ends it exactly with its window.

    It is also the part of its own budget that a sample burnt. Raises ValueError for an empty sample.
    """
    if total <= 0:
        raise ValueError("an empty sample burns at no rate; count requests first")
    return bad / total / allowed_share


def budget_burnt(rate: float, seconds: float, window_days: float) -> float:
    """The part of a window's budget gone after `seconds` at burn rate `rate`, traffic being even: 1.0 is all of it."""
    return rate * seconds / (window_days * SECONDS_PER_DAY)


def budget_seconds(allowed_share: float, window_days: float) -> float:
    """The budget as seconds of full outage in a window: 2,592 s for 99.9 % over 30 days."""
    return allowed_share * window_days * SECONDS_PER_DAY


def requests_needed(allowed_share: float, expected_share: float = 0.0, confidence: float = CONFIDENCE) -> int | None:
    """Fewest requests that settle, by Clopper-Pearson, on which side of `allowed_share` a service stands.

    `expected_share` is the bad share it is expected to show: below the allowed one the claim is "not more than
    allowed", above it "more than allowed". None where the two are (nearly) equal: no number would settle it.
    """

    def settled(total: int) -> bool:
        bounds = clopper_pearson(expected_share * total, total, confidence)
        return bounds.upper <= allowed_share if expected_share < allowed_share else bounds.lower > allowed_share

    return least(settled)


def least(enough: Callable[[int], bool]) -> int | None:
    """The least number of requests that is `enough`, which must stay true once it is; None beyond MOST_REQUESTS."""
    high = 1
    while not enough(high):
        high *= 2
        if high > MOST_REQUESTS:
            return None
    return bisect.bisect_left(range(high), True, lo=high // 2 + 1, key=enough)  # half of it was not enough
