"""Users' traffic to simulate: what each second does to both slots, and what a release changes in its own.

A second is a chance for each way a request can end: failed, or answered within one of the bounds of `app.metrics`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.metrics import BUCKETS

BOUNDS_MS = np.array([1000 * bound for bound in BUCKETS])
QUIET, BUSY = (Path(__file__).with_name(name) for name in ("quiet.trace", "busy.trace"))  # see trace.py
FAILED = 0.0003  # of the requests of a good slot: a third of the objective
STALL_BEGINS, STALL_ENDS = 1 / 60, 1 / 1.5  # chance per second: 1.5 s in every minute or so
STALL_FAILS, STALL_MS = 0.03, 300.0  # of the requests in a stall; and half of them are answered so much later

Array = NDArray[np.float64]
Random = np.random.Generator


class Second(NamedTuple):
    """Chances of one request: of the old slot and of a new slot that is no worse."""

    old: Array
    new: Array


Model = Callable[[Random, int], Iterator[Second]]  # percent of the new slot → seconds without end


class Release(NamedTuple):
    """What a new slot does worse than the old one."""

    name: str
    errors: float = 0.0  # chance that a request fails which would not have
    later_ms: float = 0.0  # by which answers come later
    part: float = 1.0  # of the answers come later

    def change(self, chances: Array) -> Array:
        """The chances with this release."""
        answers = self.part * delayed(chances[1:], self.later_ms) + (1 - self.part) * chances[1:]
        return np.concatenate(([1 - (1 - self.errors) * answers.sum()], (1 - self.errors) * answers))

    def hurts(self, answered: Array) -> int:
        """Of the requests that the new slot answered, those worse for the release, and its failures."""
        return round(answered.sum() * self.part if self.later_ms else answered[0])


def delayed(answers: Array, by_ms: float) -> Array:
    """Answers by bound when each comes so much later; inside of two bounds they are spread evenly."""
    edges = np.concatenate(([0.0], BOUNDS_MS, [2 * BOUNDS_MS[-1]]))
    cumulative = np.concatenate(([0.0], np.cumsum(answers)))
    within = np.interp(edges - by_ms, edges, cumulative)
    within[-1] = cumulative[-1]
    return np.diff(within)


def recording(trace: Path) -> dict[int, Array]:
    """Seconds of two slots of one version by the second one's percent: second x slot x way to end (`trace.py`)."""
    seconds: dict[int, list[list[list[int]]]] = {}
    for line in trace.read_text().splitlines():
        percent, *slots = line.split(",")
        seconds.setdefault(int(percent), []).append([[int(n) for n in slot.split()] for slot in slots])
    return {percent: np.array(counts, dtype=float) for percent, counts in seconds.items()}


def usual() -> Array:
    """The chances of a request over the whole recording, with failures as stated above."""
    counts = np.sum([seconds.sum(axis=(0, 1)) for seconds in recording(QUIET).values()], axis=0)
    return np.concatenate(([FAILED], (1 - FAILED) * counts[1:] / counts[1:].sum()))


def independent() -> Model:
    """Each request by itself, every second like the other."""
    always = Second(usual(), usual())

    def seconds(_: Random, __: int) -> Iterator[Second]:
        while True:
            yield always

    return seconds


def bursty() -> Model:
    """Stalls that hit both slots alike begin and end by chance (a Markov chain); between them as `independent`."""
    calm = usual()
    answers = (calm[1:] + delayed(calm[1:], STALL_MS)) / 2 / calm[1:].sum()
    stalled = np.concatenate(([STALL_FAILS], (1 - STALL_FAILS) * answers))

    def seconds(draw: Random, _: int) -> Iterator[Second]:
        stall = False
        while True:
            stall = draw.random() < (1 - STALL_ENDS if stall else STALL_BEGINS)
            yield Second(stalled, stalled) if stall else Second(calm, calm)

    return seconds


def recorded(trace: Path = QUIET) -> Model:
    """Seconds as they followed one another in a recording, from a random one on, with failures added as above.

    A slot alone is as the larger one beside 5 %. At 50 % either of the two may be the new one.
    """
    seconds_at = {percent: _chances(counts) for percent, counts in recording(trace).items()}

    def seconds(draw: Random, percent: int) -> Iterator[Second]:
        alone = percent in (0, 100)
        found = seconds_at[5 if alone else percent]
        old, new = (0, 0) if alone else (0, 1) if percent < 50 or draw.random() < 0.5 else (1, 0)
        at = int(draw.integers(len(found)))
        while True:
            yield Second(found[at][old], found[at][new])
            at = (at + 1) % len(found)

    return seconds


def busy() -> Model:
    """As `recorded`, on a machine that starved the two slots in turn: what hits one alone is beyond every claim."""
    return recorded(BUSY)


def _chances(counts: Array) -> Array:
    """Of each slot in each second; a second without answers is like the slot's whole recording."""
    total = counts.sum(axis=2, keepdims=True)
    mean = counts.sum(axis=0, keepdims=True) / total.sum(axis=0, keepdims=True)
    found: Array = np.where(total > 0, counts / np.maximum(total, 1), mean)
    found[:, :, 1:] *= 1 - FAILED
    found[:, :, 0] = 1 - found[:, :, 1:].sum(axis=2)
    return found


MODELS: dict[str, Callable[[], Model]] = {"independent": independent, "recorded": recorded, "bursty": bursty}
BEYOND: dict[str, Callable[[], Model]] = {"busy": busy}
RELEASES = (
    Release("good"),
    Release("1 % errors", errors=0.01),
    Release("0.5 % errors", errors=0.005),
    Release("0.2 % errors", errors=0.002),
    Release("+20 ms", later_ms=20),
    Release("+50 ms", later_ms=50),
    Release("+100 ms", later_ms=100),
    Release("+100 ms, one in 10", later_ms=100, part=0.1),
    Release("+100 ms, one in 30", later_ms=100, part=1 / 30),
)
