"""`primetrade infra cost` and `prices`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import chain
from typing import TYPE_CHECKING

import click
import msgspec

from infra.errors import ConfigError, InfraError
from scripts.commands.options import json_option, progress
from scripts.console import say
from scripts.exits import Exit, exits
from slo.yamlfile import YamlFileError

if TYPE_CHECKING:
    from infra.cost.refresh import Market
    from infra.cost.report import Report
    from infra.cost.what_if import WhatIf

ERRORS: dict[type[Exception], Exit] = {InfraError: Exit.ERROR, ConfigError: Exit.USAGE, YamlFileError: Exit.USAGE}


@click.command()
@click.argument("stack_names", metavar="[STACK]...", nargs=-1)
@click.option("--what-if", "words", metavar="NAME=VALUE,...", help="Compare with the baseline: spot=0.7,graviton=true.")
@click.option("--lines", is_flag=True, help="Print every charge, dearest first.")
@json_option
@exits(ERRORS)
def cost(stack_names: tuple[str, ...], words: str | None, lines: bool, as_json: bool) -> None:
    """Estimate a month of each stack (all, if none is named): exit code 3 if any is over its budget.

    List prices of a dated book and assumed use: infra/cost/usage.yaml says what and why.

    Example: primetrade infra cost prod --what-if spot=0.7,graviton=true,savings-plan=1y
    """
    from infra.stackfile import read_stack, stacks  # noqa: PLC0415  # `--help` stays fast

    files = {name: read_stack(name) for name in stack_names or stacks()}
    tell = progress(as_json)
    from infra.cost import report as shown  # noqa: PLC0415  # Pulumi's SDK takes seconds
    from infra.cost.advice import advise  # noqa: PLC0415  # as above
    from infra.cost.month import Months  # noqa: PLC0415  # as above
    from infra.cost.terms import BASELINE, read_terms  # noqa: PLC0415  # as above
    from infra.cost.what_if import compare  # noqa: PLC0415  # as above

    if words:
        read_terms(words, BASELINE)  # a word that is none is refused before anything is priced
    reports, comparisons = [], []
    for name, file in files.items():
        tell(f"pricing {name}: the program runs here, nothing is made")
        months = Months(name, file)
        estimate = months.under(months.planned)
        found = shown.report(estimate, file.platform.cost.budget, advise(months))
        reports.append(found)
        if not as_json:
            every = [shown.columns(shown.LINE_HEAD, shown.line_rows(estimate.lines))] if lines else []
            _print(found, [*every, shown.columns(shown.COMPONENT_HEAD, shown.component_rows(estimate))])
        if words:
            comparisons.append(compare(months, words))
            if not as_json:
                _print_what_if(comparisons[-1])
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode({"stacks": reports, "what_if": comparisons})))
    elif len(reports) > 1:
        for line in shown.columns(shown.STACK_HEAD, shown.stack_rows(reports)):
            say(line)
    within = all(each.within_budget for each in reports)
    click.get_current_context().exit(Exit.DONE if within else Exit.SLO_MISSED)


@click.group()
def prices() -> None:
    """The price book.

    Example: primetrade infra prices refresh
    """


@prices.command()
@click.option("--write", is_flag=True, help="Write the book; else only what would change is printed.")
@exits(ERRORS)
def refresh(write: bool) -> None:
    """Ask AWS's Price List API, and EC2 for spot, what each row costs today. Needs an account.

    Example: primetrade infra prices refresh --write
    """
    from infra.cost import book  # noqa: PLC0415  # `--help` stays fast
    from infra.cost.refresh import refresh as ask  # noqa: PLC0415  # as above

    found = []
    for answer in ask(book.read_book(book.FILE).prices, market(), datetime.now(UTC).date()):
        found.append(answer)
        before, after = answer.before, answer.after
        if answer.kept:
            say(f"kept: {before.service}, {before.sku}, {before.region}: {answer.kept}")
        elif before.usd != after.usd:
            say(f"{before.service}, {before.sku}, {before.region}: {before.usd:g} → {after.usd:g}")
    asked = sum(not answer.kept for answer in found)
    say(f"{asked} of {len(found)} rows are what AWS says today; the others keep their price and confidence")
    if write:
        book.FILE.write_text(book.to_csv(tuple(answer.after for answer in found)))
        say(f"written: {book.FILE}; then: make docs")


def market() -> Market:
    """AWS itself."""
    from infra.cost.aws import Aws  # noqa: PLC0415  # boto3 is slow to load

    return Aws()


def _print(found: Report, tables: Iterable[list[str]]) -> None:
    from infra.cost.report import advice_words, dollars  # noqa: PLC0415  # as above

    for line in chain.from_iterable(tables):
        say(line)
    for missing in found.not_priced:
        say(f"not priced: {missing.component}: {missing.what}: {missing.why}")
    for words in found.in_no_total:
        say(f"in no total: {words}")
    for advice in found.advice:
        say(advice_words(advice, found.stack))
    said = "within" if found.within_budget else "OVER"
    say(f"{found.stack}: {dollars(found.usd)} USD a month, {said} its budget of {found.budget_usd:,} (cost.budget)")


def _print_what_if(found: WhatIf) -> None:
    from infra.cost.report import STEP_HEAD, columns, step_rows, verdict  # noqa: PLC0415  # as above

    say("baseline: the same plan on demand, x86 nodes, NAT per zone, always on")
    for line in columns(STEP_HEAD, step_rows(found)):
        say(line)
    say(verdict(found))
