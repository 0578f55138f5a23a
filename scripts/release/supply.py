"""Whether the users' traffic can feed the gates: asked before a release begins."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from scripts.release.slots import Tally
from scripts.release.step import Kind, Stage, Step
from slo.sequential import GROUPS

MEASURED_S = 1.0


def measured_rate(
    tally: Callable[[], Mapping[str, Tally]], clock: Callable[[], float], sleep: Callable[[float], object]
) -> float:
    """Users' requests per second, over a second."""
    before, begun = tally(), clock()
    sleep(MEASURED_S)
    now, seconds = tally(), clock() - begun
    return sum(now[slot].since(before[slot]).requests for slot in now if slot in before) / seconds


def shortage(steps: Sequence[Step], rate: float) -> str:
    """Why a gate could not decide within its limit at `rate` users' requests per second; "" when all can."""
    for step in steps:
        if step.requests > step.sends * step.seconds and step.kind is Kind.ANALYSIS:
            return (
                f"the analysis gate needs {step.requests:,} requests to each slot, and {step.sends:g}/s for "
                f"{step.seconds:g} s are fewer: raise gates.analysis.rate or its duration"
            )
        if step.kind is Kind.HOLD and step.requests > GROUPS * step.limit:
            return (
                f"the {step.kind} gate of {step.slot} needs {step.requests:,} comparisons and makes {GROUPS} a second, "
                f"in {step.limit:g} s too few: raise its limit to {math.ceil(step.requests / GROUPS)}s, or the margin"
            )
        share = thinner(step)
        if step.kind in (Kind.HOLD, Kind.BAKE) and rate * share / 100 * step.limit < step.requests:
            return _too_few(step, rate, math.ceil(step.requests / step.limit / share * 100))
    return ""


def thinner(step: Step) -> float:
    """Percent of the users' requests that reach the slot with fewer of them: a hold compares one with one.

    Reads that are copied reach both slots.
    """
    apart = step.kind is Kind.HOLD and step.stage is not Stage.SHADOW and step.share < 100
    return min(step.share, 100 - step.share) if apart else step.share


def _too_few(step: Step, rate: float, least: int) -> str:
    """What a gate needs, what comes, and what can be done about it."""
    asks = f"{least:,} requests/s; {rate:,.0f}/s come: raise its limit"
    if step.stage is Stage.SHADOW:
        return (
            f"the {step.kind} gate of {step.slot} needs {step.requests:,} copied reads in {step.limit:g} s, and "
            f"{step.share:g} % of the requests are taken for reads (shadow.share), so at least {asks}, leave the step "
            "shadow out, or mend shadow.share where more of them are"
        )
    return (
        f"the {step.kind} gate of {step.slot} at {step.share:g} % needs {step.requests:,} users' requests in "
        f"{step.limit:g} s, so at least {asks}, start with a larger step, or take it to preview (`--until preview`) "
        "and move it by hand (`shift --to 100`)"
    )
