"""Tests that may be looked at after every second, as often as one likes; pure.

Each test is a bet against a claim, such as "at most 0.1 % of the requests fail". While the claim holds, no way of
betting wins on average, whatever went before: so the chance that the wealth, 1 at the start, ever reaches 1/rate is at
most `rate` (Ville 1939; Shafer, JRSS A 184, 2021; Ramdas et al., Statistical Science 38, 2023). Once it does, the claim
is given up, at whichever look that is. A `Wealth` shares its stake out among bettors of different courage, so that
small and large deviations are both found; their mean is a bet again.

The claims are about each second given the seconds before it, so nothing is assumed about how the seconds hang together.
`docs/statistics.md` states the whole method.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from slo.budget import least

MOST: Final = 500.0  # logarithm of a wealth that nobody needs to tell from a greater one
RESERVE: Final = 0.5  # of a stake, for a fault that begins later
LATER: Final = 1 / 120  # of the reserve is staked in each block
BLOCKS: Final = 2.3  # of the best evidence decide: what is over after two blocks is a burst, three are a fault
GROUPS: Final = 25  # comparisons of a block at most, so that a stall of one slot is not counted once per request
OVER: Final = {2.0: 0.25, 4.0: 0.25, 10.0: 0.25, 50.0: 0.25}  # odds that bettors expect, against those claimed: stake
UNDER: Final = {0.02: 0.5, 0.2: 0.25, 0.5: 0.25}
BOLDNESS: Final = {0.9: 0.5, 0.4: 0.2, 0.15: 0.15, 0.05: 0.15}  # part of the largest bet that cannot ruin: stake

Array = NDArray[np.float64]


class Wealth(msgspec.Struct, frozen=True):
    """What the bettors have (logarithms), and what they hold back for a change that comes later."""

    stakes: tuple[float, ...]
    logs: tuple[float, ...]
    reserve: float

    @classmethod
    def start(cls, stakes: dict[float, float], reserve: float = 0.0) -> Wealth:
        """Before the first block: the stakes sum to 1, and `reserve` of each is held back."""
        parts = tuple(stakes.values())
        return cls(parts, tuple(math.log((1 - reserve) * part) for part in parts), reserve)

    def add(self, gains: Array, growth: float = math.inf) -> Wealth:
        """After one more block, in which the whole grows `growth` times at most: to throw money away is always fair."""
        stakes, reserve = np.log(self.stakes), self.reserve * (1 - LATER)
        fresh = stakes + (math.log(self.reserve * LATER) if self.reserve else -math.inf)
        logs = np.logaddexp(self.logs, fresh) + gains
        if growth < math.inf:
            logs = np.minimum(logs, stakes + math.log(growth * self.total - reserve))
        return Wealth(self.stakes, tuple(logs.tolist()), reserve)

    @property
    def total(self) -> float:
        """All of it: 1 at the start."""
        return float(self.reserve + math.exp(min(_log_sum(self.logs), MOST)))

    def reached(self, rate: float) -> bool:
        """Whether the claim is given up, with chance at most `rate` that it ever is while it holds."""
        return self.total >= 1 / rate


class Sample(msgspec.Struct, frozen=True):
    """Bad requests of all requests that a slot answered in a block."""

    bad: int
    total: int

    def __post_init__(self) -> None:
        if not 0 <= self.bad <= self.total:
            raise ValueError(f"{self.bad} bad of {self.total} is not a count; give 0 <= bad <= total")

    def __add__(self, other: Sample) -> Sample:
        return Sample(self.bad + other.bad, self.total + other.total)


def growth(rate: float) -> float:
    """What a block may multiply the wealth by, in a test with error rate `rate`: two of them decide nothing."""
    return math.pow(1 / rate, 1 / BLOCKS)


def share_bets(sample: Sample, allowed: float, odds: dict[float, float]) -> Array:
    """What bettors win against "each request is bad with chance at most `allowed`", or at least it where odds are < 1.

    It is the likelihood ratio of a share with `odds` times the odds of `allowed` (Wald, Annals 16, 1945).
    """
    factor = np.array(list(odds))
    gains: Array = sample.bad * np.log(factor) - sample.total * np.log1p(allowed * (factor - 1))
    return gains


def blame_bets(old: Sample, new: Sample) -> Array:
    """What bettors win against "a bad request is no likelier to be the new slot's than any request of this block".

    Given how many were bad in both slots together, the new slot's number is hypergeometric, and its moment-generating
    function is at most the binomial one (Hoeffding, JASA 58, 1963, section 6): the same ratio as for a share. What
    spoils requests of both slots alike wins nothing.
    """
    bad = old.bad + new.bad
    return share_bets(Sample(new.bad, bad), new.total / (old.total + new.total), OVER) if bad else np.zeros(len(OVER))


def differences(old: Sample, new: Sample, seed: tuple[int, ...]) -> Array:
    """Bad share of the new slot less the old one's, in groups of a block's requests: in each -1 to 1.

    Which requests meet in a group is drawn at random by `seed`, since only their numbers are known. A failure more in
    the new slot changes no draw.
    """
    groups = min(old.total, new.total, GROUPS)
    if groups == 0 or old.bad == new.bad == 0:
        return np.zeros(groups)
    draw = np.random.default_rng(seed)
    return _shares(new, groups, draw) - _shares(old, groups, draw)


def not_worse_bets(difference: Array, margin: float) -> Array:
    """What bettors win against "the new slot is worse by at least `margin`".

    Requests whose outcome is bounded, not known in kind: Waudby-Smith & Ramdas, JRSS B 86, 2024.
    """
    return _bets(margin - difference, 1 - margin)


def worse_bets(difference: Array, margin: float) -> Array:
    """What bettors win against "the new slot is worse by at most `margin`"."""
    return _bets(difference - margin, 1 + margin)


def comparisons_needed(margin: float, rate: float) -> int:
    """Comparisons after which `not_worse_bets` reach 1/`rate` when nothing is bad. Raises ValueError unless shares."""
    _refuse_unless_shares(margin, rate)
    return _needed(_bets(np.array([margin]), 1 - margin), BOLDNESS, rate)


def requests_under(allowed: float, rate: float) -> int:
    """Requests after which `share_bets` with UNDER reach 1/`rate` when nothing is bad. Raises ValueError likewise."""
    _refuse_unless_shares(allowed, rate)
    return _needed(share_bets(Sample(0, 1), allowed, UNDER), UNDER, rate)


def more_comparisons(wealth: Wealth, share: float, margin: float, rate: float) -> int | None:
    """About how many more comparisons `not_worse_bets` need when both slots have the bad share `share`.

    None when no number would be enough.
    """
    even, apart = 1 - 2 * share * (1 - share), share * (1 - share)
    one = [_bets(np.array([margin - d]), 1 - margin) for d in (0, 1, -1)]
    return _more(wealth, even * one[0] + apart * (one[1] + one[2]), rate)


def more_requests(wealth: Wealth, share: float, allowed: float, rate: float) -> int | None:
    """About how many more requests `share_bets` with UNDER need at the bad share `share`; None likewise."""
    hit, miss = (share_bets(Sample(bad, 1), allowed, UNDER) for bad in (1, 0))
    return _more(wealth, share * hit + (1 - share) * miss, rate)


def _bets(values: Array, most: float) -> Array:
    """Sum over `values` of log(1 + bet * value) for each boldness; no value is under -`most`."""
    bets = np.array(list(BOLDNESS)) / most
    gains: Array = np.log1p(np.outer(bets, values)).sum(axis=1)
    return gains


def _shares(sample: Sample, groups: int, draw: np.random.Generator) -> Array:
    places = draw.permutation(sample.total) % groups
    return np.bincount(places[: sample.bad], minlength=groups) / np.bincount(places, minlength=groups)


def _needed(gain: Array, stakes: dict[float, float], rate: float) -> int:
    start = np.log(np.array(list(stakes.values())))
    enough: Callable[[int], bool] = lambda number: _log_sum(start + number * gain) >= -math.log(rate)  # noqa: E731
    found = least(enough)
    if found is None:
        raise ValueError(f"no number of requests settles a margin or share that makes a gain of {gain.max():g} each")
    return found


def _more(wealth: Wealth, gain: Array, rate: float) -> int | None:
    """Until the first bettor alone has enough."""
    left = [(-math.log(rate) - log) / g for log, g in zip(wealth.logs, gain.tolist(), strict=True) if g > 0]
    return max(1, math.ceil(min(left))) if left else None


def _log_sum(logs: tuple[float, ...] | list[float] | Array) -> float:
    most = float(max(logs))
    return most + math.log(sum(math.exp(log - most) for log in logs))


def _refuse_unless_shares(share: float, rate: float) -> None:
    if not (0 < share < 1 and 0 < rate < 0.5):
        raise ValueError(f"margin or share {share:g}, error rate {rate:g}: not shares; write such as 0.005 and 0.05")
