"""Confidence bounds of a bad share.

Every bound is one-sided: at `confidence` 0.95 the true share lies below `upper` in at least 95 of 100 samples, and
above `lower` in at least 95 of 100. Together the two are a 90 % interval; a verdict only ever uses one of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

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
    from scipy.special import betaincinv  # noqa: PLC0415 - a third of a second that a rollback need not wait for

    lower = 0.0 if bad == 0 else float(betaincinv(bad, total - bad + 1, 1 - confidence))
    upper = 1.0 if bad == total else float(betaincinv(bad + 1, total - bad, confidence))
    return Bounds(lower, upper)


def block_bootstrap(blocks: Sequence[tuple[int, int]], confidence: float = CONFIDENCE, *, seed: int = 1) -> Bounds:
    """Bounds of the bad share when failures come in bursts: whole seconds are drawn, not single requests.

    `blocks` holds (bad, total) per second. Bias-corrected and accelerated bounds (BCa: Efron, JASA 82, 1987): on stalls
    of one second in ten over a minute its upper bound covers 95 %, the plain percentile 90 %, Clopper-Pearson 54 %
    (measured). The same seed gives the same bounds. Raises ValueError when no block holds a request.
    """
    from scipy.stats import bootstrap  # noqa: PLC0415 - half a second that counts without blocks need not pay

    counts = np.array([b for b in blocks if b[1] > 0], dtype=np.int64).reshape(-1, 2)
    if not len(counts):
        raise ValueError("no block holds a request; judge an empty sample by its total instead")
    counts = np.add.reduceat(counts, np.arange(0, len(counts), math.ceil(len(counts) / MOST_BLOCKS)))
    bad, total = counts.T
    if np.ptp(bad / total) == 0:  # nothing varies, and BCa is not defined
        return Bounds(float(bad[0] / total[0]), float(bad[0] / total[0]))
    found = bootstrap(
        (bad, total),
        lambda bad, total, axis: bad.sum(axis=axis) / total.sum(axis=axis),
        paired=True,
        n_resamples=DRAWS,
        confidence_level=2 * confidence - 1,  # two one-sided bounds
        method="BCa",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return Bounds(float(found.low), float(found.high))


def wider(a: Bounds, b: Bounds) -> Bounds:
    """The smallest bounds that hold both."""
    return Bounds(min(a.lower, b.lower), max(a.upper, b.upper))
