"""`python -m scripts.image`: what `make image`, `make image-push` and `make audit` run."""

from __future__ import annotations

from pathlib import Path

import click

from scripts.console import say
from scripts.exits import Exit, Failed, exits
from scripts.image.audit import UndecidedError
from scripts.image.errors import ImageError
from scripts.image.image import LOCKS, NAME, make

ROOT = Path(__file__).parents[2]
OUT = ROOT / ".local/image"
ERRORS: dict[type[Exception], Exit] = {ImageError: Exit.ERROR}


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """The image of the task API."""


@command.command()
@click.option("--name", type=click.Choice(list(LOCKS)), default=NAME, help="The task API's or the load generator's.")
@click.option("--tag", default="", help="Default: the commit's first twelve digits.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Default: .local/image, or NAME in it.")
@click.option("--fresh", is_flag=True, help="Run every step again, whatever was built before.")
@exits(ERRORS)
def build(name: str, tag: str, out: Path | None, fresh: bool) -> None:
    """Build the image, its digest and its bill of materials.

    Example: python -m scripts.image build --tag 1.4.0
    """
    place = (out or (OUT if name == NAME else OUT / name)).resolve()
    made = make(ROOT, place, tag, name=name, fresh=fresh, say=say)
    for what, value in (
        ("repository", made.repository),
        ("tag", made.tag),
        ("digest", made.digest),
        ("size", f"{made.size / 1e6:.1f} MB compressed"),
        ("seconds", made.seconds),
        ("archive", made.archive),
        ("sbom", made.sbom),
    ):
        say(f"{what:<11} {value}")


@command.command()
@click.argument("repository", envvar="IMAGE_REPOSITORY")
@click.option("--archive", type=click.Path(dir_okay=False, path_type=Path), default=OUT / "task-api.tar")
@exits(ERRORS)
def push(repository: str, archive: Path) -> None:
    """Push the image to REPOSITORY ($IMAGE_REPOSITORY), and print it with its digest.

    Example: python -m scripts.image push 127.0.0.1:5000/task-api
    """
    from scripts.image.push import push as send  # noqa: PLC0415  # `--help` stays fast

    click.echo(f"image={send(archive, repository)}")


@command.command()
@exits({**ERRORS, UndecidedError: Exit.INCONCLUSIVE})
def audit() -> None:
    """Look up every package of locks/dev.txt, which has all others, in the database of known vulnerabilities.

    Ends with 10 where the database cannot be reached: nothing is known then.

    Example: python -m scripts.image audit
    """
    from scripts.image.audit import audit as look_up  # noqa: PLC0415  # as above

    found = look_up(ROOT / "locks/dev.txt")
    for line in found.findings:
        say(line)
    if found.findings:
        raise Failed(f"{len(found.findings)} known vulnerabilities: raise the versions with `make lock`", Exit.ERROR)
    say(f"no known vulnerability in {found.known} packages")


if __name__ == "__main__":
    command()
