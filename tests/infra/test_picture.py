"""The picture: drawn from the graph, nothing over anything else, every word inside its box."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from infra.cost.estimate import METERS
from infra.picture.__main__ import FILES, PICTURES
from infra.picture.kinds import FLOWS, KINDS, parts
from infra.picture.layout import ICON, Layout, Rect, place
from infra.picture.parts import Part
from infra.picture.svg import draw
from infra.plan import golden
from infra.plan.graph import Graph
from scripts.commands.infra import command
from scripts.exits import Exit

EM = {"name": 13.5 * 0.66, "words": 11.5 * 0.58}  # px of a character at most, on average, in the widest usual font
ALWAYS = {"control", "balancer", "pods", "users", "database"}


def some_parts() -> st.SearchStrategy[list[Part]]:
    """Any stack there may be: at least a cluster and a database."""
    others = st.sets(st.sampled_from([kind.key for kind in KINDS]))
    return others.map(lambda keys: [Part(kind, ("words",)) for kind in KINDS if kind.key in keys | ALWAYS])


def segments(layout: Layout) -> Iterator[tuple[str, str, Rect]]:
    for way in layout.ways:
        for (x0, y0), (x1, y1) in zip(way.points, way.points[1:], strict=False):
            yield way.flow.start, way.flow.end, Rect(min(x0, x1), min(y0, y1), abs(x0 - x1), abs(y0 - y1))


@given(found=some_parts())
def test_no_two_parts_share_a_place_and_no_way_crosses_a_third(found: list[Part]) -> None:
    """Whatever a stack has."""
    layout = place(found)
    assert [] == [(a, b) for (a, one), (b, two) in combinations(layout.boxes.items(), 2) if not one.apart(two)]
    crossed = [
        (start, end, name)
        for start, end, line in segments(layout)
        for name, box in layout.boxes.items()
        if name not in (start, end) and not box.apart(line)
    ]
    assert [] == crossed
    width, height = layout.size
    assert all(0 < box.x and 0 < box.y and box.right < width and box.bottom < height for box in layout.boxes.values())


@pytest.mark.parametrize("name", ["dev", "staging", "prod", "dr"])
def test_words_fit_their_boxes(name: str) -> None:
    """No text runs over a border."""
    graph = golden.read(name)
    assert graph is not None
    found = parts(graph)
    layout = place(found)
    for part in found:
        room = layout.boxes[part.kind.key].w - ICON - 12 - 11 - 6
        assert len(part.kind.title) * EM["name"] <= room, part.kind.title
        assert [] == [line for line in part.words if len(line) * EM["words"] > room]
        assert len(part.words) <= 2


def test_what_costs_money_is_drawn() -> None:
    """So that no dear part is out of sight; logs and addresses stand with what they belong to."""
    drawn = {kind for each in KINDS for kind in each.types}
    assert set() == METERS.keys() - drawn


def test_flows_are_between_parts() -> None:
    """A slip of the pen would draw nothing."""
    keys = {kind.key for kind in KINDS} | {"services"}
    assert set() == {each for flow in FLOWS for each in (flow.start, flow.end)} - keys


@pytest.mark.parametrize("stack_name", FILES)
def test_the_pictures_of_the_docs_are_those_of_the_graphs(stack_name: str) -> None:
    """A stale one: make docs."""
    graph = golden.read(stack_name)
    assert graph is not None
    assert draw(graph) == (PICTURES / FILES[stack_name]).read_text(), "draw it anew: make docs"


def test_a_picture_says_in_words_what_it_shows(stack: Graph) -> None:
    """For those who do not see it; and it needs nothing but itself."""
    root = ET.fromstring(draw(stack))
    (words,) = (each.text or "" for each in root.iter("{http://www.w3.org/2000/svg}desc"))
    assert [] == [part.kind.title for part in parts(stack) if part.kind.title not in words]
    assert "prefers-color-scheme:dark" in draw(stack)
    assert [] == [each.tag for each in root.iter() if "href" in each.attrib or "script" in each.tag]


def test_the_command_writes_a_file_or_prints(tmp_path: Path) -> None:
    """Any stack."""
    printed = CliRunner().invoke(command, ["picture", "dev"]).stdout
    out = tmp_path / "dev.svg"
    assert str(out) in CliRunner().invoke(command, ["picture", "dev", "--out", str(out)]).stdout
    assert printed == out.read_text()


def test_a_place_that_cannot_be_written_is_said_plainly(tmp_path: Path) -> None:
    """A usage error that names it."""
    out = tmp_path / "none" / "dev.svg"
    done = CliRunner().invoke(command, ["picture", "dev", "--out", str(out)])
    assert Exit.USAGE == done.exit_code
    assert f"{out} cannot be written: No such file or directory; give another --out" in done.stderr
