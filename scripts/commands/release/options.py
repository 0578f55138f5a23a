"""What the verbs of a release share: their options, how they reach the platform, and how they end."""

from __future__ import annotations

import getpass
import os
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scripts.commands.options import beside, json_option, local_home, local_home_option, print_json, progress
from scripts.console import say
from scripts.exits import Exit, exits
from scripts.release.errors import (
    Awaiting,
    Interrupted,
    Locked,
    NeedsPerson,
    ReleaseError,
    Reverted,
    Terminated,
    Undecided,
    Unusable,
)

if TYPE_CHECKING:  # the verbs import what they need when they run, so that `--help` stays fast
    from scripts.release.engine import Caller, Done, Options
    from scripts.release.file import ReleaseFile
    from scripts.release.platform import Platform
    from scripts.release.step import Step

ERRORS: dict[type[Exception], Exit] = {
    ReleaseError: Exit.ERROR,
    Unusable: Exit.USAGE,
    Locked: Exit.LOCKED,
    NeedsPerson: Exit.NEEDS_PERSON,
    Reverted: Exit.REVERTED,
    Undecided: Exit.INCONCLUSIVE,
    Awaiting: Exit.AWAITING_APPROVAL,
    Interrupted: Exit.INTERRUPTED,
    Terminated: Exit.TERMINATED,
}

Verb = Callable[..., Any]

file_option = click.option(
    "--file",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    default="release.yaml",
    show_default=True,
    help="How the service is released.",
)
all_at_once_option = click.option("--all-at-once", is_flag=True, help="One step of 100 % instead of the file's steps.")


def place(verb: Verb) -> Verb:
    """The options that say which service is meant, and where it runs; and the exit codes."""
    for option in (
        file_option,
        click.option("--platform", type=click.Choice(["local", "kubernetes"]), help="Override the file's platform."),
        click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override one value of the file."),
        local_home_option,
        json_option,
    ):
        verb = option(verb)
    return exits(ERRORS)(verb)


def author(verb: Verb) -> Verb:
    """The options of what goes into the journal."""
    verb = click.option("--reason", default="", help="Why; kept in the journal.")(verb)
    return click.option("--actor", default=_me, help="Who; kept in the journal. Default: user@host.")(verb)


def version(verb: Verb) -> Verb:
    """What is deployed, and how far."""
    for option in (
        all_at_once_option,
        click.option("--until", type=click.Choice(["preview"]), help="Stop behind the analysis gate, without users."),
        click.option("--env", multiple=True, metavar="KEY=VALUE", help="Laid over the environment of the file."),
        click.option("--image", default="", metavar="IMAGE", help="On Kubernetes: NAME@sha256:… or NAME:TAG."),
        click.argument("version"),
    ):
        verb = option(verb)
    return verb


def _me() -> str:
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (KeyError, OSError):  # a user without a name, as in a container
        return f"uid {os.getuid()}@{socket.gethostname()}"


def chosen(where: dict[str, Any]) -> Options:
    """The options of a deploy. Raises Unusable for an --env that is not KEY=VALUE."""
    from scripts.release.engine import Options  # noqa: PLC0415 - `--help` stays fast

    for word in where["env"]:
        if "=" not in word or word.startswith("="):
            raise Unusable(f"--env {word}: write KEY=VALUE")
    env = dict(word.split("=", 1) for word in where["env"])
    return Options(env, where["until"] == "preview", where["all_at_once"], where["image"])


def connect(where: dict[str, Any]) -> tuple[Platform, ReleaseFile]:
    """The platform and the release file that the options name. Raises Unusable."""
    return _connected(where, _read(where))


def connect_forward(where: dict[str, Any], verb: str) -> tuple[Platform, ReleaseFile]:
    """The same, and a copy of the file is kept for the way back. Raises Unusable."""
    from scripts.release.kept import keep  # noqa: PLC0415 - as above

    platform, file = connect(where)
    try:
        keep(local_home(where["home"]), file, verb, time.time())
    except OSError as exc:  # the way back is as open as the file can be read
        beside(f"no copy of {file.path} could be kept for the way back: {exc}")
    return platform, file


def connect_back(where: dict[str, Any]) -> tuple[Platform, ReleaseFile]:
    """The same, by the copy that was kept last where the file cannot be used. Raises Unusable."""
    from scripts.release.kept import find, restore  # noqa: PLC0415 - as above
    from scripts.release.run import utc  # noqa: PLC0415 - as above

    try:
        return connect(where)
    except NotUsable as exc:
        lost = str(exc)
    try:
        copy = find(local_home(where["home"]), where["path"], where["platform"] or "")
    except Unusable as exc:
        raise Unusable(f"{lost}. For the way back {exc}") from exc
    if copy is None:
        raise Unusable(f"{lost}. No command forward has kept a copy of one here, which would do for the way back")
    file = restore(copy, _overrides(where), lost)
    beside(f"{lost}. Going by the copy of {copy.path} that `{copy.verb}` used at {utc(copy.at)} ({copy.place})")
    return _connected(where, file)


class NotUsable(Unusable):
    """The release file cannot be used, whatever the other options are."""


def _overrides(where: dict[str, Any]) -> tuple[str, ...]:
    return (*where["overrides"], *([f"platform={where['platform']}"] if where["platform"] else []))


def _read(where: dict[str, Any]) -> ReleaseFile:
    from scripts.release.file import Lacking, read_release_file  # noqa: PLC0415 - as above
    from slo.yamlfile import YamlFileError  # noqa: PLC0415 - as above

    try:
        return read_release_file(where["path"], _overrides(where))
    except (YamlFileError, Lacking) as exc:
        raise NotUsable(str(exc)) from exc


def _connected(where: dict[str, Any], file: ReleaseFile) -> tuple[Platform, ReleaseFile]:
    home = local_home(where["home"])
    if file.settings.platform == "kubernetes":
        from scripts.release.kubernetes.platform import Kubernetes  # noqa: PLC0415 - its client takes long to import

        return Kubernetes(home, file), file
    from scripts.release.local import Local  # noqa: PLC0415 - as above

    return Local(home, file), file


@contextmanager
def caller(where: dict[str, Any]) -> Iterator[Caller]:
    """Who runs the verb; its progress is told a line at a time, and never longer than some seconds nothing."""
    from scripts.commands.release.pulse import Pulse  # noqa: PLC0415 - as above
    from scripts.release.engine import Caller  # noqa: PLC0415 - as above
    from scripts.release.run import utc  # noqa: PLC0415 - as above

    pulse = Pulse(progress(where["as_json"]))

    def on_event(at: float, kind: str, label: str, detail: str) -> None:
        pulse.tell(f"{utc(at)[11:23]}  {kind:<9} {label}" + (f": {detail}" if detail else ""))

    def on_step(step: Step) -> None:
        pulse.begin(step.kind)
        pulse.tell(f"{'':14}{step.kind:<9} {step.words}")

    def on_plan(steps: Sequence[Step]) -> None:
        pulse.tell(f"{len(steps)} steps: " + " → ".join(step.kind for step in steps))

    with pulse.beating():
        yield Caller(where["actor"], where["reason"], on_event, on_plan, on_step)


def show(done: Done, *, as_json: bool) -> None:
    """How a verb ended well."""
    if as_json:
        print_json(done)
        return
    for cut in done.cut_overs:
        say(f"{cut.weights}: probes saw it {(cut.seen - cut.written) * 1000:.0f} ms after the write")
    say(done.words)
