"""However a run ends, it says so once and in words, and its journal has an end."""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from scripts.release import analysis, engine
from scripts.release.analysis import measure
from scripts.release.engine import Caller
from scripts.release.errors import NeedsPerson, ReleaseError
from scripts.release.file import ReleaseFile
from scripts.release.local import Local
from scripts.release.route import Target, Weights
from scripts.release.slots import Load, Observed, Request
from scripts.release.twin import Behaviour, Twin
from tests.release.prompt import Prompt

LOAD = Load("analysis", 10, 1, 200, seed=1)


def raising(error: Exception) -> Callable[..., object]:
    def act(*arguments: object) -> object:
        raise error

    return act


def interrupt_at_look(number: int, twin: Twin, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while the platform is looked at for the so many-th time from now."""
    look, looks = twin.observe, itertools.count(1)

    def observe() -> Observed:
        if next(looks) == number:
            os.kill(os.getpid(), signal.SIGINT)
        return look()

    monkeypatch.setattr(twin, "observe", observe)


def test_ctrl_c_does_not_hide_an_error_that_is_being_told(
    twin: Twin, file: ReleaseFile, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    def analyse(load: Load) -> object:
        interrupt_at_look(1, twin, monkeypatch)
        raise ReleaseError("no tokens")

    monkeypatch.setattr(twin, "analyse", analyse)
    with pytest.raises(ReleaseError, match=r"no tokens. Now: 1\.0\.0 on blue has all users"):
        engine.deploy(twin, file, "1.1.0", caller)
    assert (twin.journal.entries[-1].phase, twin.journal.entries[-1].outcome) == ("end", "error")


def test_ctrl_c_does_not_hide_that_somebody_else_moved_the_route(
    twin: Twin, file: ReleaseFile, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tick() -> None:
        if twin.current.weights == Weights(50, 50):
            twin.edit(Target(Weights(60, 40)))
            interrupt_at_look(2, twin, monkeypatch)  # the first one finds that it was moved

    twin.on_tick = tick
    with pytest.raises(NeedsPerson, match=r"the route changed under this run.* Now: 60 % on blue"):
        engine.deploy(twin, file, "1.1.0", caller)
    assert (twin.journal.entries[-1].phase, twin.journal.entries[-1].outcome) == ("end", "needs a person")


def test_a_fault_of_our_own_has_an_end_in_the_journal_and_says_where_things_stand(
    twin: Twin, file: ReleaseFile, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever follows the run gets the traceback beside it."""
    told: list[str] = []
    monkeypatch.setattr(twin, "analyse", raising(KeyError("green")))
    listening = msgspec.structs.replace(caller, on_event=lambda at, kind, label, detail: told.append(detail))
    with pytest.raises(ReleaseError, match=r"deploy 1\.1\.0 .*KeyError: 'green'\. Now: 1\.0\.0 on blue.*promote"):
        engine.deploy(twin, file, "1.1.0", listening)
    assert (twin.journal.entries[-1].phase, twin.journal.entries[-1].outcome) == ("end", "error")
    assert "in analysis" in told[-1]
    assert twin.holder() is None


def test_a_fault_of_our_own_while_it_looks_is_told_like_any_other(
    twin: Twin, file: ReleaseFile, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    def analyse(load: Load) -> object:
        monkeypatch.setattr(twin, "observe", raising(KeyError("blue")))
        raise KeyError("green")

    monkeypatch.setattr(twin, "analyse", analyse)
    with pytest.raises(ReleaseError, match=r"KeyError: 'green'\. Where things stand cannot be seen: 'blue'"):
        engine.deploy(twin, file, "1.1.0", caller)
    assert twin.journal.entries[-1].outcome == "error"


def test_a_command_that_meets_one_shows_no_bare_traceback(prompt: Prompt, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompt.twin, "analyse", raising(KeyError("green")))
    out, err = prompt.run("deploy", "1.1.0", code=1)
    assert "Traceback" in out
    assert err.startswith("Error: deploy 1.1.0 met what it does not know, KeyError")


def test_load_that_a_full_disk_forbids_is_an_error_of_the_release(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(analysis, "launch", raising(OSError(28, "No space left on device", "run.json")))
    with pytest.raises(
        ReleaseError, match=r"the analysis load could not be made: .*No space left on device.*run\.json"
    ):
        measure(LOAD, "http://127.0.0.1:1", {}, tmp_path)


def test_a_request_that_cannot_be_sent_has_no_answer(local: Local) -> None:
    answer = local.ask(Request(path="/", method="GE\nT"))
    assert (answer.status, answer.slot, bool(answer.body)) == (0, "", True)


def test_a_fault_of_our_own_on_the_way_back_needs_a_person_who_hears_what_the_gate_said(
    twin: Twin, file: ReleaseFile, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tick() -> None:
        if twin.current.weights == Weights(5, 95) or twin.current.weights == Weights(95, 5):
            twin.behaviours["1.1.0"] = Behaviour(broken=("/health",))
            monkeypatch.setattr(twin, "retire", raising(ValueError("no such thing")))

    twin.on_tick = tick
    words = r"1\.1\.0 was refused by verify of green .*, and going back failed: no such thing"
    with pytest.raises(NeedsPerson, match=words):
        engine.deploy(twin, file, "1.1.0", caller)
