"""`primetrade release init`."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from scripts.commands.release import STARTER, command


def test_init_writes_a_starter_and_never_overwrites(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(command, ["init"]).exit_code == 0
    path = tmp_path / "release.yaml"
    assert path.read_text() == STARTER.read_text()
    path.write_text("mine")
    again = CliRunner().invoke(command, ["init"])
    assert (again.exit_code, "exists already" in again.output) == (2, True)
    assert path.read_text() == "mine"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["status", "--file", "none.yaml"], "none.yaml: cannot be read"),
        (["deploy", "1.1.0", "--set", "hold"], "write KEY=VALUE"),
        (["deploy", "1.1.0", "--env", "KEY"], "--env KEY: write KEY=VALUE"),
        (["status", "--home", "nowhere"], "primetrade local up"),
        (["deploy"], "Missing argument 'VERSION'"),
    ],
)
def test_what_cannot_be_meant_ends_with_code_2_and_one_message(words: list[str], says: str) -> None:
    """Run from the repository's root, where our own release.yaml is."""
    found = CliRunner().invoke(command, words)
    assert (found.exit_code, says in found.output) == (2, True), found.output
