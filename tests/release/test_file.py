"""release.yaml: what is read, what is refused with line and key, and the files generated from it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from app import schema
from scripts.release.errors import Unusable
from scripts.release.file import SCHEMA_FILE, json_schema, override_one, read_release_file
from scripts.release.notify import Event
from scripts.release.slots import Release
from slo.yamlfile import YamlFileError
from tests.release.conftest import FILE

ROOT = Path(__file__).parents[2]


def test_our_own_file_is_usable_and_agrees_with_the_application() -> None:
    """The level that expand leads to is one the code of this commit works with."""
    file = read_release_file(ROOT / "release.yaml")
    assert file.settings.schema.min == schema.MIN <= file.settings.schema.max <= schema.MAX
    assert (file.latency_ms, pytest.approx(file.failure_share)) == (200, 0.001)


def test_the_starter_is_usable_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "slo.yaml").write_text((ROOT / "slo.yaml").read_text())
    path = tmp_path / "release.yaml"
    path.write_text(SCHEMA_FILE.with_name("starter.yaml").read_text())
    assert read_release_file(path).settings.service == "my-service"


EXAMPLE = re.compile(r"^( *)#(?! \S)", re.MULTILINE)  # words have one space after their #


@pytest.mark.parametrize("name", ["release.yaml", "scripts/release/starter.yaml"])
def test_the_examples_in_the_comments_can_be_used(file_at: Callable[..., Path], name: str) -> None:
    """All of them at once, and each stage of the way stands where the file says it may."""
    text = EXAMPLE.sub(r"\1", (ROOT / name).read_text()).replace("steps: [5, ", "steps: [shadow, audience, 5, ")
    settings = read_release_file(file_at(text)).settings
    assert settings.audience
    assert settings.approvals
    assert settings.shadow.share == 80
    assert [command.name for command in settings.gates.commands] == ["orders"]
    assert [bool(receiver.webhook) for receiver in settings.notify] == [True, False]
    assert (settings.sticky, settings.preview.capacity, settings.artefact.replicas) == (True, 50, 2)


def test_the_events_that_the_comments_name_are_all_there_are() -> None:
    for name in ("release.yaml", "scripts/release/starter.yaml"):
        assert ", ".join(Event) in (ROOT / name).read_text()


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
        ("platform: local", "platform: kubernetes", r"release.yaml:4: platform: kubernetes needs the section"),
        ("warm: 30m\n", "warm: 30m\nkubernetes: {namespace: Shop}\n", r"release.yaml:\d+: kubernetes.namespace"),
        ("version: 1\n", "version: 2\n", r"release.yaml:2: version"),
        (
            "gates:\n",
            "gates:\n  commands: [{name: a, run: [], limit: 1s}]\n",
            r"release.yaml:10: gates.commands.*run: it",
        ),
        ("gates:\n", "gates:\n  commands: [{name: '', run: [a], limit: 1s}]\n", r"name: it is empty"),
        ("gates:\n", "gates:\n  commands: [{name: a, run: [a], limit: 0s}]\n", r"limit: nothing is judged in no time"),
        (
            "gates:\n",
            "gates:\n  commands: [{name: a, run: [a], limit: 1s}, {name: a, run: [b], limit: 1s}]\n",
            r"commands: a is there twice",
        ),
        ("gates:\n", "gates:\n  comparison: {requests: []}\n", r"release.yaml:10: gates.comparison.requests"),
        (
            "gates:\n",
            "gates:\n  comparison: {requests: [{path: /, method: POST}]}\n",
            r"requests\[0\].method: POST could change data",
        ),
        ("warm: 30m\n", "warm: 30m\napprovals: {before: [50], limit: 0s}\n", r"limit: nobody answers in no time"),
        ("warm: 30m\n", "warm: 30m\napprovals: {before: [7]}\n", r"approvals.before: 7 is no stage of steps"),
        ("warm: 30m\n", "warm: 30m\naudience: {share: 2}\n", r"nobody is singled out"),
        ("warm: 30m\n", "warm: 30m\naudience: {share: 2, cookies: {b: é€}}\n", r"cookie is not one line of Latin-1"),
        (
            "{path: /health},",
            "{path: /health, headers: {X-A: €}},",
            r"smoke\[0\].headers: X-A is not one line of Latin-1",
        ),
        (
            "{path: /health},",
            "{path: /health, headers: {X A: b}},",
            r"smoke\[0\].headers: 'X A' is no name of a header",
        ),
        (
            "checks: [{",
            'checks: [{headers: {a: "b\\n"}, ',
            r"release.yaml:13: bake.checks\[0\].headers: a is not one line",
        ),
        ("steps: [5,", "steps: [audience, 5,", r"release.yaml:7: steps: .*needs the key audience"),
        ("steps: [5,", "steps: [5, shadow,", r"release.yaml:7: steps: shadow comes first"),
    ],
)
def test_what_cannot_be_used_is_refused_by_file_line_and_key(
    file_at: Callable[..., Path], old: str, new: str, says: str
) -> None:
    assert old in FILE
    with pytest.raises(YamlFileError, match=says):
        read_release_file(file_at(FILE.replace(old, new)))


CLUSTER = """
kubernetes:
  namespace: shop-space
  values: [base.yaml, more.yaml]
  image: local/shop
  secret: shop
