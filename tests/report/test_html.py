"""The page says everything the result holds, to everybody."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from msgspec.structs import replace

from loadtest.recording import Recording
from loadtest.report import html, write_all
from loadtest.result import Event, Result
from slo.objective import Outcome
from tests.report import example
from tests.report.page import Page

STYLE = (Path(html.__file__).parent / "style.css").read_text("utf-8")
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"' </script><!-- {{ 7*7 }} & \x00 ✓ \u202e"


@pytest.fixture(scope="module")
def page(result: Result) -> Page:
    return Page(html.render(result))


def assert_in_order(words: str, parts: Sequence[str]) -> None:
    at = 0
    for part in parts:
        found = words.find(part, at)
        assert found >= 0, f"{part!r} is not on the page after {words[max(0, at - 60) : at]!r}"
        at = found


def test_the_story_is_told_in_order(page: Page, result: Result) -> None:
    """Verdict, numbers, targets, time, distribution, routes, errors, cost, waits, machine, validity."""
    sections = (
        "Passed",
        result.headline,
        "Requests judged",
        "Targets",
        "Not judged by this run",
        "Over time",
        "Events",
        "Latency distribution",
        "Routes",
        "Errors",
        "CPU per request",
        "Waits and other measurements",
        "The machine",
        "What makes this run valid",
    )
    assert_in_order(page.words, sections)


def test_nothing_of_the_result_is_left_out(page: Page, result: Result) -> None:
    """Every target, guard, event, route, error, part, fact and slot appears."""
    judged = [*result.judgements, *result.not_judged]
    expected = [j.says[1:] for j in judged]  # the first letter may have become a capital
    expected += [guard.name[1:] for guard in result.guards] + [guard.found for guard in result.guards]
    expected += [event.label for event in result.events] + [event.detail for event in result.events]
    expected += [row.route for row in result.routes] + [f"{row.requests:,}" for row in result.routes]
    expected += [row.kind for row in result.errors] + [row.example for row in result.errors]
    expected += [usage.part for usage in result.usage]
    expected += [fact.value for fact in (*result.facts, *result.machine)]
    expected += [f"{slot} {count:,}" for slot, count in result.slots.items()]
    missing = [words for words in expected if words not in page.words]
    assert missing == []


@pytest.mark.parametrize(
    ("recording", "word", "absent"),
    [
        (example.recording(), "✓ Passed", "missed"),
        (example.recording(slow=30.0), "✕ Failed", "not settled"),
        (example.recording(failed_share=0.0009), "? Inconclusive", "missed"),
        (replace(example.recording(), interrupted=True), "! Invalid run", "✓ met"),
        (example.empty(), "! Invalid run", "✓ met"),
    ],
)
def test_the_verdict_is_a_word_and_a_symbol(
    judged: Callable[[Recording], Result], recording: Recording, word: str, absent: str
) -> None:
    """A reader who sees no colour knows it too; an invalid run shows no green tick at all."""
    words = Page(html.render(judged(recording))).words
    assert word in words
    assert absent not in words


def test_the_file_is_small_and_needs_nothing_else(result: Result) -> None:
    """One file under 600 KB, with nothing to fetch, even for an hour with many events and routes."""
    points = tuple(replace(result.points[t % 83], t=t) for t in range(3600))
    events = tuple(Event(t * 20.0, "shift", f"1.1.{t} → 50 %", "A step of a long release.") for t in range(180))
    routes = tuple(replace(result.routes[0], route=f"GET /things/{i}") for i in range(120))
    text = html.render(replace(result, points=points, events=events, routes=routes))
    assert len(text.encode()) < 600_000
    assert re.findall(r"""(?:src|srcset|action)=|url\((?!#)|@import|href="(?!#|data:,|\w+\.\w+")""", text) == []


def test_hostile_text_stays_text(result: Result) -> None:
    """Route names, events and error bodies come from outside: none of them becomes an element or ends the script."""
    hostile = replace(
        result,
        title=HOSTILE,
        target=HOSTILE,
        headline=HOSTILE,
        routes=(replace(result.routes[0], route=HOSTILE),),
        errors=(replace(result.errors[0], kind=HOSTILE, example=HOSTILE, slot=HOSTILE),),
        events=(Event(20.0, "fault", HOSTILE, HOSTILE),),
        judgements=tuple(replace(j, says=HOSTILE, words=HOSTILE) for j in result.judgements),
        guards=tuple(replace(g, name=HOSTILE, found=HOSTILE) for g in result.guards),
        slots={HOSTILE: 4},
        points=tuple(replace(point, slots={HOSTILE: point.ok}) for point in result.points),
        usage=(replace(result.usage[0], part=HOSTILE),),
    )
    page = Page(html.render(hostile))
    assert page.all("img") == []
    assert len(page.all("script")) == 2
    assert page.words.count("{{ 7*7 }}") > 20
    assert page.words.count("<script>alert(1)</script>") > 20


def test_headings_descend_one_at_a_time(page: Page) -> None:
    """One h1, and no level left out: the outline is a screen reader's way through the page."""
    assert page.headings.count(1) == 1
    assert page.headings[0] == 1
    assert all(below - above <= 1 for above, below in pairwise(page.headings))


def test_drawings_and_tables_are_announced(page: Page) -> None:
    """Every drawing has a title and a description of its own, every header cell a scope, the page a language."""
    ids = [attributes["id"] for _, attributes in page.elements if attributes.get("id")]
    assert len(ids) == len(set(ids))
    for drawing in page.all("svg"):
        named = (drawing.get("aria-labelledby") or "").split()
        assert drawing.get("aria-hidden") == "true" or (len(named) == 2 and set(named) <= set(ids))
    assert {cell.get("scope") for cell in page.all("th")} == {"col", "row"}
    assert page.all("html") == [{"lang": "en"}]


def test_every_event_is_marked_on_every_chart_over_time(result: Result) -> None:
    """Four charts, each drawn for a wide page and for a phone."""
    drawn = html.render(result).count('class="event ')
    assert drawn == 4 * 2 * len(result.events)


def test_a_service_without_slots_has_no_chart_of_them(judged: Callable[[Recording], Result]) -> None:
    """A foreign URL names no slot in its answers."""
    whole = example.recording()
    cells = tuple(replace(cell, slot="") for cell in whole.cells)
    seconds = tuple(replace(second, slots={}) for second in whole.seconds)
    words = Page(html.render(judged(replace(whole, cells=cells, seconds=seconds)))).words
    assert "Failures, requests/s" in words
    assert "Answers per slot" not in words


def test_a_phone_gets_drawings_of_its_own(page: Page) -> None:
    """A chart shrunk to 360 px could not be read."""
    widths = {float(drawing["width"] or 0) for drawing in page.all("svg") if drawing.get("class") == "time"}
    assert widths == {920, 328}


def test_a_run_without_events_usage_and_facts_is_a_page_too(result: Result) -> None:
    """`load run` against a foreign URL knows none of them."""
    bare = Page(html.render(replace(result, events=(), usage=(), facts=(), machine=(), errors=(), not_judged=())))
    assert "Not measured in this run." in bare.words
    assert "Waits and other" not in bare.words


def test_all_four_files_are_written(result: Result, tmp_path: Path) -> None:
    """Into a folder that need not exist."""
    paths = write_all(result, tmp_path / "new" / "run")
    assert [path.name for path in paths] == ["report.html", "result.json", "junit.xml", "summary.md"]
    assert all(path.stat().st_size > 1000 for path in paths)


def themes() -> list[dict[str, str]]:
    """The variables of the light theme, and of the dark one with what it inherits."""
    light, dark = (
        dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6});", part)) for part in STYLE.split("@media screen")[:2]
    )
    return [light, light | dark]


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4))
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", themes(), ids=["light", "dark"])
def test_text_can_be_read_in_both_themes(theme: dict[str, str]) -> None:
    """Contrast of at least 4.5 for every colour that words are written in, and 3 for lines (WCAG 2.2, AA)."""
    text = [("ink", "page"), ("soft", "page"), ("p95", "page"), ("p99", "page"), ("page", "ink")]
    text += [("on-blue", "blue"), ("on-green", "green")]
    for outcome in Outcome:
        text += [(outcome.value, "page"), (outcome.value, f"{outcome.value}-bg"), ("ink", f"{outcome.value}-bg")]
    assert [pair for pair in text if contrast(theme[pair[0]], theme[pair[1]]) < 4.5] == []
    assert [name for name in ("p50", "bar", "fail") if contrast(theme[name], theme["page"]) < 3] == []


@pytest.mark.parametrize("theme", themes(), ids=["light", "dark"])
def test_the_slots_differ_in_more_than_hue(theme: dict[str, str]) -> None:
    """Blue is blue and green is green, and without colour one is dark and the other light (and hatched)."""
    red, green, blue = (int(theme["blue"][i : i + 2], 16) for i in (1, 3, 5))
    assert blue > max(red, green)
    red, green, blue = (int(theme["green"][i : i + 2], 16) for i in (1, 3, 5))
    assert green > max(red, blue)
    assert contrast(theme["blue"], theme["green"]) > 2.5
