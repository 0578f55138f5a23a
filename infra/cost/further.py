"""What would lower the bill further: keys of the stack file, each planned, judged by policy and priced.

None is recommended here. Each gives something up, which stands beside it, so that whoever has to reach a number sees
the price of reaching it.
"""

from __future__ import annotations

from typing import Final

import msgspec

from infra.cost.month import Months
from infra.cost.terms import BASELINE, STEPS, read_terms
from infra.cost.what_if import compare
from infra.policy.rule import judge
from infra.policy.rules import RULES

Keys = dict[str, dict[str, object] | None]  # section → what is laid over it; None: the section is left out


class Change(msgspec.Struct, frozen=True):
    """Keys of a stack file, or terms, and what they give up."""

    name: str
    gives_up: str
    keys: Keys = {}
    terms: str = ""


CHANGES: Final = (
    Change("savings-plan=3y", "the choice of other machines for three years", terms="savings-plan=3y"),
    Change("spot=1", "nodes that AWS does not take back with two minutes' notice", terms="spot=1"),
    Change("recovery.keep_months: 0", "backups older than five weeks", {"recovery": {"keep_months": 0}}),
    Change("network.endpoints: []", "a way to AWS's services that is not NAT's", {"network": {"endpoints": []}}),
    Change("database.proxy: false", "connections held through a failover", {"database": {"proxy": False}}),
    Change("edge left out", "CloudFront, its firewall, and failover by name", {"edge": None}),
)


class Further(msgspec.Struct, frozen=True):
    """A change after all those before it."""

    change: Change
    usd: float  # a month, with this and all before
    saved: float  # of the baseline, by this and all before
    broken: tuple[str, ...]  # rules of policy that the plan breaks then


def further(months: Months) -> list[Further]:
    """Each change on top of all steps that the stack may take, and of the changes before it."""
    steps = compare(months, STEPS)
    words, laid, found = ",".join(each.name for each in steps.steps), months, []
    for change in CHANGES:
        words = f"{words},{change.terms}" if change.terms else words
        laid = laid.changed(change.keys)
        terms = read_terms(words, BASELINE)
        usd = laid.under(terms).usd
        broken = sorted({each.rule for each in judge(laid.graph(terms), RULES)})
        found.append(Further(change, usd, 1 - usd / steps.baseline.usd, tuple(broken)))
    return found
