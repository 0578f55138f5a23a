"""How far steps bring a stack below the baseline: each alone, and all together."""

from __future__ import annotations

from typing import Final

import msgspec

from infra.cost.charge import Terms
from infra.cost.estimate import Estimate, total
from infra.cost.month import Months
from infra.cost.terms import BASELINE, read_terms
from infra.errors import ConfigError

GOAL: Final = 0.5  # the strategy's: half the running cost
MOVED_BY: Final = ("EC2: ", "EBS: gp3", "RDS: PostgreSQL", "VPC: NAT", "VPC: public IPv4")  # what the steps can touch


class Step(msgspec.Struct, frozen=True):
    """One change of terms, and the month under it."""

    name: str
    usd: float
    saved: float  # of the baseline, 0 to 1; below 0 it costs more


class Refused(msgspec.Struct, frozen=True):
    """A step that the environment must not take, and which therefore counts nowhere."""

    name: str
    why: str


class WhatIf(msgspec.Struct, frozen=True):
    """The whole comparison."""

    stack: str
    baseline: Estimate
    steps: tuple[Step, ...]
    refused: tuple[Refused, ...]
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
    """The baseline, each step of `words` on its own, all that are allowed, and what the stack's own file asks for.

    Raises ConfigError for a step that is none, and where the environment must not take any.
    """
    baseline = months.under(BASELINE)

    def step(name: str, terms: Terms) -> Step:
        usd = months.under(terms).usd
        return Step(name, usd, 1 - usd / (baseline.usd or 1.0))

    read_terms(words, BASELINE)  # what is no step at all stops here
    steps: list[Step] = []
    refused: list[Refused] = []
    for name in (word.strip() for word in words.split(",")):
        try:
            steps.append(step(name, read_terms(name, BASELINE)))
        except ConfigError as exc:
            refused.append(Refused(name, str(exc)))
    if not steps:
        raise ConfigError(f"--what-if {words}: {'; '.join(each.why for each in refused)}")
    allowed = ",".join(each.name for each in steps)
    return WhatIf(
        stack=months.stack,
        baseline=baseline,
        steps=tuple(steps),
        refused=tuple(refused),
        together=step("together", read_terms(allowed, BASELINE)),
        planned=step("as the stack file has it", months.planned),
    )
