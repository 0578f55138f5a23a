"""The `primetrade` command: nouns are loaded when they are called, so `--help` stays fast."""

from __future__ import annotations

import importlib
import json
import signal
import sys
from types import FrameType

import click

from scripts.exits import Exit, document

NOUNS = {
    "demo": "The main job: the system up, 1,000 requests/s, releases through it, verdict and report.",
    "local": "The embedded system: up, down, status, logs, psql.",
    "release": "Blue-green releases: plan, deploy, status, promote, rollback, resume, doctor and more.",
    "load": "Load tests: run, report, profiles.",
    "slo": "Targets: show them, check counts against them.",
    "cluster": "A real Kubernetes node on this machine: up, down, status, load-image, kubeconfig.",
    "infra": "The AWS programs: plan, policy, cost, rehearse without an account; deploy, drift, drill, teardown.",
    "db": "Data: migrate, backfill, contract, lint, seed.",
}


class Nouns(click.Group):
    """A group that imports `scripts.commands.NOUN` only when that noun is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(NOUNS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in NOUNS:
            return None
        command = importlib.import_module(f"scripts.commands.{cmd_name}").command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(NOUNS.items()))


@click.group(cls=Nouns, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="primetrade")
def primetrade() -> None:
    """Deploy, release and prove the task service.

    Example: primetrade demo --profile smoke
    """


def _terminate(signum: int, frame: FrameType | None) -> None:
    sys.exit(Exit.TERMINATED)


def _document(words: str, code: int) -> None:
    """Where one was asked for and none is there: whoever reads stdout finds how it ended."""
    from scripts.console import printed  # noqa: PLC0415  # `--help` stays fast

    if "--json" in sys.argv and not printed.document:
        click.echo(json.dumps(document(words, code), ensure_ascii=False))


def main() -> None:
    """Run the command; an interrupt ends with 130 and SIGTERM with 143, never with 0.

    With --json a failure is a document too: {"error": words, "exit": code, "next": command or ""}.
    """
    signal.signal(signal.SIGTERM, _terminate)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as under nohup
        signal.signal(signal.SIGHUP, _terminate)  # a closed terminal: what was started is ended
    try:
        code = primetrade.main(standalone_mode=False)
    except click.ClickException as exc:
        exc.show()
        _document(exc.format_message(), exc.exit_code)
        sys.exit(exc.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        _document("interrupted", Exit.INTERRUPTED)
        sys.exit(Exit.INTERRUPTED)
    except SystemExit as exc:
        if exc.code == Exit.TERMINATED:
            _document("terminated", Exit.TERMINATED)
        raise
    sys.exit(code if isinstance(code, int) else Exit.DONE)


if __name__ == "__main__":
    main()
