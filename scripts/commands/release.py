"""`primetrade release`: blue-green releases."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scripts.console import err, say
from scripts.exits import Exit, Failed, exits
from scripts.release.errors import (
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
    from scripts.release.engine import Caller, Done
    from scripts.release.file import ReleaseFile
    from scripts.release.local import Local
    from scripts.release.step import Step

ERRORS: dict[type[Exception], Exit] = {
    ReleaseError: Exit.ERROR,
    Unusable: Exit.USAGE,
    Locked: Exit.LOCKED,
    NeedsPerson: Exit.NEEDS_PERSON,
    Reverted: Exit.REVERTED,
    Undecided: Exit.INCONCLUSIVE,
    Interrupted: Exit.INTERRUPTED,
    Terminated: Exit.TERMINATED,
}
STARTER = Path(__file__).parents[1] / "release" / "starter.yaml"

Verb = Callable[..., Any]

file_option = click.option(
    "--file", "path", type=click.Path(dir_okay=False, path_type=Path), default="release.yaml", show_default=True
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document; progress goes to stderr.")


def _where(verb: Verb) -> Verb:
    """The options that say which service is meant, and where it runs."""
    for option in (
        file_option,
        click.option("--platform", type=click.Choice(["local"]), help="Override the file's platform."),
        click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override one value of the file."),
        click.option(
            "--home",
            type=click.Path(file_okay=False, path_type=Path),
            help="Home of the local system. Default: $PRIMETRADE_LOCAL, or .local in the repository.",
        ),
        json_option,
    ):
        verb = option(verb)
    return exits(ERRORS)(verb)


def _who(verb: Verb) -> Verb:
    """The options of what goes into the journal."""
    verb = click.option("--reason", default="", help="Why; kept in the journal.")(verb)
    return click.option("--actor", default=_me, help="Who; kept in the journal. Default: user@host.")(verb)


def _me() -> str:
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (KeyError, OSError):  # a user without a name, as in a container
        return f"uid {os.getuid()}@{socket.gethostname()}"


def _connect(where: dict[str, Any]) -> tuple[Local, ReleaseFile]:
    from scripts.local.state import default_home  # noqa: PLC0415 - `--help` stays fast
    from scripts.release.file import read_release_file  # noqa: PLC0415 - as above
    from scripts.release.local import Local  # noqa: PLC0415 - as above
    from slo.yamlfile import YamlFileError  # noqa: PLC0415 - as above

    overrides = tuple(where["overrides"])
    if where["platform"]:
        overrides += (f"platform={where['platform']}",)
    try:
        file = read_release_file(where["path"], overrides)
    except YamlFileError as exc:
        raise Unusable(str(exc)) from exc
    home = where["home"]
    return Local(home.resolve() if home else default_home(), file), file


def _caller(where: dict[str, Any]) -> Caller:
    from scripts.release.engine import Caller  # noqa: PLC0415 - as above
    from scripts.release.run import utc  # noqa: PLC0415 - as above

    tell = _tell(as_json=where["as_json"])

    def on_event(at: float, kind: str, label: str, detail: str) -> None:
        tell(f"{utc(at)[11:23]}  {kind:<9} {label}" + (f": {detail}" if detail else ""))

    def on_step(step: Step) -> None:
        tell(f"{'':14}{step.kind:<9} {step.words}")

    def on_plan(steps: Sequence[Step]) -> None:
        tell(f"{len(steps)} steps: " + " → ".join(step.kind for step in steps))

    return Caller(where["actor"], where["reason"], on_event, on_plan, on_step)


def _tell(*, as_json: bool) -> Callable[[str], None]:
    return (lambda line: err.print(line, markup=False)) if as_json else say


def _done(done: Done, *, as_json: bool) -> None:
    if as_json:
        _print_json(done)
        return
    for cut in done.cut_overs:
        say(f"{cut.weights}: probes saw it {(cut.seen - cut.written) * 1000:.0f} ms after the write")
    say(done.words)


def _print_json(value: object) -> None:
    import msgspec  # noqa: PLC0415 - as above

    click.echo(msgspec.json.format(msgspec.json.encode(value)))


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """Blue-green releases: gated on the way forward, instant on the way back.

    Example: primetrade release deploy 1.1.0 --reason "ticket 42"
    """


@command.command()
@file_option
@exits(ERRORS)
def init(path: Path) -> None:
    """Write a commented release.yaml to start from; an existing file is never overwritten.

    Example: primetrade release init
    """
    try:
        with path.open("x") as file:
            file.write(STARTER.read_text())
    except FileExistsError:
        raise Failed(f"{path} exists already: edit it, or give another --file", Exit.USAGE) from None
    except OSError as exc:
        raise Failed(f"{path} cannot be written: {exc.strerror}; give another --file", Exit.USAGE) from exc
    say(f"{path} written: set service, artefact and schema, then `primetrade release plan VERSION`")


@command.command()
@click.argument("version")
@click.option("--env", multiple=True, metavar="KEY=VALUE", help="Laid over the environment of the file.")
@click.option("--all-at-once", is_flag=True, help="One step of 100 % instead of the file's steps.")
@click.option(
    "--rate", type=click.FloatRange(min=0), help="Users' requests per second. Default: measured for a second."
)
@_where
def plan(version: str, env: tuple[str, ...], all_at_once: bool, rate: float | None, **where: Any) -> None:
    """Print what a release would do, in order; change nothing.

    A hold or bake that cannot get the requests its gate needs is refused.

    Example: primetrade release plan 1.1.0 --rate 1000
    """
    from scripts.release import engine, supply  # noqa: PLC0415 - as above

    options = engine.Options(_pairs(env), all_at_once=all_at_once)
    platform, file = _connect(where)
    steps = engine.preview_plan(platform, file, version, options)
    rate = supply.measured_rate(platform) if rate is None else rate
    if where["as_json"]:
        _print_json({"rate": rate, "steps": steps, "shortage": supply.shortage(steps, rate)})
    else:
        _print_plan(steps, rate)
    if short := supply.shortage(steps, rate):
        raise Undecided(f"this plan would not come to its end: {short}")


def _print_plan(steps: Sequence[Step], rate: float) -> None:
    from scripts.release.supply import seconds_of  # noqa: PLC0415 - as above

    if not steps:
        say("nothing to do: exactly this release has all users")
        return
    for number, step in enumerate(steps, start=1):
        needs = f"  ({step.requests:,} requests to it)" if step.requests else ""
        say(f"{number:>3}  {step.kind:<9} {seconds_of(step, rate):>5.0f} s  {step.words}{needs}")
    total = sum(seconds_of(step, rate) for step in steps)
    say(f"about {total:.0f} s at {rate:,.0f} users' requests per second")


@command.command()
@click.argument("version")
@click.option("--env", multiple=True, metavar="KEY=VALUE", help="Laid over the environment of the file.")
@click.option("--until", type=click.Choice(["preview"]), help="Stop behind the analysis gate, with no user on it.")
@click.option("--all-at-once", is_flag=True, help="One step of 100 % instead of the file's steps.")
@_who
@_where
def deploy(version: str, env: tuple[str, ...], until: str | None, all_at_once: bool, **where: Any) -> None:
    """Bring a version to the preview slot and, through its gates, to all users.

    Example: primetrade release deploy 1.1.0 --env LOG_LEVEL=debug --reason "ticket 42"
    """
    from scripts.release import engine  # noqa: PLC0415 - as above

    options = engine.Options(_pairs(env), until == "preview", all_at_once)
    platform, file = _connect(where)
    _done(engine.deploy(platform, file, version, _caller(where), options), as_json=where["as_json"])


@command.command()
@_where
def status(**where: Any) -> None:
    """Say who is live, what is under way, and what may come next.

    Example: primetrade release status --json
    """
    from scripts.release import engine  # noqa: PLC0415 - as above
    from scripts.release.run import utc  # noqa: PLC0415 - as above
    from scripts.release.status import status as describe  # noqa: PLC0415 - as above

    platform, _ = _connect(where)
    found = describe(engine.look(platform), platform.holder())
    if where["as_json"]:
        _print_json(found)
        return
    for line in found.slots:
        say(f"{line.slot:<6} {line.role:<9} {line.weight:>3} %  {line.version or '-':<12} {line.state}")
    if found.warm_until:
        say(f"warm   until the next deploy, at least to {utc(found.warm_until)} if none comes")
    if found.last:
        say(f"last   {found.last.verb} {found.last.version} by {found.last.actor}: {found.last.outcome or 'not ended'}")
    if found.running:
        say(f"now    {found.running.verb} by {found.running.actor} since {found.running.since}")
    say(found.words)
    if found.next:
        say(found.next)


@command.command()
@click.option("--to", "percent", type=int, required=True, metavar="N", help="Percent of the users, 0 to 100.")
@_who
@_where
def shift(percent: int, **where: Any) -> None:
    """Give the release under way N percent of the users: a person's decision, without a gate.

    Example: primetrade release shift --to 25 --reason "trying it on a few"
    """
    from scripts.release import engine  # noqa: PLC0415 - as above

    platform, file = _connect(where)
    _done(engine.shift(platform, file, percent, _caller(where)), as_json=where["as_json"])


@command.command()
@click.option("--all-at-once", is_flag=True, help="One step of 100 % instead of the file's steps.")
@_who
@_where
def promote(all_at_once: bool, **where: Any) -> None:
    """Take the release under way through the rest of its gates to all users.

    Example: primetrade release promote
    """
    from scripts.release import engine  # noqa: PLC0415 - as above

    platform, file = _connect(where)
    done = engine.promote(platform, file, _caller(where), all_at_once=all_at_once)
    _done(done, as_json=where["as_json"])


@command.command()
@_who
@_where
def abort(**where: Any) -> None:
    """Take the release under way back: all users to the active slot, the preview retired.

    Example: primetrade release abort --reason "wrong build"
    """
    from scripts.release import engine  # noqa: PLC0415 - as above

    platform, file = _connect(where)
    _done(engine.abort(platform, file, _caller(where)), as_json=where["as_json"])


@command.command()
@_who
@_where
def rollback(**where: Any) -> None:
    """All users back to the slot that had them before, at once and without gates.

    Example: primetrade release rollback --reason "checkout is broken"
    """
    from scripts.release import engine  # noqa: PLC0415 - as above

    platform, file = _connect(where)
    _done(engine.rollback(platform, file, _caller(where)), as_json=where["as_json"])


@command.command()
@click.option("-n", "--limit", type=click.IntRange(min=1), default=20, show_default=True, help="Newest runs to show.")
@_where
def history(limit: int, **where: Any) -> None:
    """Print the newest runs: when, who, what, why, and how they ended.

    Example: primetrade release history -n 5
    """
    from scripts.release.memory import runs  # noqa: PLC0415 - as above

    platform, _ = _connect(where)
    found = runs(platform.journal.read())[-limit:]
    if where["as_json"]:
        _print_json(found)
        return
    for run in found:
        why = f" ({run.reason})" if run.reason else ""
        say(f"{run.began}  {run.run}  {run.actor}  {run.verb} {run.version}{why}: {run.outcome or 'not ended'}")
        if run.words:
            say(f"    {run.words}")


def _pairs(env: Sequence[str]) -> dict[str, str]:
    """KEY=VALUE words as a mapping."""
    for word in env:
        if "=" not in word or word.startswith("="):
            raise Unusable(f"--env {word}: write KEY=VALUE")
    return dict(word.split("=", 1) for word in env)