"""


@pytest.fixture
def cluster_at(file_at: Callable[..., Path], tmp_path: Path) -> Path:
    """A file for both platforms, with the values it names."""
    (tmp_path / "base.yaml").write_text("config: {A: base, B: base}\nports: {admin: 9090}\n")
    (tmp_path / "more.yaml").write_text("config: {B: more}\nimage: {digest: ''}\n")
    return file_at(
        FILE.replace('artefact: {command: ["shop"]}', "artefact: {command: [shop], env: {C: file}}") + CLUSTER
    )


def test_a_release_on_kubernetes_brings_all_values_of_the_chart(cluster_at: Path) -> None:
    """Files laid over each other, then version, image, environment and Secret; the command is the image's business."""
    file = read_release_file(cluster_at, ("platform=kubernetes",))
    release = file.release("1.1.0", {"D": "flag"})
    assert (release.command, release.image) == ((), "local/shop:1.1.0")
    assert release.values == {
        "config": {"A": "base", "B": "more", "C": "file", "D": "flag"},
        "ports": {"admin": 9090},
        "image": {"repository": "local/shop", "tag": "1.1.0", "digest": ""},
        "version": "1.1.0",
        "secret": "shop",
    }
    assert file.settings.cluster.app == "shop"
    assert release.digest != file.release("1.1.0", {}).digest


@pytest.mark.parametrize(
    ("image", "whole"),
    [
        ("local/shop:7", "local/shop:7"),
        ("host:5000/shop", "host:5000/shop:1.1.0"),
        (f"local/shop:7@sha256:{'a' * 64}", f"local/shop@sha256:{'a' * 64}"),
    ],
)
def test_the_image_given_beats_the_files(cluster_at: Path, image: str, whole: str) -> None:
    """Its digest beats its tag, and its version is the tag where it has neither."""
    file = read_release_file(cluster_at, ("platform=kubernetes",))
    assert file.release("1.1.0", {}, image).image == whole
    with pytest.raises(Unusable, match="is no image's name"):
        file.release("1.1.0", {}, "local/shop:")


def test_values_that_cannot_be_read_are_named(cluster_at: Path, tmp_path: Path) -> None:
    file = read_release_file(cluster_at, ("platform=kubernetes",))
    (tmp_path / "more.yaml").write_text("[a list]")
    with pytest.raises(Unusable, match=r"more.yaml: values are a mapping of names, found list"):
        file.release("1.1.0", {})
    (tmp_path / "more.yaml").unlink()
    with pytest.raises(Unusable, match=r"more.yaml: cannot be read: No such file"):
        file.release("1.1.0", {})


@pytest.mark.parametrize("section", ["autoscaling", "migration", "networkPolicy", "serviceMonitor", "externalSecret"])
def test_a_section_of_the_values_that_is_none_is_named_before_anything_happens(
    cluster_at: Path, tmp_path: Path, section: str
) -> None:
    """Not by a traceback in the middle of a release, behind its migration; an empty one is left to the chart."""
    file = read_release_file(cluster_at, ("platform=kubernetes",))
    for wrong in ("hpa", "true", "false", "[a]"):
        (tmp_path / "more.yaml").write_text(f"{section}: {wrong}")
        with pytest.raises(Unusable, match=rf"more\.yaml: {section} is a mapping of names, found "):
            file.release("1.1.0", {})
    (tmp_path / "more.yaml").write_text(f"{section}:")
    assert file.release("1.1.0", {}).values[section] is None


def test_an_image_is_refused_where_none_is_run_and_changes_no_digest(cluster_at: Path) -> None:
    """What ran before this section was there goes on as the same release."""
    file = read_release_file(cluster_at)
    with pytest.raises(Unusable, match="runs no images"):
        file.release("1.1.0", {}, "local/shop:7")
    assert file.release("1.1.0", {}).digest == Release("1.1.0", ("shop",), {"C": "file"}).digest == "698feab5168b"


def test_one_value_is_overridden_for_one_run(file_at: Callable[..., Path]) -> None:
    """It counts in the digest: a run is gone on with only under the values it began with."""
    plain = read_release_file(file_at())
    over = read_release_file(file_at(), ("hold.duration=5s", "steps=[50, 100]", "artefact.env.LOG_LEVEL=debug"))
    assert (over.settings.hold.duration, over.settings.steps) == (5, (50, 100))
    assert over.release("1", {"A": "2"}).env == {"LOG_LEVEL": "debug", "A": "2"}
    assert plain.digest != over.digest
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


def test_what_gates_would_miss_in_the_middle_is_known_before(file_at: Callable[..., Path]) -> None:
    """A variable of a header, and a program: found before anything begins, from wherever the command is run."""
    path = file_at(
        FILE.replace(
            "gates:\n",
            "gates:\n"
            "  comparison: {requests: [{path: /, headers: {authorization: '${TOKEN}'}}]}\n"
            "  commands:\n"
            "    - {name: here, run: [./here.sh], limit: 1s}\n"
            "    - {name: shell, run: [sh], limit: 1s}\n"
            "    - {name: gone, run: [no-such-program], limit: 1s}\n",
        )
    )
    file = read_release_file(path)
    assert [words.split(":")[0] for words in file.lacking({})] == [
        "gates.comparison.requests[0].headers.authorization",
        "gates.commands.here",
        "gates.commands.gone",
    ]
    program = path.parent / "here.sh"
    program.touch(mode=0o755)
    assert [words.split(":")[0] for words in file.lacking({"TOKEN": "t"})] == ["gates.commands.gone"]
