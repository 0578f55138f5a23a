"""JUnit, Markdown and JSON, for machines and pull requests."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import msgspec
import pytest
from msgspec.structs import replace

from loadtest.recording import Recording
from loadtest.report import junit, markdown, schema, write_all
from loadtest.result import Event, Result
from tests.report import example

Judged = Callable[[Recording], Result]
HOSTILE = '<script>alert(1)</script> | `tick` *bold* [link](x) "quote" \x00\x1b \ud7ff'


def cases(result: Result) -> dict[str, list[tuple[str, str]]]:
    """JUnit's test cases as (area, name) by state; "passed" is the absence of any."""
    root = ET.fromstring(junit.render(result))
    found: dict[str, list[tuple[str, str]]] = {"passed": [], "failure": [], "error": [], "skipped": []}
    for case in root.iter("testcase"):
        states = [child.tag for child in case if child.tag != "system-out"] or ["passed"]
        found[states[0]].append((case.attrib["classname"], case.attrib["name"]))
    return found


def test_every_judgement_is_a_test_case(result: Result) -> None:
    """Guards, objectives and routes' own targets pass; what is not judged by this run is skipped."""
    found = cases(result)
    assert Counter(area for area, _ in found["passed"]) == {"guard": 7, "slo": 4, "route": 1}
    assert [name for _, name in found["skipped"]] == [judgement.says for judgement in result.not_judged]
    assert found["failure"] == found["error"] == []


@pytest.mark.parametrize(
    ("change", "state", "names"),
    [
        ({"failed_share": 0.004}, "failure", ["errors under 0.1 %"]),
        ({"failed_share": 0.0009}, "error", ["errors under 0.1 %"]),
        ({"rate": 900}, "failure", ["1,000 requests per second"]),
    ],
)
def test_missed_is_a_failure_and_not_settled_an_error(
    judged: Judged, change: dict[str, Any], state: str, names: list[str]
) -> None:
    """Neither looks green to a CI server."""
    found = cases(judged(example.recording(**change)))
    assert names == [name for _, name in found[state]]


def test_an_invalid_run_passes_and_fails_nothing(judged: Judged) -> None:
    """Its broken guard is an error; what it says of the targets is skipped, good or bad."""
    found = cases(judged(replace(example.recording(slow=30.0), interrupted=True)))
    assert found["error"] == [("guard", "steady phase complete")]
    assert found["failure"] == []
    assert {area for area, _ in found["passed"]} == {"guard"}


def test_junit_counts_what_it_lists(judged: Judged) -> None:
    """Suite and document carry the same totals."""
    root = ET.fromstring(junit.render(judged(example.recording(failed_share=0.004))))
    suite = root.find("testsuite")
    assert suite is not None
    for counts in (root.attrib, suite.attrib):
        assert int(counts["tests"]) == len(list(root.iter("testcase")))
        assert [counts["failures"], counts["errors"], counts["skipped"]] == ["1", "0", "4"]


def test_hostile_text_leaves_the_xml_well_formed(result: Result) -> None:
    """Angle brackets are escaped; characters that XML cannot hold are replaced."""
    hostile = replace(result, judgements=tuple(replace(j, says=HOSTILE, words=HOSTILE) for j in result.judgements))
    names = [name for area, name in cases(hostile)["passed"] if area == "slo"]
    assert names == [HOSTILE.replace("\x00", "\ufffd").replace("\x1b", "\ufffd")] * 4


def test_the_summary_has_the_verdict_and_every_target(result: Result) -> None:
    """A reviewer needs no other file to know whether it passed."""
    text = markdown.render(result)
    assert text.startswith("## ✓ Passed: Task API: three releases under load\n\nAll four targets met: ")
    assert all(f"| {j.says[0].upper()}{j.says[1:]} | ✓ met |" in text for j in result.judgements)
    assert all(j.says in text for j in result.not_judged)
    assert all(event.label in text for event in result.events)
    assert "Why the run is invalid" not in text


def test_the_summary_of_an_invalid_run_has_no_tick(judged: Judged) -> None:
    """It names the broken guard instead."""
    text = markdown.render(judged(replace(example.recording(), interrupted=True)))
    assert text.startswith("## ! Invalid run: ")
    assert "| steady phase complete | 70 of 70 s recorded, interrupted | every second, not interrupted |" in text
    assert "✓" not in text


def test_hostile_text_ends_no_cell_and_starts_no_markup(result: Result) -> None:
    """A table keeps its columns whatever a route is called."""
    hostile = replace(
        result, routes=(replace(result.routes[0], route=HOSTILE),), events=(Event(3.0, "note", f"{HOSTILE}\nnext"),)
    )
    text = markdown.render(hostile)
    assert "<script>" not in text
    assert "`tick`" not in text.replace("\\`", "")
    rows = [line for line in text.splitlines() if "alert(1)" in line]
    assert [row.replace("\\|", "").count("|") for row in rows] == [7, 3]


def test_the_schema_is_fresh() -> None:
    """After a change of the structs: python -m loadtest.report.schema."""
    assert schema.PATH.read_text("utf-8") == schema.schema_json()


def test_the_json_is_what_the_schema_says(result: Result, tmp_path: Path) -> None:
    """An example validates, reads back as the same result, and a result without its headline does not validate."""
    written = write_all(result, tmp_path)[1].read_text("utf-8")
    assert msgspec.json.decode(written, type=Result) == result
    document = json.loads(schema.PATH.read_text("utf-8"))
    value = json.loads(written)
    assert problems(value, document, document) == []
    del value["headline"]
    value["points"][3]["ok"] = "many"
    assert problems(value, document, document) == ["points/3/ok: 'many' is no integer", "headline is missing"]


TYPES: dict[str, tuple[type, ...]] = {
    "integer": (int,),
    "number": (int, float),
    "string": (str,),
    "boolean": (bool,),
    "null": (type(None),),
    "array": (list,),
    "object": (dict,),
}


def problems(value: Any, schema: dict[str, Any], root: dict[str, Any], at: str = "") -> list[str]:
    """Where `value` departs from `schema`, for the part of JSON Schema that the structs need."""
    if "$ref" in schema:
        return problems(value, root["$defs"][schema["$ref"].rpartition("/")[2]], root, at)
    if "anyOf" in schema:
        tries = [problems(value, choice, root, at) for choice in schema["anyOf"]]
        return min(tries, key=len)
    if "enum" in schema and value not in schema["enum"]:
        return [f"{at}: {value!r} is none of {schema['enum']}"]
    kind = schema.get("type", "")
    if kind and (not isinstance(value, TYPES[kind]) or (isinstance(value, bool) and kind != "boolean")):
        return [f"{at}: {value!r} is no {kind}"]
    found: list[str] = []
    inside = f"{at}/" if at else ""
    if isinstance(value, list):
        for i, item in enumerate(value):
            found += problems(item, schema["items"], root, f"{inside}{i}")
    if isinstance(value, dict):
        known = schema.get("properties", {})
        for name, item in value.items():
            found += problems(item, known.get(name) or schema.get("additionalProperties", {}), root, inside + name)
        found += [f"{inside}{name} is missing" for name in schema.get("required", []) if name not in value]
    return found
