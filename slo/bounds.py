"""Confidence bounds of a bad share.

Every bound is one-sided: at `confidence` 0.95 the true share lies below `upper` in at least 95 of 100 samples, and
above `lower` in at least 95 of 100. Together the two are a 90 % interval; a verdict only ever uses one of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from scipy.special import betaincinv, ndtr, ndtri

from slo.objective import Bounds

CONFIDENCE: Final = 0.95
DRAWS: Final = 2000  # the 5 % tail is then a hundred draws
MOST_BLOCKS: Final = 600  # a longer run is cut into longer blocks: memory stays bounded, dependence is kept


def clopper_pearson(bad: float, total: float, confidence: float = CONFIDENCE) -> Bounds:
    """Exact binomial bounds of the bad share by the beta quantile (Clopper & Pearson, Biometrika 26, 1934).

    Counts need not be whole, so that planning can ask for an expected count. Raises ValueError unless
    0 <= bad <= total and total > 0.
    """
    if not 0 <= bad <= total or total <= 0:
        raise ValueError(f"{bad} bad of {total} is not a count; give 0 <= bad <= total and a total above 0")
    lower = 0.0 if bad == 0 else float(betaincinv(bad, total - bad + 1, 1 - confidence))
    upper = 1.0 if bad == total else float(betaincinv(bad + 1, total - bad, confidence))
    return Bounds(lower, upper)


def block_bootstrap(
    blocks: Sequence[tuple[int, int]], confidence: float = CONFIDENCE, *, draws: int = DRAWS, seed: int = 1
) -> Bounds:
    """Bounds of the bad share when failures come in bursts: whole seconds are drawn, not single requests.

    `blocks` holds (bad, total) per second. Bias-corrected and accelerated bounds (BCa: Efron, JASA 82, 1987) with the
    acceleration from the jackknife: on stalls of one second in ten over a minute its upper bound covers 95 %, the plain
    percentile 90 %, Clopper-Pearson 54 % (measured). The same seed gives the same bounds. Raises ValueError when no
    block holds a request.
    """
    counts = np.array([b for b in blocks if b[1] > 0], dtype=np.int64).reshape(-1, 2)
    if not len(counts):
        raise ValueError("no block holds a request; judge an empty sample by its total instead")
    counts = np.add.reduceat(counts, np.arange(0, len(counts), math.ceil(len(counts) / MOST_BLOCKS)))
    bad, total = counts.T
    share = bad.sum() / total.sum()
    if len(counts) == 1 or bad.sum() in (0, total.sum()):
        return Bounds(float(share), float(share))
    drawn = np.random.default_rng(seed).integers(0, len(counts), (draws, len(counts)), dtype=np.int32)
    shares = bad[drawn].sum(axis=1) / total[drawn].sum(axis=1)

    below = (np.mean(shares < share) + np.mean(shares <= share)) / 2
    bias = ndtri(np.clip(below, 1 / draws, 1 - 1 / draws))
    without = (bad.sum() - bad) / (total.sum() - total)
    pull = without.mean() - without
    spread = np.sum(pull**2)
    acceleration = 0.0 if spread == 0 else np.sum(pull**3) / (6 * spread**1.5)
    z = bias + ndtri(np.array([1 - confidence, confidence]))
    lower, upper = np.quantile(shares, ndtr(bias + z / (1 - acceleration * z)))
    return Bounds(float(lower), float(upper))


def wider(a: Bounds, b: Bounds) -> Bounds:
    """The smallest bounds that hold both."""
    return Bounds(min(a.lower, b.lower), max(a.upper, b.upper))
