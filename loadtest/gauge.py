"""How many judged requests are in flight, averaged over time: the other side of Little's law.

The mean is the area under the gauge, kept at each change. Samples every 10 ms would say the same worse: with three
requests in flight, a minute of them is off by 1.3 % (one standard error), and one sound run in eight would miss the
2 % that Little's law is held to. It stays a check of its own: it sees requests come and go, and knows no latency.
"""

from __future__ import annotations


class Gauge:
    """Requests in flight: their number, and its area in request-seconds."""

    def __init__(self) -> None:
        self.now = 0
        self.changes = 0
        self.area = 0.0
        self._since = 0.0

    def change(self, by: int, at: float) -> None:
        """One request more (+1) or less (-1) from `at` on, in seconds; 0 brings the area up to date.

        The area is linear in each change, so the order in which they are entered does not matter.
        """
        self.area += self.now * (at - self._since)
        self._since = at
        self.now += by
        self.changes += 1
