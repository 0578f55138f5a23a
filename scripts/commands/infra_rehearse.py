"""`primetrade infra rehearse`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click
import msgspec

from infra.errors import ConfigError, InfraError
from scripts.commands.options import json_option, program_option, progress
from scripts.console import err, say
from scripts.exits import Exit, exits
from scripts.release.errors import ReleaseError, Unusable
from scripts.tools import ToolError
from slo.yamlfile import YamlFileError

if TYPE_CHECKING:
    from infra.rehearsal.run import Report
    from infra.rehearsal.story import Scene
    from scripts.apiserver import ApiServer

ERRORS: dict[type[Exception], Exit] = {
    InfraError: Exit.ERROR,
    ConfigError: Exit.USAGE,
    YamlFileError: Exit.USAGE,
    ReleaseError: Exit.ERROR,
    Unusable: Exit.USAGE,
    ToolError: Exit.ERROR,
}
ENGINE = "github.com/pulumi/pulumi/pkg/v3"  # the module that tools/pulumi pins
ORDINAL = click.IntRange(min=1)


@click.command()
@click.argument("stack")
@program_option
@click.option("--change", metavar="KEY=VALUE", help="Show what this change replaces. Default: one that tells much.")
@click.option("--fail", type=ORDINAL, metavar="N", help="The N-th create is refused; `up` stops and goes on.")
@click.option("--throttle", type=ORDINAL, metavar="N", help="The N-th create is throttled beyond all retries.")
@click.option("--timeout", type=ORDINAL, metavar="N", help="The N-th create is not ready in time, but made.")
@click.option(
    "--kubeconfig",
    metavar="PATH",
    envvar="KUBECONFIG",
    help="Of addons: plain objects are made on this API server, then deleted. Default: $KUBECONFIG.",
)
@json_option
@exits(ERRORS)
def rehearse(  # noqa: PLR0913, PLR0917 - one argument an option
    stack: str,
    program: str,
    change: str | None,
    fail: int | None,
    throttle: int | None,
    timeout: int | None,
    kubeconfig: str | None,
    as_json: bool,
) -> None:
    """Play a stack's life on Pulumi's own engine with a stand-in for AWS or the cluster: exit code 1 if it goes wrong.

    Preview, up, up again, a change, a refused destroy, destroy. That AWS would agree is not shown.

    Example: primetrade infra rehearse prod --change database.instance=db.r7g.large --timeout 40
    """
    from scripts import tools  # noqa: PLC0415  # `--help` stays fast

    tell = progress(as_json)
    tell(f"planning {stack} of {program}")
    from infra.rehearsal.process import Command  # noqa: PLC0415  # Pulumi's SDK takes seconds
    from infra.rehearsal.run import rehearse as run  # noqa: PLC0415  # as above
    from infra.rehearsal.subject import subject  # noqa: PLC0415  # as above
    from infra.rehearsal.world import Fault  # noqa: PLC0415  # as above

    told = {Fault.FAIL: fail, Fault.THROTTLE: throttle, Fault.TIMEOUT: timeout}
    faults = [(fault, number) for fault, number in told.items() if number]
    if len(faults) > 1:
        raise ConfigError("--fail, --throttle and --timeout: give one of them")
    found = subject(program, stack, change)
    server = _server(kubeconfig) if kubeconfig and program == "addons" else None
    path, version = tools.tool("pulumi", tell), tools.version("pulumi", ENGINE)
    who = "the cluster" if program == "addons" else "AWS"
    tell(f"rehearsing on Pulumi {version}; a stand-in answers for {who}")
    if server:
        tell(f"plain objects are made on {server.where}, and deleted again")
    with err.status("preview") as status:
        report = run(
            found,
            Command(path, version),
            server,
            faults[0] if faults else None,
            show=lambda scene: _print_scene(scene, tell),
            hear=status.update,
        )
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(report)))
    else:
        _print_end(report)
    click.get_current_context().exit(Exit.ERROR if report.wrong else Exit.DONE)


def _server(kubeconfig: str) -> ApiServer:
    from scripts.apiserver import ApiServer  # noqa: PLC0415  # as above

    return ApiServer(kubeconfig)


def _print_scene(scene: Scene, tell: Callable[[str], object]) -> None:
    tell(f"{scene.name:9} {scene.seconds:5.1f} s  {scene.words}")
    for words in scene.wrong:
        tell(f"          wrong: {words}")


def _print_end(report: Report) -> None:
    if report.unjudged_types:
        say(f"AWS's schemas were not asked about {', '.join(map(short, report.unjudged_types))}")
    if report.charts:
        say(f"charts, not fetched: {', '.join(report.charts)}")
    if report.asked:
        say(f"made on {report.server} and deleted again: {', '.join(report.asked)}")
    if report.unasked:
        why = "which does not have their kinds" if report.server else "none was named (--kubeconfig)"
        say(f"no API server was asked about {', '.join(report.unasked)}: {why}")
    words = "went wrong" if report.wrong else "went well"
    say(f"the rehearsal of {report.resources} resources {words} in {report.seconds:.0f} s; AWS was not asked")


def short(token: str) -> str:
    """`rds/proxyTarget` of `aws:rds/proxyTarget:ProxyTarget`."""
    return token.split(":")[1]
