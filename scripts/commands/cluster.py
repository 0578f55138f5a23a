"""`primetrade cluster`: a real Kubernetes node on this machine."""

from __future__ import annotations

from pathlib import Path

import click

from scripts.cluster.errors import ClusterError, MissingError, NotUpError
from scripts.commands import options
from scripts.commands.options import json_option, progress
from scripts.console import say
from scripts.exits import Exit, exits
from scripts.local.errors import LocalError, LockedError
from scripts.tools import ToolError

ERRORS: dict[type[Exception], Exit] = {
    ClusterError: Exit.ERROR,
    MissingError: Exit.USAGE,
    NotUpError: Exit.USAGE,
    LocalError: Exit.ERROR,  # a process that did not start
    LockedError: Exit.LOCKED,
    ToolError: Exit.ERROR,
}

home_option = options.home_option("cluster", "$PRIMETRADE_CLUSTER, or .local/cluster")


def _home(home: Path | None) -> Path:
    from scripts.cluster.state import default_home  # noqa: PLC0415  # `--help` stays fast

    return home.resolve() if home else default_home()


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """A real Kubernetes node on this machine, built from source, without any registry.

    Example: primetrade cluster up
    """


@command.command()
@home_option
@json_option
@exits(ERRORS)
def up(home: Path | None, as_json: bool) -> None:
    """Start what does not run, and wait until pods, DNS, metrics, gateways and databases work.

    The first time, the programs are built (20 to 30 minutes on two cores); afterwards it takes a minute. Needs root.

    Example: primetrade cluster up && export KUBECONFIG=$(primetrade cluster kubeconfig)
    """
    from scripts.cluster import cluster  # noqa: PLC0415  # `--help` stays fast

    where = _home(home)
    cluster.up(where, progress(as_json))
    if as_json:
        _print_json(where)


@command.command()
@home_option
@exits(ERRORS)
def down(home: Path | None) -> None:
    """Stop everything, and take back mounts, interfaces, addresses and firewall rules; data is kept for the next `up`.

    Example: primetrade cluster down
    """
    from scripts.cluster import cluster  # noqa: PLC0415  # `--help` stays fast

    cluster.down(_home(home), say)


@command.command()
@home_option
@json_option
@exits(ERRORS)
def status(home: Path | None, as_json: bool) -> None:
    """Show what runs, and what this cluster is not.

    Example: primetrade cluster status --json
    """
    where = _home(home)
    if as_json:
        _print_json(where)
        return
    from scripts.cluster.status import status as look  # noqa: PLC0415  # `--help` stays fast

    found = look(where)
    for part in found.parts:
        state = f"pid {part.pid}" if part.running else "DOWN"
        say(f"{part.name:<24} {state:<12} {part.detail or 'ready'}")
    say(f"{'node':<24} {found.version:<12} {found.node}")
    for limit in found.limits:
        say(f"not shown here: {limit}")
    say(f"export KUBECONFIG={found.kubeconfig}" if found.running else f"not up: run `primetrade cluster up` ({where})")


@command.command()
@home_option
@exits(ERRORS)
def kubeconfig(home: Path | None) -> None:
    """Print the path of the administrator's kubeconfig.

    Example: export KUBECONFIG=$(primetrade cluster kubeconfig)
    """
    from scripts.cluster.state import kubeconfig as path  # noqa: PLC0415  # `--help` stays fast

    file = path(_home(home))
    if not file.exists():
        raise NotUpError(f"no cluster under {file.parent}: start one with `primetrade cluster up`")
    click.echo(file)


@command.command("load-image")
@home_option
@json_option
@click.argument("archive", type=click.Path(dir_okay=False, path_type=Path))
@exits(ERRORS)
def load_image(home: Path | None, archive: Path, as_json: bool) -> None:
    """Bring an image onto the node from ARCHIVE (`docker save NAME:TAG`), and print its names: tag, digest.

    Example: primetrade cluster load-image image.tar
    """
    from scripts.cluster import images  # noqa: PLC0415  # `--help` stays fast

    names = images.load(_home(home), archive)
    if as_json:
        import msgspec  # noqa: PLC0415  # as above

        click.echo(msgspec.json.encode({"images": names}))
        return
    for name in names:
        say(name)


def _print_json(home: Path) -> None:
    import msgspec  # noqa: PLC0415  # `--help` stays fast

    from scripts.cluster.status import status as look  # noqa: PLC0415  # as above

    click.echo(msgspec.json.format(msgspec.json.encode(look(home))))
