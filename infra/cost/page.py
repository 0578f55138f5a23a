"""Fills the tables of docs/cost.md from the committed stacks: `python -m infra.cost.page` (`make docs`)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from infra.cost import report
from infra.cost.advice import advise
from infra.cost.book import Book
from infra.cost.estimate import Estimate
from infra.cost.free import ASIDE
from infra.cost.further import Further, further
from infra.cost.month import Months
from infra.cost.offers import questions
from infra.cost.refresh import SPOT
from infra.cost.terms import STEPS
from infra.cost.usage import KEYS, Usage, UsageFile
from infra.cost.what_if import WhatIf, compare
from infra.stackfile import read_stack, stacks

PAGE: Final = Path(__file__).parents[2] / "docs" / "cost.md"
BLOCK: Final = re.compile(r"(<!-- table: ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
DEAREST: Final = 15  # lines that the page shows of production


class Found(msgspec.Struct, frozen=True):
    """All that the tables show."""

    months: dict[str, Months]
    estimates: dict[str, Estimate]
    comparisons: dict[str, WhatIf]


def look() -> Found:
    """Every committed stack, as its file has it and against the baseline."""
    months = {name: Months(name, read_stack(name)) for name in stacks()}
    return Found(
        months,
        {name: each.under(each.planned) for name, each in months.items()},
        {name: compare(each, STEPS) for name, each in months.items()},
    )


def filled(text: str, found: Found) -> str:
    """The page with every table written anew. Raises KeyError for a table that nobody makes."""
    return BLOCK.sub(lambda block: block[1] + TABLES[block[2]](found) + "\n" + block[3], text)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of Markdown; its first column to the left, numbers to the right."""
    right = [all(report.is_number(row[at]) for row in rows) for at in range(len(head))]
    lines = [head, ["---:" if number else "---" for number in right], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def environments(found: Found) -> str:
    """A row for each stack."""
    budgets = {name: months.platform.cost.budget for name, months in found.months.items()}
    reports = [report.report(each, budgets[name], []) for name, each in found.estimates.items()]
    return table(report.STACK_HEAD, report.stack_rows(reports))


def production(found: Found) -> str:
    """A row for each of production's components."""
    return table(report.COMPONENT_HEAD, report.component_rows(found.estimates["prod"]))


def dearest(found: Found) -> str:
    """Production's dearest charges."""
    return table(report.LINE_HEAD, report.line_rows(found.estimates["prod"].lines)[:DEAREST])


def steps(found: Found) -> str:
    """Production's steps below the baseline, and the verdict on them."""
    prod = found.comparisons["prod"]
    return f"{table(report.STEP_HEAD, report.step_rows(prod))}\n\n{report.verdict(prod)}"


def everywhere(found: Found) -> str:
    """The baseline of each stack beside all steps together and beside its stack file."""
    head = ("stack", "baseline, USD a month", "all steps", "below it", "as the stack file has it", "below it")
    usd = {name: (each.baseline.usd, each.together.usd, each.planned.usd) for name, each in found.comparisons.items()}
    first, second, third = zip(*usd.values(), strict=True)
    usd["all"] = sum(first), sum(second), sum(third)
    return table(head, [_below(name, *three) for name, three in usd.items()])


def _below(name: str, baseline: float, together: float, planned: float) -> tuple[str, ...]:
    pairs = ((report.dollars(usd), report.percent(1 - usd / baseline)) for usd in (together, planned))
    return name, report.dollars(baseline), *(cell for pair in pairs for cell in pair)


def more(found: Found) -> str:
    """What would lower production's bill further, each on top of those before it."""
    head = ("change", "gives up", "USD a month", "below the baseline", "rules of policy that refuse it")
    steps = found.comparisons["prod"].together
    first = ("all steps above", "", report.dollars(steps.usd), report.percent(steps.saved), "")
    rows = [
        (f"`{each.change.name}`", each.change.gives_up, *_numbers(each), ", ".join(each.broken) or "none")
        for each in further(found.months["prod"])
    ]
    return table(head, [first, *rows])


def _numbers(found: Further) -> tuple[str, str]:
    return report.dollars(found.usd), report.percent(found.saved)


def commitments(found: Found) -> str:
    """Advice for each stack."""
    return "\n".join(
        f"- {name}: {report.advice_words(each, name)}"
        for name, months in found.months.items()
        for each in advise(months)
    )


def unpriced(found: Found) -> str:
    """What is in no total."""
    missing = Counter((each.what, each.why) for estimate in found.estimates.values() for each in estimate.not_priced)
    lines = [f"- {what}: {why} ({times} in all stacks)" for (what, why), times in sorted(missing.items())]
    return "\n".join([*lines, *(f"- {words}" for words in ASIDE)])


def uses(found: Found) -> str:
    """Every assumption with its reason."""
    file = next(iter(found.months.values())).uses
    says = {field.name: _description(field) for field in msgspec.inspect.type_info(Usage).fields}  # type: ignore[attr-defined]  # a struct
    rows = [row for key in KEYS for row in _use(key, says[key], file)]
    return table(("what", "where", "value", "why"), rows)


def _description(field: msgspec.inspect.Field) -> str:
    kind = field.type
    extra = kind.extra_json_schema if isinstance(kind, msgspec.inspect.Metadata) else None
    return str((extra or {}).get("description", ""))


def _use(key: str, says: str, file: UsageFile) -> list[tuple[str, str, str, str]]:
    everywhere_ = file.everywhere[key]
    own = [("", name, f"{found[key].value:g}", found[key].why) for name, found in file.stacks.items() if key in found]
    return [(f"`{key}` {says}", "everywhere", f"{everywhere_.value:g}", everywhere_.why), *own]


def prices(found: Found) -> str:
    """How many rows of the book are believed how far."""
    book = next(iter(found.months.values())).book
    regions = sorted({each.region for each in book.prices})
    counts = Counter((each.region, each.confidence) for each in book.prices)
    levels = list(dict.fromkeys(sorted((each.confidence for each in book.prices), key=_order)))
    rows = [(region, *(str(counts[region, level]) for level in levels)) for region in regions]
    return f"{table(('rows for', *levels), rows)}\n\nThe oldest dated row is of {book.oldest()}. {_reach(book)}"


def _reach(book: Book) -> str:
    listed = sum(bool(questions(each)) for each in book.prices)
    spot = sum(SPOT.fullmatch(each.sku) is not None for each in book.prices)
    left = sorted({each.sku for each in book.prices if not questions(each) and not SPOT.fullmatch(each.sku)})
    return (
        f"`prices refresh` asks for {listed + spot} of {len(book.prices)} rows: {listed} of AWS's price list, "
        f"{spot} of EC2's spot prices. It knows no question for {'; '.join(left)}."
    )


def _order(confidence: str) -> int:
    return ("verified", "secondary", "unverified").index(confidence)


TABLES: Final[dict[str, Callable[[Found], str]]] = {
    "environments": environments,
    "production": production,
    "dearest": dearest,
    "steps": steps,
    "everywhere": everywhere,
    "more": more,
    "commitments": commitments,
    "unpriced": unpriced,
    "uses": uses,
    "prices": prices,
}

if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text(), look()))
