"""The command as its users meet it: help, exit codes, one message per failure."""

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from scripts.cli import NOUNS, primetrade
from scripts.exits import Exit, exits

ROOT = Path(__file__).parent.parent


def run(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "scripts.cli", *args], capture_output=True, text=True, timeout=60, check=False, cwd=ROOT
    )


def verbs() -> list[tuple[str, str, click.Command]]:
    ctx = click.Context(primetrade)
    found = []
    for noun in NOUNS:
        command = primetrade.get_command(ctx, noun)
        assert command is not None
        found += (
            [(noun, verb, sub) for verb, sub in command.commands.items()]
            if isinstance(command, click.Group)
            else [(noun, "", command)]
        )
    return found


def test_help_lists_every_noun() -> None:
    """`primetrade --help` ends with 0 and names each noun."""
    done = run("--help")
    assert done.returncode == 0
    assert [] == [noun for noun in NOUNS if noun not in done.stdout]


def test_help_imports_no_noun() -> None:
    """Help stays fast because nothing but click is imported for it."""
    code = "import sys, scripts.cli; print([m for m in sys.modules if m.startswith('scripts.commands.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(("noun", "verb", "command"), verbs(), ids=lambda v: v if isinstance(v, str) else "")
def test_every_verb_has_help_with_an_example(noun: str, verb: str, command: click.Command) -> None:
    """A person who asks a verb for help sees how it is called."""
    assert "Example" in (command.help or "")


@pytest.mark.parametrize(("noun", "verb", "command"), verbs(), ids=lambda v: v if isinstance(v, str) else "")
def test_every_option_says_what_it_is(noun: str, verb: str, command: click.Command) -> None:
    """A default alone tells nothing."""
    assert [] == [each.name for each in command.params if isinstance(each, click.Option) and not each.help]


@pytest.mark.parametrize(("noun", "verb", "command"), verbs(), ids=lambda v: v if isinstance(v, str) else "")
def test_readme_lists_every_verb(noun: str, verb: str, command: click.Command) -> None:
    """README has every verb on a line."""
    readme = (ROOT / "README.md").read_text()
    assert re.search(rf"primetrade {noun}[^`\n]*\b{verb}\b", readme)


@pytest.mark.parametrize(
    "args", [["nonsense"], ["local", "nonsense"], ["demo", "--profile"], ["demo", "--profile", "x"], ["slo", "--bogus"]]
)
def test_a_wrong_word_is_a_usage_error(args: list[str]) -> None:
    """An unknown noun, verb or flag ends with 2 and one message."""
    done = run(*args)
    assert done.returncode == Exit.USAGE
    assert done.stderr.count("Error:") == 1
    assert "Traceback" not in done.stderr


def test_the_most_derived_exception_decides_the_exit_code() -> None:
    """A table may name a tree of errors and single out a branch."""

    @exits({OSError: Exit.ERROR, FileNotFoundError: Exit.USAGE})
    def read() -> None:
        raise FileNotFoundError("gone")

    with pytest.raises(click.ClickException, match="gone") as caught:
        read()
    assert caught.value.exit_code == Exit.USAGE
