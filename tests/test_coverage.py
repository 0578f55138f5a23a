"""docs/coverage.md tells the truth: a row that says works names a test that exists, and nothing else is claimed."""

import ast
from pathlib import Path

import click
import pytest

from scripts.cli import primetrade
from scripts.local import envoy, postgres, valkey
from scripts.local.envoy_config import SLOTS
from scripts.local.slots import process_name

ROOT = Path(__file__).parent.parent
STATES = {"works", "part", "planned"}


def rows() -> list[list[str]]:
    lines = (ROOT / "docs/coverage.md").read_text().splitlines()
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    return [row for row in table[2:] if not row[0].startswith("**")]


def state(row: list[str]) -> str:
    return row[1].partition(":")[0]


CLAIMED = [row for row in rows() if state(row) != "planned"]


def functions_of(path: Path) -> set[str]:
    return {n.name for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.FunctionDef)}


def resolves(words: list[str]) -> bool:
    """Whether a command of ours has the noun, verb, flags and, for logs, the part it names."""
    if words[0] != "primetrade":
        return words[0] in {"curl", "bash"} or "=" in words[0]
    ctx = click.Context(primetrade)
    command = primetrade.get_command(ctx, words[1])
    rest = words[2:]
    if isinstance(command, click.Group):
        command, rest = command.get_command(ctx, rest[0]), rest[1:]
    assert command is not None
    names = {postgres.NAME, valkey.NAME, envoy.NAME, *map(process_name, SLOTS)}
    if words[1:3] == ["local", "logs"]:
        return set(rest) <= names
    flags = {flag for option in command.params for flag in option.opts}
    return {word for word in rest if word.startswith("--")} <= flags


def test_every_row_has_one_of_three_states() -> None:
    """A state is works, part or planned; part and nothing else must say what is missing."""
    assert set() == {row[0] for row in rows() if len(row) != 5 or state(row) not in STATES}
    assert set() == {row[0] for row in rows() if state(row) == "part" and ":" not in row[1]}


def test_no_system_has_two_rows() -> None:
    """Each system of the strategy stands once."""
    names = [row[0] for row in rows()]
    assert sorted(set(names)) == sorted(names)


@pytest.mark.parametrize("row", CLAIMED, ids=[row[0] for row in CLAIMED])
def test_a_claim_names_its_place_its_command_and_a_test(row: list[str]) -> None:
    """Works and part rows point at files that exist and at a test function that exists."""
    _, _, places, command, test = row
    missing = [p for p in places.replace("`", "").split(", ") if not (ROOT / p).exists()]
    assert missing == []
    assert resolves(command.strip("`").split())
    path, _, name = test.strip("`").partition("::")
    assert name in functions_of(ROOT / path)


@pytest.mark.parametrize("row", [r for r in rows() if state(r) == "planned"], ids=lambda row: row[0])
def test_a_planned_row_claims_nothing(row: list[str]) -> None:
    """A planned row names no place, no command and no test."""
    assert ["", "", ""] == row[2:]
