"""`primetrade demo`: the main job."""

from __future__ import annotations

from pathlib import Path

import click

from loadtest.errors import LoadError
from loadtest.launch import BadRun
from loadtest.profile import ProfileError
from scripts.cluster.errors import ClusterError, MissingError
from scripts.demo.errors import DemoError
from scripts.exits import Exit, exits
from scripts.image.errors import ImageError
from scripts.local.errors import LocalError, LockedError
from scripts.release.errors import Interrupted, Locked, NeedsPerson, ReleaseError, Reverted, Terminated, Undecided
from scripts.tools import ToolError
from slo.yamlfile import YamlFileError

ERRORS: dict[type[Exception], Exit] = {
    BadRun: Exit.USAGE,
    ClusterError: Exit.ERROR,
    DemoError: Exit.USAGE,
    ImageError: Exit.ERROR,
    Interrupted: Exit.INTERRUPTED,
    LoadError: Exit.ERROR,
    LocalError: Exit.ERROR,
    Locked: Exit.LOCKED,
    LockedError: Exit.LOCKED,
    MissingError: Exit.USAGE,
    NeedsPerson: Exit.NEEDS_PERSON,
    ProfileError: Exit.USAGE,
    ReleaseError: Exit.ERROR,
    Reverted: Exit.REVERTED,
    Terminated: Exit.TERMINATED,
    ToolError: Exit.ERROR,
    Undecided: Exit.INCONCLUSIVE,
    YamlFileError: Exit.USAGE,
}


@click.command()
@click.option("--cluster", is_flag=True, help="On Kubernetes: in the cluster of this machine, which is brought up.")
@click.option("--profile", help="Load profile: load proves, smoke is short.  [default: load; with --cluster: cluster]")
@click.option(
    "--home",
    type=click.Path(path_type=Path),
    default=Path(".local/demo"),
    show_default=True,
    help="Home of its system: empty, or an earlier demo's, which goes.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the report.  [default: reports/demo-TIME]")
@click.option("--late-fault", is_flag=True, help="Play a release that breaks after it has got all users.")
@click.option("--keep", is_flag=True, help="Leave the system up and print its addresses.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON on stdout, progress on stderr.")
@exits(ERRORS)
def command(  # noqa: PLR0913 - one for each option
    *, cluster: bool, profile: str | None, home: Path, out: Path | None, late_fault: bool, keep: bool, as_json: bool
) -> None:
    """Prove the targets through live releases.

    Starts a system of its own, offers load, and while it runs brings a good release in by steps, rolls it back, brings
    it in again, and tries a bad one that its gate must refuse. Ends with a verdict and a report.

    With --late-fault one release passes every gate and begins to fail when it has all users; the engine must bring
    them back by itself. It ends with the number of users hurt, and with 0 when all else went well: the verdict on
    the targets, which that release misses on purpose, is shown and does not count.

    With --cluster all of it happens on a real Kubernetes node, behind a Gateway, at a rate that such a node can serve.

    Example: primetrade demo --profile smoke --keep
    """
    from scripts.demo import ending, run, screen  # noqa: PLC0415  # only this verb needs them

    profile = profile or ("cluster" if cluster else "load")
    options = run.Options(
        cluster=cluster,
        profile=profile,
        home=home.absolute(),
        out=(out or Path("reports") / f"demo-{run.stamp()}").absolute(),
        keep=keep,
        late_fault=late_fault,
    )
    with screen.Screen(f"primetrade demo, profile {profile}", to_stderr=as_json) as live:
        demo = run.run(options, live)
    code = ending.tell(demo, options, as_json=as_json)
    if code is not Exit.DONE:
        raise SystemExit(code)
