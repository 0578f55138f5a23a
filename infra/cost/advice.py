"""What a savings plan would bring, from the plan's own numbers."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from infra.cost.book import Confidence
from infra.cost.estimate import total
from infra.cost.month import Months
from infra.cost.usage import HOURS

YEARS: Final[tuple[Literal["1y", "3y"], ...]] = ("1y", "3y")


class Advice(msgspec.Struct, frozen=True):
    """A commitment to nodes that run on demand even without a single request."""

    plan: str
    commit_usd_hour: float  # at the plan's rates
    saves_usd_month: float
    breaks_even: float  # of the hours: below this share on demand is cheaper
    runs: float  # of the hours, that these nodes run
    confidence: Confidence

    @property
    def worth(self) -> bool:
        """Whether to buy it."""
        return self.saves_usd_month > 0


def advise(months: Months) -> list[Advice]:
    """Advice for each term of a Compute Savings Plan; none where no node runs on demand."""
    idle = msgspec.structs.replace(months.usage, mean_share=0)
    terms = msgspec.structs.replace(months.planned, savings_plan="none")
    lines = [each for each in months.under(terms, idle).lines if each.sku.endswith("linux on-demand")]
    if not lines:
        return []
    share = months.awake(terms)
    found = []
    for plan in YEARS:
        discount = months.book.discount(f"Compute Savings Plan {plan} no upfront")
        whole = total(lines) / share / HOURS  # an hour on demand
        committed = whole * (1 - discount.usd)
        saved = (whole * share - committed) * HOURS
        found.append(Advice(plan, committed, saved, 1 - discount.usd, share, discount.confidence))
    return found
