"""What a savings plan would bring, from the plan's own numbers."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from infra.cost.book import Confidence
from infra.cost.charge import Terms
from infra.cost.estimate import Line
from infra.cost.month import Months
from infra.cost.usage import HOURS

YEARS: Final[tuple[Literal["1y", "3y"], ...]] = ("1y", "3y")


class Advice(msgspec.Struct, frozen=True):
    """A commitment to nodes that run on demand even without a single request."""

    plan: str
    commit_usd_hour: float  # at the plan's rates
    saves_usd_month: float
    breaks_even: float  # of the hours: below this share on demand is cheaper
    runs: float  # of the hours, that the busiest of these nodes run
    confidence: Confidence

    @property
    def worth(self) -> bool:
        """Whether to buy it."""
        return self.saves_usd_month > 0


def advise(months: Months) -> list[Advice]:
    """Advice for each term of a Compute Savings Plan; none where no node runs on demand.

    A commitment is due in every hour, so it is for those nodes only that run for enough of them.
    """
    terms = msgspec.structs.replace(months.planned, savings_plan="none")
    always, planned = _idle(months, msgspec.structs.replace(terms, night=False)), _idle(months, terms)
    if not planned:
        return []
    runs = {key: planned[key].quantity / each.quantity for key, each in always.items()}
    found = []
    for plan in YEARS:
        discount = months.book.discount(f"Compute Savings Plan {plan} no upfront")
        pays = 1 - discount.usd
        paying = [key for key, share in runs.items() if share > pays] or list(runs)
        committed = sum(always[key].usd for key in paying) * pays
        saved = sum(planned[key].usd for key in paying) - committed
        found.append(Advice(plan, committed / HOURS, saved, pays, max(runs.values()), discount.confidence))
    return found


def _idle(months: Months, terms: Terms) -> dict[tuple[str, str], Line]:
    """Nodes on demand that run without a single request, by resource and words."""
    idle = msgspec.structs.replace(months.usage, mean_share=0)
    lines = months.under(terms, idle).lines
    return {(each.resource, each.what): each for each in lines if each.sku.endswith("linux on-demand")}
