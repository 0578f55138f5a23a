"""Good releases refused, bad ones found: `python -m tests.bench alarms`, by simulation of whole releases.

Each run is a release through the gates of release.yaml on simulated users' traffic (`tests.bench.traffic`), a look a
second, by the code that judges real ones. The same seed makes the same tables.
"""

from __future__ import annotations

import math
import statistics
import sys
import time
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from slo.bounds import clopper_pearson
from slo.objective import Outcome
from slo.sequential import Sample
from slo.watch import Bake, Block, Claims, Hold, Measure, kept_ms
from tests.bench.traffic import BEYOND, BOUNDS_MS, MODELS, RELEASES, Array, Model, Random, Release

PERCENTS = (5, 25, 50)
BEFORE_S, HOLD_S, BAKE_S, LIMIT_S = 60, 10, 20, 60
ERROR_RATE = 0.05
CLAIMS = Claims(margin=0.02, allowed=0.001, alarms=ERROR_RATE, passes=ERROR_RATE)
BAKED = 0.005
SLOW_MS = 200.0
RATES = (100, 300, 1000)
RUNS, GOOD_RUNS = 200, 1000


class Run(NamedTuple):
    """How one release went."""

    outcome: Outcome  # pass: all gates; inconclusive: one could not decide within its limit
    gate: str  # the last one
    seconds: int  # users were on the new slot
    hurt: int  # users' requests that the release made fail or late


class Traffic:
    """Users' requests by the second, and what the old slot answered so far."""

    def __init__(self, model: Model, release: Release, rate: float, draw: Random) -> None:
        self.model, self.release, self.rate, self.draw = model, release, rate, draw
        self.kept = np.zeros(len(BOUNDS_MS) + 1)
        self.seconds = self.hurt = 0
        for _ in self.watch(0, BEFORE_S):
            self.seconds = 0

    def watch(self, percent: int, seconds: int) -> Iterator[tuple[Array, Array]]:
        """Each second's requests of the old and of the new slot, by how they ended."""
        share = percent / 100
        for chances, _ in zip(self.model(self.draw, percent), range(seconds), strict=False):
            old = self._answer(chances.old, 1 - share)
            new = self._answer(self.release.change(chances.new), share)
            self.kept += old[1:]
            self.seconds += 1
            self.hurt += self.release.hurts(new)
            yield old, new

    def late_ms(self) -> float | None:
        """What the gate would compare latency at."""
        within = np.cumsum(self.kept).tolist()
        found = kept_ms(dict(zip([*BOUNDS_MS.tolist(), math.inf], within, strict=True)))
        return found if found and found < SLOW_MS else None

    def _answer(self, chances: Array, share: float) -> Array:
        return self.draw.multinomial(self.draw.poisson(self.rate * share), chances).astype(float)


def block(old: Array, new: Array, late_ms: float | None) -> Block:
    """A second as a gate gets it."""
    failed = (Sample(int(old[0]), int(old.sum())), Sample(int(new[0]), int(new.sum())))
    slow = {Measure.SLOW: (_over(old, SLOW_MS), _over(new, SLOW_MS))}
    late = {Measure.LATE: (_over(old, late_ms), _over(new, late_ms))} if late_ms else {}
    return {Measure.FAILED: failed, **slow, **late}


def released(model: Model, release: Release, rate: float, draw: Random) -> Run:
    """One release from its first users to its end."""
    traffic = Traffic(model, release, rate, draw)
    hold = Hold.open(CLAIMS)
    for percent in PERCENTS:
        outcome, hold = held(traffic, percent, hold.again(traffic.late_ms()))
        if outcome is not Outcome.PASS:
            return Run(outcome, f"hold at {percent} %", traffic.seconds, traffic.hurt)
    return Run(baked(traffic), "bake", traffic.seconds, traffic.hurt)


def held(traffic: Traffic, percent: int, hold: Hold) -> tuple[Outcome, Hold]:
    outcome = Outcome.INCONCLUSIVE
    for second, (old, new) in enumerate(traffic.watch(percent, LIMIT_S), 1):
        hold = hold.add(block(old, new, hold.late_ms))
        outcome = hold.finding.outcome
        if outcome is Outcome.FAIL or (outcome is Outcome.PASS and second >= HOLD_S):
            break
    return outcome, hold


def baked(traffic: Traffic) -> Outcome:
    bake, outcome = Bake.open(BAKED, CLAIMS.alarms, CLAIMS.passes), Outcome.INCONCLUSIVE
    for second, (_, new) in enumerate(traffic.watch(100, LIMIT_S), 1):
        bake = bake.add(Sample(int(new[0]), int(new.sum())))
        outcome = bake.finding.outcome
        if outcome is Outcome.FAIL or (outcome is Outcome.PASS and second >= BAKE_S):
            break
    return outcome


def row(rate: int, release: Release, runs: list[Run]) -> str:
    """A line of the table."""
    found = [run for run in runs if run.outcome is Outcome.FAIL]
    open_ = sum(run.outcome is Outcome.INCONCLUSIVE for run in runs)
    shares = [f"{100 * part / len(runs):.3g} %" for part in (len(found), open_, len(runs) - len(found) - open_)]
    if release == RELEASES[0]:
        shares[0] += f" (true share under {100 * clopper_pearson(len(found), len(runs)).upper:.2g} %)"
    seconds = f"{statistics.median(run.seconds for run in found):.0f} s" if found else ""
    hurt = f"{statistics.median(run.hurt for run in found):,.0f}" if found else ""
    return f"| {' | '.join([f'{rate:,}/s', release.name, *shares, seconds, hurt])} |"


def _over(counts: Array, bound_ms: float) -> Sample:
    answers = counts[1:]
    return Sample(int(answers[1:][BOUNDS_MS >= bound_ms].sum()), int(answers.sum()))


def main(names: list[str]) -> None:
    """Print the tables of the models called `names`, or of all."""
    models = {**MODELS, **BEYOND}
    if unknown := set(names) - set(models):
        sys.exit(f"no model {', '.join(sorted(unknown))}: there are {', '.join(models)}")
    began = time.monotonic()
    for number, name in enumerate(models):
        if names and name not in names:
            continue
        model = models[name]()
        print(f"\n{name}\n\n| requests | release | refused | undecided | live | after | users hurt |")
        print("|---|---|---|---|---|---|---|")
        for rate in RATES:
            for kind, release in enumerate(RELEASES):
                draw = np.random.default_rng([number, rate, kind])
                runs = GOOD_RUNS if kind == 0 else RUNS
                print(row(rate, release, [released(model, release, rate, draw) for _ in range(runs)]), flush=True)
    print(f"{time.monotonic() - began:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1:])
