"""The pages: every command in them exists with its options, and every relative link leads somewhere."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from helm_python import HelmError
from markdown_it import MarkdownIt
from markdown_it.token import Token

from infra.addons.charts import CHARTS
from loadtest.profile import read_profile
from scripts.cli import primetrade
from scripts.release.file import Settings
from slo import yamlfile
from slo.reader import read_targets
from tests.helm.render import files, laid, read

HELP = ["-h", "--help"]  # click keeps what a command is first asked with
ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
HOW_TO = ROOT / "docs" / "how-to"
SHELL = "sh"  # a block of commands; other blocks show what a command says, or begin a line with ours


def tokens(page: Path) -> Iterator[Token]:
    for token in MarkdownIt("commonmark").enable("table").parse(page.read_text()):
        yield token
        yield from token.children or ()


def shell(block: Token) -> str:
    """What of a block is to be typed."""
    lines = block.content.splitlines(keepends=True)
    return "".join(line for line in lines if block.info == SHELL or line.startswith("primetrade "))


def ours(text: str) -> Iterator[list[str]]:
    """The calls of `primetrade` in a text of shell, a word each."""
    for line in text.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        for operator, group in groupby(lexer, key=lambda word: set(word) <= set("();<>|&")):
            words = list(group)
            if not operator and words[0].rpartition("/")[2] == "primetrade":
                yield words[1:]


def refuse(words: list[str], *, whole: bool) -> None:
    """Raises UsageError for a call that click would refuse; one that is only mentioned may lack its arguments."""
    command: click.Command = primetrade
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        name, *words = words
        found = command.get_command(click.Context(command), name)
        if found is None:
            raise click.UsageError(f"no such verb: {name}")
        command = found
    if whole:
        command.make_context(command.name, words, help_option_names=HELP)
    else:
        command.make_parser(click.Context(command, help_option_names=HELP)).parse_args(words)


def refusals(text: str, *, whole: bool) -> list[str]:
    found = []
    for words in ours(text):
        try:
            refuse(list(words), whole=whole)
        except click.exceptions.Exit:  # --help
            pass
        except click.UsageError as exc:
            found.append(f"primetrade {' '.join(words)}: {exc.format_message()}")
    return found


def examples(command: click.Command) -> Iterator[str]:
    """Those of a command's help, and of all below it."""
    yield " ".join((command.help or "").partition("Example: ")[2].split())
    if isinstance(command, click.Group):
        context = click.Context(command, help_option_names=HELP)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from examples(found)


@pytest.mark.parametrize("example", sorted({*examples(primetrade)}))
def test_every_example_of_a_verb_is_one_of_ours_that_works(example: str) -> None:
    """As the reference shows it."""
    assert [*ours(example)]
    assert refusals(example, whole=True) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_of_a_page_exists(page: Path) -> None:
    """In blocks of shell as a whole, in the text its verb and its options."""
    found = []
    for token in tokens(page):
        if token.type == "code_inline" and token.content.startswith("primetrade "):
            found += refusals(token.content, whole=False)
        elif token.type == "fence":
            found += refusals(shell(token), whole=True)
    assert [] == found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_of_a_page_leads_somewhere(page: Path) -> None:
    """Links and pictures; what has a scheme is somebody else's."""
    found = [str(token.attrGet("href") or token.attrGet("src") or "") for token in tokens(page)]
    paths = [link.partition("#")[0] for link in found if "://" not in link]
    assert [] == [path for path in paths if not (page.parent / path).exists()]


def charts(page: Path) -> Iterator[tuple[str, str, Any]]:
    """The charts that a page's commands install with values written out: the release, the chart and the values."""
    for token in tokens(page):
        if token.type == "fence":
            for found in re.finditer(
                r"helm upgrade --install (\S+) helm/(\w+)[^\n]*<<'YAML'\n(.*?)\nYAML", token.content, re.DOTALL
            ):
                yield found[1], found[2], yaml.safe_load(found[3])


def sections(page: Path) -> Iterator[Any]:
    """Parts of release.yaml."""
    for token in tokens(page):
        found = yaml.safe_load(token.content) if token.type == "fence" and token.info == "yaml" else None
        if isinstance(found, dict) and found.keys() <= {*Settings.__struct_fields__}:
            yield found


@pytest.mark.parametrize("page", [page for page in PAGES if [*charts(page)]], ids=lambda page: page.name)
def test_the_values_of_a_page_are_taken_by_the_chart(page: Path) -> None:
    """By its schema and its guards."""
    for name, chart, values in charts(page):
        assert files(chart, values, name)


