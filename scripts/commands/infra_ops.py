"""`primetrade infra deploy`, `drift`, `drill` and `teardown`: what is done to an account."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click
import msgspec

from infra.errors import ConfigError, InfraError, NeedsPersonError
from scripts.commands.options import json_option, progress
from scripts.console import say
from scripts.exits import Exit, exits
from slo.yamlfile import YamlFileError

if TYPE_CHECKING:
    from infra.config.platform import Platform
    from infra.ops.account import Account
    from infra.ops.engine import Engine, Stack
    from infra.ops.kubectl import Workloads

ERRORS: dict[type[Exception], Exit] = {
    InfraError: Exit.ERROR,
    ConfigError: Exit.USAGE,
    NeedsPersonError: Exit.NEEDS_PERSON,
    YamlFileError: Exit.USAGE,
}
RESTORE_S, DRAIN_S, EVERY_S = 4 * 3600, 1800, 15  # limits of waiting, and how often is asked

really_option = click.option("--really", is_flag=True, help="Do it. Without it nothing is changed.")


def engine() -> Engine:
    """The engine that the verbs use; tests put a fake in its place."""
    from infra.ops.pulumi_cli import PulumiCli  # noqa: PLC0415  # `--help` stays fast

    return PulumiCli()


def workloads(context: str) -> Workloads:
    """What the cluster runs; tests put a fake in its place."""
    from infra.ops.kubectl import Kubectl  # noqa: PLC0415  # as above

    return Kubectl(context)


def _opened(name: str, tell: Callable[[str], None]) -> tuple[Platform, Stack, Account]:
    from infra.ops.account import Account, asked  # noqa: PLC0415  # boto3 takes a second
    from infra.ops.engine import PROGRAMS, Stack  # noqa: PLC0415  # as above
    from infra.stackfile import read_stack  # noqa: PLC0415  # as above

    platform = read_stack(name).platform
    account = Account(platform.account, platform.region)
    with asked("whose credentials these are"):
        account.check()
    programs = tuple(each for each in PROGRAMS if each.has(name))
    return platform, Stack(name, engine(), programs, tell), account


@click.command()
@click.argument("name", metavar="STACK")
@really_option
@click.option("--allow", "allowed", metavar="RESOURCE", multiple=True, help="Let this one lose what it holds.")
@json_option
@exits(ERRORS)
def deploy(name: str, really: bool, allowed: tuple[str, ...], as_json: bool) -> None:
    """Deploy the programs of a stack in order; stops with exit code 6 before anything that keeps state would be lost.

    Example: primetrade infra deploy staging --really
    """
    tell = progress(as_json)
    _, stack, account = _opened(name, tell)
    from infra.ops.account import asked  # noqa: PLC0415  # `--help` stays fast
    from infra.ops.deploy import announced  # noqa: PLC0415  # as above
    from infra.ops.deploy import deploy as run  # noqa: PLC0415  # as above

    with asked(f"deploy of {name}"):
        done = run(stack, allowed, announced(account, name, tell) if really else None)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(done)))
    elif not really:
        say("nothing was changed; add --really to do it")


@click.command()
@click.argument("name", metavar="STACK")
@json_option
@exits(ERRORS)
def drift(name: str, as_json: bool) -> None:
    """Find what is not as the programs say, and what no program made: exit code 6 if there is any.

    Example: primetrade infra drift prod
    """
    tell = progress(as_json)
    platform, stack, account = _opened(name, tell)
    from infra.ops.account import asked  # noqa: PLC0415  # `--help` stays fast
    from infra.ops.drift import by_tags  # noqa: PLC0415  # as above
    from infra.ops.drift import drift as run  # noqa: PLC0415  # as above

    with asked(f"drift of {name}"):
        found = run(stack, by_tags(account, platform.name, platform.profile))
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found)))
    else:
        for program, steps in found.changed.items():
            for step in steps:
                say(f"{program}: {step.op} {step.name} {', '.join(step.keys)}".rstrip())
        for arn in found.unowned:
            say(f"in no stack: {arn}")
        say(f"{len(found.of_cluster)} more were made by the cluster or by AWS")
        say("no drift" if found.none else "bring it back with `primetrade infra deploy`, or write it into the program")
    click.get_current_context().exit(Exit.DONE if found.none else Exit.NEEDS_PERSON)


@click.command()
@click.argument("name", metavar="STACK")
@really_option
@json_option
@exits(ERRORS)
def drill(name: str, really: bool, as_json: bool) -> None:
    """Exercise a disaster: restore a copy of the database, time it, delete it; exit code 3 if a goal is missed.

    Example: primetrade infra drill dr --really
    """
    tell = progress(as_json)
    platform, _, account = _opened(name, tell)
    from infra.ops.account import asked  # noqa: PLC0415  # `--help` stays fast
    from infra.ops.drill import Exercise  # noqa: PLC0415  # as above
    from infra.ops.patience import Patience  # noqa: PLC0415  # as above

    exercise = Exercise(platform, account)
    with asked(f"drill of {name}"):
        look = exercise.look()
        steps = exercise.run(look, Patience(RESTORE_S, EVERY_S), tell) if really else ()
    found = exercise.report(name, look, steps)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found)))
    else:
        lag = "none" if look.lag_s is None else f"{look.lag_s:.0f} s"
        age = "none" if look.backups_s is None else f"{look.backups_s:.0f} s"
        say(f"{look.instance} is {look.status}; replica's lag: {lag}; newest backup's age: {age}")
        if look.left:
            say(look.left)
        for step in steps:
            say(f"{step.name}: {step.seconds:.0f} s")
        for words in found.missed:
            say(words)
        say(f"goals: RPO {found.rpo_goal_s:.0f} s, RTO {found.rto_goal_s:.0f} s" + ("" if really else "; a dry run"))
    click.get_current_context().exit(Exit.SLO_MISSED if found.missed else Exit.DONE)


@click.command()
@click.argument("name", metavar="STACK")
@really_option
@click.option("--confirm", metavar="STACK", default="", help="Its name again, where it holds protected data.")
@click.option("--context", required=True, help="The cluster's context in the kubeconfig; none: it is gone already.")
@json_option
@exits(ERRORS)
def teardown(name: str, really: bool, confirm: str, context: str, as_json: bool) -> None:
    """End an environment from the cluster down to the network: exit code 6 if anything is left.

    Example: primetrade infra teardown dev --context primetrade-dev --really
    """
    tell = progress(as_json)
    platform, stack, account = _opened(name, tell)
    from infra.ops.account import asked  # noqa: PLC0415  # `--help` stays fast
    from infra.ops.drift import by_tags  # noqa: PLC0415  # as above
    from infra.ops.patience import Patience  # noqa: PLC0415  # as above
    from infra.ops.teardown import Teardown  # noqa: PLC0415  # as above

    stack = stack._replace(programs=tuple(each for each in stack.programs if each.name != "bootstrap"))
    with asked(f"teardown of {name}"):
        work = Teardown(
            stack,
            account,
            None if context == "none" else workloads(context),
            lambda: by_tags(account, platform.name, platform.profile),
        )
        found = work.run(confirm, Patience(DRAIN_S, EVERY_S)) if really else work.look()
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found)))
    else:
        for stage, names in found.found.items():
            say(f"{stage}: {', '.join(names) or 'none'}")
        say(f"protected: {', '.join(found.protected) or 'none'}")
        for arn in found.leftovers or ():
            say(f"left over: {arn}")
        if found.stopped:
            say(f"stopped: {found.stopped}")
        say("nothing was changed; add --really to do it" if not really else f"{len(found.leftovers or ())} left over")
    click.get_current_context().exit(Exit.NEEDS_PERSON if found.leftovers or found.stopped else Exit.DONE)
