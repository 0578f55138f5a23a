"""Estimates and comparisons as tables of text, and as one JSON document."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from infra.cost.advice import Advice
from infra.cost.estimate import SCHEMA, Estimate, Line, Unpriced, shares, total
from infra.cost.free import ASIDE
from infra.cost.what_if import GOAL, Step, WhatIf

Row = tuple[str, ...]
COMPONENT_HEAD: Final[Row] = ("component", "fixed", "with traffic", "USD a month", "of the prices")
LINE_HEAD: Final[Row] = ("USD a month", "times", "component", "what", "price", "region", "confidence")
STACK_HEAD: Final[Row] = ("stack", "fixed", "with traffic", "USD a month", "budget", "not priced")
STEP_HEAD: Final[Row] = ("step", "USD a month", "below the baseline")


class Report(msgspec.Struct, frozen=True):
    """What `--json` prints of a stack."""

    schema: str
    stack: str
    budget_usd: int
    within_budget: bool
    usd: float
    fixed_usd: float
    traffic_usd: float
    by_component: dict[str, float]
    by_confidence: dict[str, float]  # shares of `usd`
    lines: tuple[Line, ...]
    not_priced: tuple[Unpriced, ...]
    free: dict[str, int]
    in_no_total: tuple[str, ...]
    advice: tuple[Advice, ...]


def report(estimate: Estimate, budget: int, advice: Sequence[Advice]) -> Report:
    """The whole of an estimate, judged by its budget."""
    return Report(
        schema=SCHEMA,
        stack=estimate.stack,
        budget_usd=budget,
        within_budget=estimate.usd <= budget,
        usd=estimate.usd,
        fixed_usd=fixed(estimate.lines),
        traffic_usd=estimate.usd - fixed(estimate.lines),
        by_component={name: total(estimate.of(name)) for name in estimate.components},
        by_confidence={each.value: share for each, share in shares(estimate.lines).items()},
        lines=estimate.lines,
        not_priced=estimate.not_priced,
        free=estimate.free,
        in_no_total=ASIDE,
        advice=tuple(advice),
    )


def fixed(lines: Iterable[Line]) -> float:
    """US dollars that are due without a single request."""
    return total(each for each in lines if not each.grows)


def component_rows(estimate: Estimate) -> list[Row]:
    """A row for each component, dearest first, and one for all."""
    rows = [_row(name, estimate.of(name)) for name in estimate.components]
    return [*rows, _row("all", estimate.lines)]


def _row(name: str, lines: Sequence[Line]) -> Row:
    still = fixed(lines)
    return name, dollars(still), dollars(total(lines) - still), dollars(total(lines)), confidence(lines)


def stack_rows(reports: Sequence[Report]) -> list[Row]:
    """A row for each stack, and one for all."""
    return [*(_stack_row(each.stack, [each]) for each in reports), _stack_row("all", reports)]


def _stack_row(name: str, reports: Sequence[Report]) -> Row:
    money = ("fixed_usd", "traffic_usd", "usd", "budget_usd")
    sums = [dollars(sum(getattr(each, key) for each in reports)) for key in money]
    return name, *sums, str(sum(len(each.not_priced) for each in reports))


def line_rows(lines: Iterable[Line]) -> list[Row]:
    """A row for each charge, equal ones counted together, dearest first."""
    alike: dict[tuple[str, ...], list[Line]] = {}
    for each in lines:
        alike.setdefault((each.component, each.what, each.sku, each.region, each.confidence.value), []).append(each)
    groups = sorted(alike.items(), key=lambda group: -total(group[1]))
    return [(dollars(total(found)), str(len(found)), *key) for key, found in groups]


def step_rows(found: WhatIf) -> list[Row]:
    """The baseline, each step, those that are refused, all others together, and what the stack file has."""

    def rows(*steps: Step) -> list[Row]:
        return [(each.name, dollars(each.usd), percent(each.saved)) for each in steps]

    return [
        ("baseline", dollars(found.baseline.usd), ""),
        *rows(*found.steps),
        *((f"{each.name} (refused)", "", "") for each in found.refused),
        *rows(found.together, found.planned),
    ]


def verdict(found: WhatIf) -> str:
    """Whether half is reached, in a sentence."""
    said = "reached" if found.reached else "NOT reached"
    refused = "".join(f" {each.name} is refused and not counted: {each.why}." for each in found.refused)
    return (
        f"{GOAL:.0%} less is {said}: all steps together bring {percent(found.together.saved)}. "
        f"They touch {found.touched:.0%} of the baseline; the rest is storage, requests, control planes and the like."
        f"{refused}"
    )


def advice_words(found: Advice, stack: str) -> str:
    """One commitment in a sentence."""
    if not found.worth:
        return (
            f"savings plan {found.plan}: none; the nodes of {stack} run {found.runs:.0%} of the hours, "
            f"it pays from {found.breaks_even:.0%} on"
        )
    return (
        f"savings plan {found.plan}, no upfront: commit ${found.commit_usd_hour:.3f} an hour to the nodes that run "
        f"without a single request; saves {dollars(found.saves_usd_month)} USD a month"
    )


def confidence(lines: Iterable[Line]) -> str:
    """`70 % verified, 20 % secondary, 10 % unverified`, of the sum of these lines."""
    return ", ".join(f"{share:.0%} {each.value}" for each, share in shares(lines).items() if round(share, 2))


def percent(share: float) -> str:
    """`12.3%`; never `-0.0%`."""
    return f"{round(share, 3) + 0.0:.1%}"


def dollars(usd: float) -> str:
    """`1,234.56`; to the dollar from a hundred on."""
    return f"{usd:,.0f}" if usd >= 100 else f"{usd:,.2f}"


def columns(head: Row, rows: Sequence[Row]) -> list[str]:
    """A table as lines of text, numbers to the right."""
    table = [head, *rows]
    widths = [max(len(row[at]) for row in table) for at in range(len(head))]
    right = [all(is_number(row[at]) for row in rows) for at in range(len(head))]
    return [
        "  ".join(cell.rjust(w) if r else cell.ljust(w) for cell, w, r in zip(row, widths, right, strict=True)).rstrip()
        for row in table
    ]


def is_number(cell: str) -> bool:
    """Whether a cell is a number, a share or nothing."""
    return not cell.strip("0123456789.,%-")