@pytest.mark.parametrize("page", [page for page in PAGES if [*sections(page)]], ids=lambda page: page.name)
def test_the_parts_of_release_yaml_of_a_page_are_taken(page: Path, tmp_path: Path) -> None:
    """Laid over the file of the repository."""
    path = tmp_path / "release.yaml"
    for found in sections(page):
        path.write_text(yaml.safe_dump(laid(read(ROOT / "release.yaml"), found)))
        assert yamlfile.load(path, Settings)


def test_the_profile_and_the_targets_of_the_page_on_load_are_taken(tmp_path: Path) -> None:
    """As they stand there."""
    profile, targets = [each.content for each in tokens(HOW_TO / "load-test.md") if each.info == "yaml"]
    (tmp_path / "profile.yaml").write_text(profile)
    (tmp_path / "slo.yaml").write_text(targets)
    assert read_profile(str(tmp_path / "profile.yaml")).name == read_targets(tmp_path / "slo.yaml").service


@pytest.mark.parametrize("name", ["eks-alb.md", "first-deployment-aws.md"])
def test_a_machine_outside_the_cluster_reaches_what_the_pages_of_aws_name(name: str) -> None:
    """No page has a workflow forward a port of the cluster, and the deployer's Role would not let it."""
    (cluster,) = [found["kubernetes"] for found in sections(HOW_TO / name)]
    assert cluster["edge"].startswith("https://")
    assert cluster["prometheus"].startswith("http://internal-")
    chart = next(chart for chart in CHARTS if chart.name == "monitoring")
    service = f"{chart.name}-{chart.chart}"[:26] + "-prometheus"  # as the chart cuts its names
    assert f"service {service}" in (HOW_TO / name).read_text()


def test_the_first_deployment_on_aws_gives_its_gates_a_way_to_a_slot() -> None:
    """Without a key they would ask the slot's Service, which answers inside the cluster only."""
    text = (HOW_TO / "first-deployment-aws.md").read_text()
    first, later = re.findall(r"helm upgrade (?:--install )?task-api helm/router (?:[^\\\n]|\\\n)+", text)
    assert ["preview.json" in each for each in (first, later)] == [False, True]  # with a key: no load balancer at first
    key = re.search(r"jq -R '(.+)' > preview\.json", text)
    assert key
    assert key[1] == "{preview: {key: .}}"
    values = laid(read(ROOT / "helm/eks-router.yaml"), {"preview": {"key": "0" * 32}})
    assert "actions.task-api-preview-green" in files("router", values, "task-api")["router/templates/ingress.yaml"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_page_gives_helm_a_file_that_it_has_deleted(page: Path) -> None:
    """A step days later finds only what an earlier one left."""
    deleted: set[str] = set()
    for verb, name in re.findall(r"(--values|>|\brm) ([\w-]+\.json)\b", page.read_text()):
        assert verb != "--values" or name not in deleted, name
        deleted = deleted | {name} if verb == "rm" else deleted - {name}


def test_every_variable_that_a_workflow_reads_is_on_a_page() -> None:
    """Whoever sets a repository up reads pages, not workflows."""
    workflows = "".join(path.read_text() for path in (ROOT / ".github").rglob("*.yml"))
    names = set(re.findall(r"\bvars\.([A-Z_]+)", workflows))
    told = set(re.findall(r"`([A-Z_]+)`", "".join(page.read_text() for page in PAGES)))
    assert set() == names - told


def test_values_that_a_chart_refuses_are_found(tmp_path: Path) -> None:
    """As a word with spaces was, for a key."""
    page = tmp_path / "page.md"
    page.write_text("```sh\nhelm upgrade --install shop helm/router <<'YAML'\npreview: {key: a word}\nYAML\n```\n")
    ((name, chart, values),) = charts(page)
    with pytest.raises(HelmError, match="key"):
        files(chart, values, name)


def test_the_index_of_how_tos_has_every_one() -> None:
    """A page that nobody links is not read."""
    index = HOW_TO / "README.md"
    linked = {str(token.attrGet("href")) for token in tokens(index) if token.type == "link_open"}
    assert {page.name for page in HOW_TO.glob("*.md")} - {index.name} <= linked


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("primetrade release dploy 1.1.0", False),
        ("primetrade local down --now", False),
        ("VERSION=1 && .venv/bin/primetrade release deploy --reason x", True),
        ("primetrade release status --json | primetrade release shift --to some", True),
        ("primetrade release \\\n  rollback --fast", True),
    ],
)
def test_a_command_that_does_not_exist_is_found(text: str, whole: bool) -> None:
    """An unknown verb or option, a missing argument, a wrong value."""
    assert 1 == len(refusals(text, whole=whole))
