"""The gates that ask the slots themselves, on real processes behind a real Envoy, while users send requests."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from scripts.local import slots
from scripts.local.state import State
from scripts.release import engine
from scripts.release.engine import Caller, Options
from scripts.release.errors import Reverted
from scripts.release.file import ReleaseFile, read_release_file
from scripts.release.local import Local
from scripts.release.route import Weights
from scripts.release.step import Kind, Stage, Step
from tests.local.traffic import keep_alive_load, send

CALLER = Caller("ann@laptop")
PREVIEW = Options(to_preview=True)


@pytest.fixture
def gated(processes_file: ReleaseFile) -> Callable[[str], ReleaseFile]:
    """The release file of the processes with one gate more."""

    def read(gate: str) -> ReleaseFile:
        path = processes_file.path
        path.write_text(path.read_text().replace("gates:\n", f"gates:\n  {gate}\n"))
        return read_release_file(path)

    return read


# Of the twin's answers, `began` and the id of a request change by themselves. A busy machine may hold up six of twenty
# for a second, or two of ten, and the verdict is the same.
SAME = "comparison: {requests: [{path: /health}], ignore: [version, slot, pid], repeat: 20, latency_ms: 1000}"
LATE = SAME.replace("repeat: 20", "repeat: 10")


def test_slots_that_answer_alike_pass_a_comparison_under_load(
    local: Local, gated: Callable[[str], ReleaseFile]
) -> None:
    with keep_alive_load(local.state, pause_s=0.01) as seen:
        done = engine.deploy(local, gated(SAME), "1.1.0", CALLER, PREVIEW)
    assert done.verdicts[1].startswith("comparison: pass, ")
    assert "ignore it by name" in done.verdicts[1]
    assert {each.status for each in seen} == {200}


@pytest.mark.parametrize(
    ("gate", "env", "says"),
    [
        (LATE, {"FAULT_LATENCY_MS": "2500"}, "GET /health: median"),
        (SAME.replace("version, ", ""), {}, 'version: "1.0.0" became "1.1.0"'),
    ],
    ids=["late", "different"],
)
def test_slots_that_do_not_are_told_apart_before_a_user_reaches_the_new_one(
    local: Local, gated: Callable[[str], ReleaseFile], gate: str, env: dict[str, str], says: str
) -> None:
    file = gated(gate)
    with keep_alive_load(local.state, pause_s=0.01) as seen, pytest.raises(Reverted) as refused:
        engine.deploy(local, file, "1.1.0", CALLER, Options(env=env))
    assert says in str(refused.value)
    assert {(each.status, each.slot) for each in seen} == {(200, "blue")}
    assert local.tally()["green"].requests == 0


ASKS = """
import json, os, sys, urllib.request
headers = dict(line.split(": ") for line in os.environ["PREVIEW_HEADERS"].splitlines())
def slot(**sent):
    request = urllib.request.Request(os.environ["EDGE_URL"] + "/health", headers=sent)
    return json.load(urllib.request.urlopen(request, timeout=20))["slot"]
