"""`primetrade infra plan` as its users meet it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from infra.plan import golden
from infra.plan.graph import Graph, from_json
from scripts.commands.infra import command
from scripts.exits import Exit

ROOT = Path(__file__).parent.parent.parent


def call(*words: str) -> Result:
    return CliRunner().invoke(command, list(words))


def test_a_plan_is_a_tree_and_what_differs() -> None:
    """And what is left to do before it is real."""
    done = call("plan", "prod")
    assert Exit.DONE == done.exit_code
    lines = done.stdout.splitlines()
    assert "primetrade on prod" == lines[0]
    assert "same as the committed graph" == lines[-1]
    assert any(line.startswith("before pulumi up: pulumi config set --secret") for line in lines)


def test_json_is_the_graph_and_nothing_else() -> None:
    """A machine reads stdout."""
    done = call("plan", "dev", "--json")
    assert golden.read("dev") == from_json(done.stdout_bytes, "stdout")


def test_a_change_is_shown_against_the_committed_graph_and_can_be_committed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, committed: Callable[[str], Graph]
) -> None:
    """--diff shows it, --write commits to it."""
    monkeypatch.setattr(golden, "DIRECTORY", tmp_path)
    assert "no committed graph of dev yet" in call("plan", "dev", "--diff").stdout
    assert (tmp_path / "dev.json").name in call("plan", "dev", "--diff", "--write").stdout
    assert committed("dev") == golden.read("dev")
    text = (tmp_path / "dev.json").read_text()
    (tmp_path / "dev.json").write_text(text.replace('"deletionWindowInDays": 30', '"deletionWindowInDays": 7'))
    lines = call("plan", "dev", "--diff").stdout.splitlines()
    changed = lines.index("~ kms/key primetrade-dev-key-data")
    assert "    inputs.deletionWindowInDays: 7 → 30" == lines[changed + 1]


def test_a_stack_that_is_not_there_is_a_usage_error() -> None:
    """The message names those that are."""
    done = call("plan", "nonsense")
    assert Exit.USAGE == done.exit_code
    assert "there are dev, dr, prod, staging" in done.stderr


@pytest.mark.parametrize(("words", "library"), [(("plan", "dev"), "pulumi"), (("drift", "dev"), "boto3")])
def test_what_the_demo_does_not_install_is_named_with_how_to_get_it(words: tuple[str, ...], library: str) -> None:
    """In an environment that `make demo` has made."""
    code = f"import sys; sys.modules[{library!r}] = None; from scripts.cli import main; main()"
    argv = [sys.executable, "-c", code, "infra", *words]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT)
    assert Exit.USAGE == done.returncode
    assert "Traceback" not in done.stderr
    assert library in done.stderr
    assert "install them by `make .venv/.dev`" in done.stderr
