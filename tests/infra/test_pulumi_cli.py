"""What the engine's command line is asked: a script in its place writes down its words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from infra.errors import ConfigError, OpsError
from infra.ops.engine import PLATFORM
from infra.ops.pulumi_cli import PulumiCli

Cli = Callable[..., tuple[PulumiCli, Path]]


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """A function: a command line that says `said` and ends with `code`, and the file of what it was asked."""

    def make(said: str = "", code: int = 0) -> tuple[PulumiCli, Path]:
        script, asked = tmp_path / "pulumi", tmp_path / "asked"
        script.write_text(f'#!/bin/sh\necho "$@" >> "{asked}"\ncat <<"END"\n{said}\nEND\nexit {code}\n')
        script.chmod(0o700)
        return PulumiCli(str(script)), asked

    return make


def test_a_destroy_has_its_preview_which_refuses_what_is_protected(cli: Cli) -> None:
    """Without it the engine deletes until it meets the first protected resource."""
    engine, asked = cli()
    engine.destroy(PLATFORM, "prod", print)
    words = asked.read_text().split()
    assert ["destroy", "--yes"] == words[:2]
    assert "--skip-preview" not in words
    assert ["--stack", "prod"] == words[-2:]


def test_what_the_engine_says_goes_on_to_the_person(cli: Cli) -> None:
    """Line by line, and the last lines once more where it fails."""
    told: list[str] = []
    engine, _ = cli("creating vpc\nerror: no quota", code=255)
    with pytest.raises(OpsError, match="up of platform on prod failed: creating vpc / error: no quota"):
        engine.up(PLATFORM, "prod", told.append)
    assert ["  creating vpc", "  error: no quota"] == told


def test_a_stack_that_was_never_deployed_owns_nothing(cli: Cli) -> None:
    """Any other failure is told."""
    assert () == cli("error: no stack named 'prod' found", code=255)[0].owned(PLATFORM, "prod")
    with pytest.raises(OpsError, match="no credentials"):
        cli("error: no credentials", code=255)[0].owned(PLATFORM, "prod")


def test_a_machine_without_pulumi_is_told_what_to_install() -> None:
    with pytest.raises(ConfigError, match="install Pulumi"):
        PulumiCli("pulumi-that-nobody-has")
