"""Whoever looks beside a run at work sees what belongs together, and cries no wolf."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from scripts.release import engine
from scripts.release.doctor import examine
from scripts.release.engine import Caller, Done, Options
from scripts.release.file import ReleaseFile
from scripts.release.looking import TRIES, look
from scripts.release.slots import Observed
from scripts.release.twin import Twin
from tests.release.killing import killed_behind
from tests.release.prompt import Prompt

Verb = Callable[[Twin, ReleaseFile, Caller], Done]


def deploys(twin: Twin, file: ReleaseFile, caller: Caller) -> Done:
    return engine.deploy(twin, file, "1.1.0", caller)


def killed_in_its_shift(twin: Twin, file: ReleaseFile, caller: Caller) -> None:
    with killed_behind(twin, "done", "shift"):
        deploys(twin, file, caller)


def nothing(twin: Twin, file: ReleaseFile, caller: Caller) -> None:
    """No run before."""


STORIES = {
    "a release": (nothing, deploys),
    "the rest of a killed one": (killed_in_its_shift, engine.resume),
    "a rollback": (deploys, engine.rollback),
}


@pytest.fixture(params=list(STORIES.values()), ids=list(STORIES))
def beside(
    request: pytest.FixtureRequest, twin: Twin, file: ReleaseFile, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> Twin:
    """While the slots are probed for the first time, a run moves the route and ends."""
    before, verb = request.param
    before(twin, file, caller)
    observe, runs = twin.observe, [verb]

    def slow() -> Observed:
        if runs:
            runs.pop()(twin, file, caller)
        return observe()

    monkeypatch.setattr(twin, "observe", slow)
    return twin


def test_the_doctor_calls_no_route_edited_that_a_run_wrote_meanwhile(beside: Twin, file: ReleaseFile) -> None:
    assert examine(beside, file) == ()


def test_status_calls_no_route_edited_that_a_run_wrote_meanwhile(beside: Twin, prompt: Prompt) -> None:
    found = prompt.document("status")
    assert (found["drift"], found["unfinished"], found["running"]) == ("", None, None)


def test_a_run_that_writes_all_the_time_is_not_waited_for(
    twin: Twin, file: ReleaseFile, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    observe, looks = twin.observe, list[int]()

    def slow() -> Observed:
        if twin.held is None:
            looks.append(1)
            engine.deploy(twin, file, f"1.{len(looks)}.0", caller, Options(to_preview=True))
            engine.abort(twin, file, caller)
        return observe()

    monkeypatch.setattr(twin, "observe", slow)
    assert look(twin).newest == twin.journal.entries[-1]
    assert len(looks) == TRIES
