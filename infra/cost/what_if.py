"""How far steps bring a stack below the baseline: each alone, and all together."""

from __future__ import annotations

from typing import Final

import msgspec

from infra.cost.charge import Terms
from infra.cost.estimate import Estimate, total
from infra.cost.month import Months
from infra.cost.terms import BASELINE, read_terms

GOAL: Final = 0.5  # the strategy's: half the running cost
MOVED_BY: Final = ("EC2: ", "EBS: gp3", "RDS: PostgreSQL", "VPC: NAT", "VPC: public IPv4")  # what the steps can touch


class Step(msgspec.Struct, frozen=True):
    """One change of terms, and the month under it."""

    name: str
    usd: float
    saved: float  # of the baseline, 0 to 1; below 0 it costs more


class WhatIf(msgspec.Struct, frozen=True):
    """The whole comparison."""

    stack: str
    baseline: Estimate
    steps: tuple[Step, ...]
    together: Step
    planned: Step

    @property
    def reached(self) -> bool:
        """Whether all steps together reach the goal."""
        return self.together.saved >= GOAL

    @property
    def touched(self) -> float:
        """Of the baseline, what any of the steps could lower; the rest is paid for data, requests and the network."""
        lines = [each for each in self.baseline.lines if each.sku.startswith(MOVED_BY)]
        return total(lines) / (self.baseline.usd or 1.0)


def compare(months: Months, words: str) -> WhatIf:
    """The baseline, each step of `words` on its own, all of them, and what the stack's own file asks for."""
    baseline = months.under(BASELINE)

    def step(name: str, terms: Terms) -> Step:
        usd = months.under(terms).usd
        return Step(name, usd, 1 - usd / (baseline.usd or 1.0))

    names = [word.strip() for word in words.split(",")]
    return WhatIf(
        stack=months.stack,
        baseline=baseline,
        steps=tuple(step(name, read_terms(name, BASELINE)) for name in names),
        together=step("together", read_terms(words, BASELINE)),
        planned=step("as the stack file has it", months.planned),
    )