told = {name: os.environ[name] for name in ("SLOT", "OLD_SLOT", "VERSION", "OLD_VERSION", "RELEASE_RUN")}
print(json.dumps({**told, "preview": slot(**headers), "users": slot()}))
"""


def test_a_command_reaches_the_new_slot_before_users_do(
    local: Local, gated: Callable[[str], ReleaseFile], tmp_path: Path
) -> None:
    """By the headers it is given; without them it is answered as a user is."""
    (tmp_path / "asks.py").write_text(ASKS)
    file = gated('commands: [{name: asks, run: ["{python}", asks.py], limit: 60s}]')
    done = engine.deploy(local, file, "1.1.0", CALLER, PREVIEW)
    verdict = next(words for words in done.verdicts if words.startswith("command asks: pass"))
    assert json.loads(verdict.split(" said: ")[1]) == {
        "SLOT": "green",
        "OLD_SLOT": "blue",
        "VERSION": "1.1.0",
        "OLD_VERSION": "1.0.0",
        "RELEASE_RUN": done.run,
        "preview": "green",
        "users": "blue",
    }


def test_a_command_after_the_bake_brings_users_back_and_loses_none(
    local: Local, gated: Callable[[str], ReleaseFile]
) -> None:
    file = gated('commands: [{name: ours, run: [sh, -c, "echo too dear; exit 1"], limit: 60s, at: bake}]')
    with (
        keep_alive_load(local.state, pause_s=0.01) as seen,
        pytest.raises(Reverted, match=r"command of green: .*too dear.*its users were brought back"),
    ):
        engine.deploy(local, file, "1.1.0", CALLER)
    assert {each.status for each in seen} == {200}
    assert {each.slot for each in seen} == {"blue", "green"}
    assert local.observe().route.weights == Weights(100, 0)


@pytest.fixture
def staged(processes_file: ReleaseFile) -> ReleaseFile:
    """The release goes by copies of reads and its audience to everybody."""
    path = processes_file.path
    audience = 'audience: {share: 20, headers: {x-beta: "yes"}}\nsteps: [shadow, audience, 50, 100]'
    path.write_text(path.read_text().replace("steps: [50, 100]", audience))
    return read_release_file(path)


@contextmanager
def beta_users(state: State) -> Iterator[list[tuple[int, str | None]]]:
    """Users of the audience; status and slot of every answer that they get."""
    seen: list[tuple[int, str | None]] = []
    over = threading.Event()

    def users() -> None:
        while not over.wait(0.01):
            answer = send(state, x_beta="yes")
            seen.append((answer.status, answer.headers.get("x-slot")))

    thread = threading.Thread(target=users)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def turns_bad(local: Local, at: str) -> Caller:
    """1.1.0 begins to fail when it gets what an event of this label tells of."""

    def on_event(when: float, kind: str, label: str, detail: str) -> None:
        if at in label:
            green = slots.read_slot(local.home, "green")
            assert green
            slots.faults(local.state, green, error_share=0.5)

    return Caller("ann@laptop", on_event=on_event)


@pytest.mark.faults
def test_a_release_goes_by_copies_and_its_audience_to_everybody(local: Local, staged: ReleaseFile) -> None:
    """While the audience is on the new slot everybody else is not, and nobody loses a request."""
    marks: list[tuple[int, int]] = []

    def mark(step: Step) -> None:
        if (step.kind is Kind.HOLD and step.stage is Stage.AUDIENCE) or (step.kind is Kind.SHIFT and len(marks) == 1):
            marks.append((len(seen), len(beta)))

    with keep_alive_load(local.state, pause_s=0.01, method="GET") as seen, beta_users(local.state) as beta:
        done = engine.deploy(local, staged, "1.1.0", Caller("ann@laptop", on_step=mark))
    assert [words.split(":")[0] for words in done.verdicts] == ["smoke", "analysis", "hold", "hold", "hold", "bake"]
    assert {each.status for each in seen} | {status for status, _ in beta} == {200}
    (users, named), (users_end, named_end) = marks
    assert {each.slot for each in seen[users:users_end]} == {"blue"}
    assert {slot for _, slot in beta[named + 1 : named_end]} == {"green"}  # the first was perhaps asked for before


@pytest.mark.faults
def test_a_release_that_fails_copies_is_refused_and_no_user_notices_on_processes(
    local: Local, staged: ReleaseFile
) -> None:
    with (
        keep_alive_load(local.state, pause_s=0.01, method="GET") as seen,
        pytest.raises(Reverted, match=r"hold of green.*failed"),
    ):
        engine.deploy(local, staged, "1.1.0", turns_bad(local, "gets copies of reads"))
    assert {(each.status, each.slot) for each in seen} == {(200, "blue")}


@pytest.mark.faults
def test_a_release_that_hurts_its_audience_is_refused_for_everybody_else(local: Local, staged: ReleaseFile) -> None:
    with (
        keep_alive_load(local.state, pause_s=0.01, method="GET") as seen,
        beta_users(local.state) as beta,
        pytest.raises(Reverted, match=r"hold of green.*its users were brought back"),
    ):
        engine.deploy(local, staged, "1.1.0", turns_bad(local, "its audience"))
    assert {(each.status, each.slot) for each in seen} == {(200, "blue")}
    assert {slot for status, slot in beta if status != 200} == {"green"}
