"""The comparison gate: what it asks of whom, and what it makes of the answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from scripts.release.comparison import Comparison, judge_comparison
from scripts.release.diff import Reply
from scripts.release.slots import Request
from slo import yamlfile
from slo.objective import Outcome
from slo.yamlfile import YamlFileError

TASKS = Request("/tasks")


class Slots:
    """Twins of two slots: what each answers to its n-th request, and how fast; remembers what it was asked."""

    def __init__(self, old: Callable[[int], object], new: Callable[[int], object], *, slower_ms: float = 0) -> None:
        self.answers, self.slower_ms = {"blue": old, "green": new}, slower_ms
        self.asked: list[tuple[str, Request]] = []

    def ask(self, request: Request, slot: str) -> tuple[Reply, float]:
        n = sum(name == slot for name, _ in self.asked)
        self.asked.append((slot, request))
        value = self.answers[slot](n)
        took = 10 + n / 10 + (self.slower_ms if slot == "green" else 0)
        return value if isinstance(value, Reply) else Reply(200, "application/json", json.dumps(value).encode()), took

    def judge(self, comparison: Comparison, **env: str) -> tuple[Outcome, str]:
        return judge_comparison(comparison, ("blue", "green"), self.ask, env)


def test_the_slots_are_asked_in_turns_the_old_one_first_and_last() -> None:
    slots = Slots(lambda n: 1, lambda n: 1)
    assert slots.judge(Comparison(requests=(TASKS,), repeat=2)) == (Outcome.PASS, "no difference in 1 request")
    assert [slot for slot, _ in slots.asked] == ["blue", "green", "blue", "green", "blue"]


def test_a_clock_is_told_as_noise_with_the_name_that_ignores_it() -> None:
    slots = Slots(lambda n: {"data": [{"at": n}], "n": 1}, lambda n: {"data": [{"at": n + 50}], "n": 1})
    said = "no difference in 1 request; GET /tasks: changes by itself, ignore it by name: data.*.at"
    assert slots.judge(Comparison(requests=(TASKS,))) == (Outcome.PASS, said)
    assert slots.judge(Comparison(requests=(TASKS,), ignore=("data.*.at",)))[1] == "no difference in 1 request"


def test_a_page_that_changes_by_itself_is_said_not_to_be_compared() -> None:
    slots = Slots(lambda n: Reply(200, "text/html", str(n).encode()), lambda n: Reply(200, "text/html", b"x"))
    outcome, words = slots.judge(Comparison(requests=(TASKS,)))
    assert (outcome, "changes by itself and was not compared: the body: 1 bytes" in words) == (Outcome.PASS, True)


def test_a_difference_refuses_and_the_first_few_are_told() -> None:
    slots = Slots(lambda n: dict.fromkeys("abcde", 1), lambda n: dict.fromkeys("abcde", 2))
    said = "GET /tasks: a: 1 became 2; b: 1 became 2; c: 1 became 2; and 2 more"
    assert slots.judge(Comparison(requests=(TASKS, Request("/x", expect=404)))) == (Outcome.FAIL, said)


@pytest.mark.parametrize(
    ("slower_ms", "outcome", "says"),
    [
        (0, Outcome.PASS, "ms slower, 5 allowed"),
        (50, Outcome.FAIL, "median 10.6 ms in the old slot, 60.5 ms in the new"),
        (5, Outcome.INCONCLUSIVE, "answers of each are needed"),
    ],
)
def test_a_slot_that_answers_the_same_but_later_is_refused(slower_ms: float, outcome: Outcome, says: str) -> None:
    slots = Slots(lambda n: 1, lambda n: 1, slower_ms=slower_ms)
    found = slots.judge(Comparison(requests=(TASKS,), latency_ms=5))
    assert (found[0], says in found[1]) == (outcome, True)


def test_a_release_that_mends_a_broken_service_passes_though_an_error_is_faster() -> None:
    slots = Slots(lambda n: Reply(500), lambda n: 1, slower_ms=50)
    outcome, words = slots.judge(Comparison(requests=(TASKS,), latency_ms=5))
    assert (outcome, "not compared with the old one: 500 in 11 of 11" in words) == (Outcome.PASS, True)


def test_two_slots_that_fail_alike_decide_nothing() -> None:
    slots = Slots(lambda n: Reply(0), lambda n: Reply(0))
    assert slots.judge(Comparison(requests=(TASKS,)))[0] is Outcome.INCONCLUSIVE


def test_a_header_takes_its_secret_from_the_environment() -> None:
    slots = Slots(lambda n: 1, lambda n: 1)
    comparison = Comparison(requests=(Request("/me", headers={"authorization": "Bearer ${TOKEN}"}),))
    assert slots.judge(comparison, TOKEN="s3cret") == (Outcome.PASS, "no difference in 1 request")
    assert {request.headers["authorization"] for _, request in slots.asked} == {"Bearer s3cret"}


def test_without_the_variable_nothing_is_asked() -> None:
    slots = Slots(lambda n: 1, lambda n: 1)
    comparison = Comparison(requests=(TASKS, Request("/me", headers={"authorization": "Bearer ${TOKEN}"})))
    said = (
        "requests[1].headers.authorization: the environment variable TOKEN is not set; export it, then run this again"
    )
    assert slots.judge(comparison) == (Outcome.ERROR, said)
    assert comparison.missing({}) == (said,)
    assert slots.asked == []


class File(msgspec.Struct):
    comparison: Comparison


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{requests: [{path: /x, method: POST}]}", r"requests\[0\].method: POST could change data, and twice"),
        ("{requests: []}", "requests"),
        ("{requests: [{path: /x}], ignore: [a, '*']}", r"ignore\[1\]: '\*' names no field"),
        ("{requests: [{path: /x}], repeat: 2, latency_ms: 5}", "repeat: 2 answers cannot decide .* at least 5"),
        ("{requests: [{path: /x}], repeat: 1}", "repeat"),
        ("{requests: [{path: /x}], ignored: [a]}", "ignored: unknown key"),
    ],
)
def test_settings_that_cannot_be_used_are_refused_by_key(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "release.yaml"
    path.write_text(f"comparison: {text}\n")
    with pytest.raises(YamlFileError, match=rf"release.yaml:1: comparison\.{says}"):
        yamlfile.load(path, File)
