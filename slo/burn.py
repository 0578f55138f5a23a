"""Which burn rates wake somebody, over which windows (Google SRE Workbook, chapter 5, "multiwindow, multi-burn-rate").

An alarm is on while a long and a short window both burn faster than its rate: the long one says that it matters, the
short one that it still goes on.
"""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Final

import msgspec

from slo.budget import SECONDS_PER_DAY

HOUR_S: Final = 3600
SHORT_PART: Final = 12  # of the long window is the short one
STRAY: Final = 5  # failures that by themselves wake nobody


class Urgency(StrEnum):
    """What an alarm asks of people."""

    PAGE = "page"  # now
    TICKET = "ticket"  # this week


class Burn(msgspec.Struct, frozen=True):
    """One alarm: on when `spends` of the budget would be gone after `long_s` seconds at this rate, and goes on."""

    urgency: Urgency
    spends: float  # part of the whole window's budget
    long_s: int

    @property
    def short_s(self) -> int:
        """Seconds of the window that tells whether it goes on."""
        return self.long_s // SHORT_PART

    def rate(self, window_days: float) -> float:
        """How many times faster than allowed: 14.4 for 2 % of 30 days in an hour."""
        return self.spends * window_days * SECONDS_PER_DAY / self.long_s


BURNS: Final = (
    Burn(Urgency.PAGE, 0.02, HOUR_S),
    Burn(Urgency.PAGE, 0.05, 6 * HOUR_S),
    Burn(Urgency.TICKET, 0.1, 24 * HOUR_S),
    Burn(Urgency.TICKET, 0.1, 72 * HOUR_S),
)


def bad_share(rate: float, allowed_share: float) -> float:
    """The share of bad requests at which a budget burns at `rate`; over 1 no traffic can, and nothing would alarm."""
    return rate * allowed_share


def fewest_requests(share: float) -> int:
    """Requests under which STRAY failures or fewer would be the bad share `share`: too few to wake anybody by."""
    return math.floor(STRAY / share) + 1
