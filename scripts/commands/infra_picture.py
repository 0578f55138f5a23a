"""`primetrade infra picture`."""

from __future__ import annotations

from pathlib import Path

import click

from scripts.commands.infra_cost import ERRORS
from scripts.console import err, say
from scripts.exits import Exit, Failed, exits


@click.command()
@click.argument("stack")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write it there; else it is printed.")
@exits(ERRORS)
def picture(stack: str, out: Path | None) -> None:
    """Draw what a stack would make, as SVG that can be read on light and on dark.

    Example: primetrade infra picture prod --out prod.svg
    """
    from infra.stackfile import read_stack  # noqa: PLC0415  # `--help` stays fast

    file = read_stack(stack)
    err.print(f"planning {stack}: the program runs here, nothing is made", markup=False)
    from infra.picture.svg import draw  # noqa: PLC0415  # Pulumi's SDK takes seconds
    from infra.plan.run import plan  # noqa: PLC0415  # as above

    drawn = draw(plan(stack, file))
    if out:
        try:
            out.write_text(drawn)
        except OSError as exc:
            raise Failed(f"{out} cannot be written: {exc.strerror}; give another --out", Exit.USAGE) from exc
        say(f"written: {out}")
    else:
        click.echo(drawn, nl=False)
