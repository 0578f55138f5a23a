"""`primetrade infra`: what Pulumi itself does not do."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click
import msgspec

from infra.errors import ConfigError, InfraError
from scripts.commands.infra_cost import cost, prices
from scripts.commands.infra_ops import deploy, drift, drill, teardown
from scripts.commands.infra_picture import picture
from scripts.commands.infra_rehearse import rehearse
from scripts.commands.options import program_option
from scripts.console import err, say
from scripts.exits import Exit, Failed, exits
from slo.yamlfile import YamlFileError

if TYPE_CHECKING:
    from infra.plan.graph import Graph

ERRORS: dict[type[Exception], Exit] = {InfraError: Exit.ERROR, ConfigError: Exit.USAGE, YamlFileError: Exit.USAGE}


class Verbs(click.Group):
    """Verbs with libraries of their own, which `make demo` does not install."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except ModuleNotFoundError as exc:
            why = f"{exc}; the verbs for AWS need more libraries than the demo: install them by `make .venv/.dev`"
            raise Failed(why, Exit.USAGE) from exc


@click.group(cls=Verbs)
def command() -> None:
    """The AWS programs, judged without an account.

    Example: primetrade infra plan prod
    """


command.add_command(cost)
command.add_command(prices)
command.add_command(picture)
command.add_command(rehearse)
for verb in (deploy, drift, drill, teardown):
    command.add_command(verb)


@command.command()
@click.argument("stack")
@program_option
@click.option("--diff", is_flag=True, help="Print only what differs from the committed graph.")
@click.option("--write", is_flag=True, help="Make this the committed graph.")
@click.option("--json", "as_json", is_flag=True, help="Print the graph as JSON; progress goes to stderr.")
@exits(ERRORS)
def plan(stack: str, program: str, diff: bool, write: bool, as_json: bool) -> None:
    """Run a program on a stack without an account, and print what it would make.

    Example: primetrade infra plan prod --diff
    """
    graph = _planned(program, stack)
    from infra.plan import golden  # noqa: PLC0415  # Pulumi's SDK takes seconds
    from infra.plan.programs import wanted_secrets  # noqa: PLC0415  # as above

    if as_json:
        from infra.plan.graph import to_json  # noqa: PLC0415  # as above

        click.echo(to_json(graph), nl=False)
    else:
        if not diff:
            _print_tree(graph)
            for secret in wanted_secrets(program, stack):
                say(f"before pulumi up: pulumi config set --secret {secret} -s {stack}")
        _print_difference(golden.read(stack, graph.project), graph)
    if write:
        say(f"written: {golden.write(graph)}")


@command.command()
@click.argument("stack")
@program_option
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON; progress goes to stderr.")
@exits(ERRORS)
def policy(stack: str, program: str, as_json: bool) -> None:
    """Judge what a stack would make: exit code 1 if any rule is broken.

    Example: primetrade infra policy prod
    """
    graph = _planned(program, stack)
    from infra.policy.rule import judge  # noqa: PLC0415  # Pulumi's SDK takes seconds
    from infra.policy.rules import RULES  # noqa: PLC0415  # as above
    from infra.policy.waivers import read_waivers, waive  # noqa: PLC0415  # as above

    today = datetime.now(UTC).date()
    judged = waive(judge(graph, RULES), read_waivers(), stack, today)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(judged)))
    else:
        for each in judged.findings:
            say(f"{each.resource}: {each.words}")
            say(f"    {each.rule}: {each.why}{f' ({each.control})' if each.control else ''}")
        for waiver in judged.stale:
            say(f"{waiver.resource}: the waiver of {waiver.rule} has ended or waives nothing; take it out")
        say(f"{len(judged.findings)} findings by {len(RULES)} rules, {len(judged.waived)} waived")
    click.get_current_context().exit(Exit.ERROR if judged.findings else Exit.DONE)


def _planned(program: str, stack: str) -> Graph:
    err.print(f"planning {stack}: the program runs here, nothing is made", markup=False)
    from infra.plan import programs  # noqa: PLC0415  # Pulumi's SDK takes seconds

    return programs.plan(program, stack)


def _print_tree(graph: Graph) -> None:
    from infra.plan.tree import tree_lines  # noqa: PLC0415  # as above

    for line in tree_lines(graph):
        say(line)


def _print_difference(before: Graph | None, graph: Graph) -> None:
    from infra.plan.tree import difference_lines  # noqa: PLC0415  # as above

    if before is None:
        say(f"no committed graph of {graph.stack} yet; --write commits to this one")
        return
    lines = list(difference_lines(before, graph))
    for line in lines:
        say(line)
    say("differs from the committed graph" if lines else "same as the committed graph")
