"""JUnit: one test case per objective, guard and route target, so that a CI server shows which of them decided.

failure = measured and missed; error = no verdict was possible (too few requests, or an invalid run), which must not
look green; skipped = not this run's to judge, or not held against it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from xml.etree import ElementTree as ET  # written, never parsed

import msgspec

from loadtest.result import Guard, Result
from slo.objective import Judgement, Outcome

# What XML 1.0 has no way to write (https://www.w3.org/TR/xml/#charsets).
FORBIDDEN = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
INVALID = "the run is invalid, see its guards"


class Case(msgspec.Struct, frozen=True):
    """A test case; `state` is None when it passed."""

    area: str
    name: str
    state: str | None
    words: str
    kind: str = ""


def render(result: Result) -> str:
    """The XML document as text."""
    cases = list(_cases(result))
    tally = {state: sum(case.state == state for case in cases) for state in ("failure", "error", "skipped")}
    counts = {
        "tests": str(len(cases)),
        "failures": str(tally["failure"]),
        "errors": str(tally["error"]),
        "skipped": str(tally["skipped"]),
        "time": f"{result.steady_s:.3f}",
    }
    root = ET.Element("testsuites", {"name": _clean(result.title)} | counts)
    about = {"name": _clean(f"load {result.profile}"), "timestamp": result.started_at.removesuffix("Z")}
    suite = ET.SubElement(root, "testsuite", about | counts)
    for case in cases:
        made = ET.SubElement(suite, "testcase", {"classname": case.area, "name": _clean(case.name), "time": "0"})
        if case.state is None:
            ET.SubElement(made, "system-out").text = _clean(case.words)
        else:
            kind = {"type": case.kind} if case.state != "skipped" else {}
            ET.SubElement(made, case.state, {"message": _clean(case.words)} | kind)
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _cases(result: Result) -> Iterable[Case]:
    for guard in result.guards:
        yield _guard(guard)
    for judgement in result.judgements:
        yield _judged("slo", judgement, result.valid)
    for row in result.routes:
        if row.judgement is not None:
            yield _judged("route", row.judgement, result.valid)
    for judgement in result.not_judged:
        yield Case("slo", judgement.says, "skipped", judgement.words)


def _guard(guard: Guard) -> Case:
    words = f"{guard.found}, allowed: {guard.allowed}"
    return Case("guard", guard.name, None if guard.ok else "error", words, "invalid")


def _judged(area: str, judgement: Judgement, valid: bool) -> Case:
    state: str | None
    if not valid:
        return Case(area, judgement.says, "skipped", f"{INVALID}: {judgement.words}")
    match judgement.outcome:
        case Outcome.PASS:
            state = None
        case Outcome.FAIL:
            state = "failure"
        case _:
            state = "error" if area == "slo" else "skipped"
    return Case(area, judgement.says, state, judgement.words, judgement.outcome.value)


def _clean(words: str) -> str:
    return FORBIDDEN.sub("\ufffd", words)
