"""release.yaml: what is read, what is refused with line and key, and the files generated from it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from app import schema
from scripts.release.errors import Unusable
from scripts.release.file import SCHEMA_FILE, json_schema, override_one, read_release_file
from slo.yamlfile import YamlFileError
from tests.release.conftest import FILE

ROOT = Path(__file__).parents[2]


def test_our_own_file_is_usable_and_agrees_with_the_application() -> None:
    """The schema range it declares is the one the code of this commit has."""
    file = read_release_file(ROOT / "release.yaml")
    assert (file.settings.schema.min, file.settings.schema.max) == (schema.MIN, schema.MAX)
    assert (file.latency_ms, pytest.approx(file.failure_share)) == (200, 0.001)


def test_the_starter_is_usable_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "slo.yaml").write_text((ROOT / "slo.yaml").read_text())
    path = tmp_path / "release.yaml"
    path.write_text(SCHEMA_FILE.with_name("starter.yaml").read_text())
    assert read_release_file(path).settings.service == "my-service"


def test_the_json_schema_is_what_the_structs_say() -> None:
    """Stale? `python -m scripts.release.file` writes it anew."""
    assert json_schema() == SCHEMA_FILE.read_text()


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("hold: {duration: 10s", "hold: {duration: 10", r"release.yaml:8: hold.duration: .*not a duration"),
        ("steps: [5, 50, 100]", "steps: [50, 5, 100]", r"release.yaml:7: steps: percentages must rise"),
        ("steps: [5, 50, 100]", "steps: [5, 50]", r"release.yaml:7: steps: .*end at 100"),
        ("steps: [5, 50, 100]", "steps: [0, 100]", r"release.yaml:7: steps"),
        ("service: shop", "servise: shop", r"release.yaml:3: servise: unknown key"),
        ("margin: 0.02", "margin: 2", r"release.yaml:12: gates.compare.margin"),
        ("limit: 60s}\ngates", "limit: 5s}\ngates", r"release.yaml:8: hold.limit: 5s is under the duration"),
        ("platform: local", "platform: moon", r"release.yaml:4: platform: .*local"),
        ('command: ["shop"]', "command: []", r"release.yaml:5: artefact.command: it is empty"),
        ("version: 1\n", "version: 2\n", r"release.yaml:2: version"),
    ],
)
def test_what_cannot_be_used_is_refused_by_file_line_and_key(
    file_at: Callable[..., Path], old: str, new: str, says: str
) -> None:
    assert old in FILE
    with pytest.raises(YamlFileError, match=says):
        read_release_file(file_at(FILE.replace(old, new)))


def test_one_value_is_overridden_for_one_run(file_at: Callable[..., Path]) -> None:
    """The digest stays the file's; what was laid over it is kept beside."""
    plain = read_release_file(file_at())
    over = read_release_file(file_at(), ("hold.duration=5s", "steps=[50, 100]", "artefact.env.LOG_LEVEL=debug"))
    assert (over.settings.hold.duration, over.settings.steps) == (5, (50, 100))
    assert over.release("1", {"A": "2"}).env == {"LOG_LEVEL": "debug", "A": "2"}
    assert plain.digest == over.digest
    assert plain.release("1", {}).digest != over.release("1", {}).digest


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("hold.length=5s", "unknown key length; the keys known here are duration, limit"),
        ("hold.duration=5", "not a duration"),
        ("hold.limit=1s", "under the duration"),
        ("steps", "write KEY=VALUE"),
        ("steps=[5", "--set"),
    ],
)
def test_an_override_that_cannot_be_used_is_refused(file_at: Callable[..., Path], override: str, says: str) -> None:
    settings = read_release_file(file_at()).settings
    with pytest.raises(Unusable, match=says):
        override_one(settings, override)


@pytest.mark.parametrize("version", ["", "--help", "1 0"])
def test_a_version_is_one_word(file_at: Callable[..., Path], version: str) -> None:
    with pytest.raises(Unusable, match="one word"):
        read_release_file(file_at()).release(version, {})
