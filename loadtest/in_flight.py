"""How many judged requests are in flight, sampled: the side of Little's law that knows no latency.

One look in every 10 ms, at a moment of it drawn at random, so that no rhythm of the arrivals is met in step. Such a
sample is unbiased for the mean over time, and its variance is at most that of as many independent looks at random
moments, however slowly the number changes (stratified sampling: W. G. Cochran, Sampling Techniques, 3rd ed., 5.6).
"""

from __future__ import annotations

import math
import random
from typing import Final

EVERY_S: Final = 0.01


class InFlight:
    """The number in flight, and the looks taken at it so far: how many, their mean and spread."""

    def __init__(self, start: float, seed: int) -> None:
        self.number = 0
        self.count = 0  # of looks
        self.due = start  # the next look, in seconds
        self._random = random.Random(seed)  # noqa: S311 - moments that can be repeated, not secrets
        self._start = start
        self._sum = 0
        self._squares = 0
        self._draw()

    def change(self, by: int, now: float) -> None:
        """One more (+1) or one less (-1) from `now` on.

        A look that fell due while the process was busy is taken first: after this one it would see too many, since
        what is sent is sent at the end of a turn of the event loop (0.1 in flight too many at 1,000 requests/s).
        """
        self.look(now)
        self.number += by

    def look(self, now: float) -> None:
        """Take every look that is due by `now`: one that comes late counts for the time it waited."""
        while self.due <= now:
            self.count += 1
            self._sum += self.number
            self._squares += self.number**2
            self._draw()

    def mean(self, length_s: float) -> float:
        """Requests in flight over `length_s`, all looks together, those after it too; 0 for no length."""
        return self._sum * EVERY_S / length_s if length_s > 0 else 0.0

    @property
    def deviation(self) -> float:
        """The standard deviation of the looks; 0 without any."""
        if self.count == 0:
            return 0.0
        return math.sqrt(max(0.0, self._squares / self.count - (self._sum / self.count) ** 2))

    def _draw(self) -> None:
        self.due = self._start + (self.count + self._random.random()) * EVERY_S
