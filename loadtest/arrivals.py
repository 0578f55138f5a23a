"""When requests are due: pure, endless schedules in seconds from the start of the run.

An open schedule does not wait for answers: a slow server gets the same arrivals as a fast one, as it does from its
users (Schroeder et al., "Open versus closed", NSDI 2006).
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from itertools import count

from loadtest.profile import Profile


def poisson(rate: float, seed: int) -> Iterator[float]:
    """Independent users: gaps are exponential with mean 1/rate, so any second holds rate ± sqrt(rate) arrivals."""
    gap = random.Random(seed).expovariate  # noqa: S311 - a schedule that can be repeated, not a secret
    due = 0.0
    while True:
        due += gap(rate)
        yield due


def uniform(rate: float, seed: int) -> Iterator[float]:
    """Equal gaps of 1/rate after a random first one; multiplied, not added up, so that no rounding error grows."""
    phase = random.Random(seed).random()  # noqa: S311 - a schedule that can be repeated, not a secret
    for number in count():
        yield (number + phase) / rate


def ramped(schedule: Iterator[float], ramp_s: float) -> Iterator[float]:
    """The same arrivals, thinned out over the first `ramp_s` seconds so that their rate rises from 0 in a line.

    The expected count by time t is rate * t^2 / (2 ramp) while it rises, and rate * (t - ramp / 2) from then on; the
    inverse of that maps each arrival of an even schedule to its new time.
    """
    for due in schedule:
        yield math.sqrt(2 * ramp_s * due) if due < ramp_s / 2 else due + ramp_s / 2


SCHEDULES = {"poisson": poisson, "uniform": uniform}


def schedule(profile: Profile, seed: int) -> Iterator[float]:
    """The arrivals of a run."""
    return ramped(SCHEDULES[profile.arrivals](profile.rate, seed), profile.ramp_s)
