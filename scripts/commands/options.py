"""Options that several nouns of the command share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from scripts.console import err, printed, say

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document, of a failure too; progress goes to stderr."
)

program_option = click.option(
    "--program",
    type=click.Choice(["bootstrap", "platform", "addons"]),
    default="platform",
    show_default=True,
    help="Which of the programs.",
)


def home_option(what: str, where: str) -> Callable[[Callable[..., object]], Callable[..., object]]:
    """`--home`, where the system `what` keeps its data, logs and state; `where` says the default."""
    return click.option(
        "--home",
        type=click.Path(file_okay=False, path_type=Path),
        help=f"Home of the {what}. Default: {where} in the repository.",
    )


local_home_option = home_option("local system", "$PRIMETRADE_LOCAL, or .local")


def local_home(home: Path | None) -> Path:
    """The home of the local system that was named, or its default."""
    from scripts.local.state import default_home  # noqa: PLC0415  # `--help` stays fast

    return home.resolve() if home else default_home()


def progress(as_json: bool) -> Callable[[str], None]:
    """What prints a line of progress: beside a JSON document it goes to stderr."""
    return beside if as_json else say


def print_json(value: object) -> None:
    """The one document of a verb, indented for people who read it all the same."""
    import msgspec  # noqa: PLC0415  # `--help` stays fast

    printed.document = True
    click.echo(msgspec.json.format(msgspec.json.encode(value)))


def beside(line: str) -> None:
    """Print a line to stderr."""
    err.print(line, markup=False, soft_wrap=True)
