"""Who is told of a release, when: the engine's notices as a receiver gets them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partialmethod
from pathlib import Path

import msgspec
import pytest

from scripts.release import engine
from scripts.release.engine import Caller
from scripts.release.errors import Reverted, Unusable
from scripts.release.file import ReleaseFile, override_one
from scripts.release.notify import Notifier
from scripts.release.twin import Behaviour, Twin

WRITES = 'cat >> "$0"; echo >> "$0"'


@pytest.fixture
def heard(tmp_path: Path) -> Callable[[], list[dict[str, str]]]:
    """What the receiver of `telling` was told so far."""

    def read() -> list[dict[str, str]]:
        path = tmp_path / "heard"
        return [msgspec.json.decode(line) for line in path.read_bytes().splitlines()] if path.exists() else []

    return read


@pytest.fixture
def telling(file: ReleaseFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ReleaseFile:
    """A release.yaml whose receiver is a program that writes down what it is told, however busy the machine."""
    monkeypatch.setattr(Notifier, "close", partialmethod(Notifier.close, 60.0))
    command = msgspec.json.encode(["sh", "-c", WRITES, str(tmp_path / "heard")]).decode()
    return msgspec.structs.replace(file, settings=override_one(file.settings, f"notify=[{{run: {command}}}]"))


def test_a_release_and_its_rollback_by_hand_are_told_in_order(
    twin: Twin, telling: ReleaseFile, caller: Caller, heard: Callable[[], list[dict[str, str]]]
) -> None:
    """With who, why, and who has the users afterwards."""
    engine.deploy(twin, telling, "1.1.0", caller)
    engine.rollback(twin, telling, Caller("bob@desk", "it is slow"))
    told = heard()
    assert ["started", "promoted", "started", "rolled-back"] == [each["event"] for each in told]
    assert {"shop"} == {each["service"] for each in told}
    assert ("bob@desk", "it is slow", "1.1.0") == tuple(told[-1][key] for key in ("actor", "reason", "version"))
    assert "blue 100 %, green 0 %" == told[-1]["target"]


def test_a_refusal_and_the_way_back_are_told(
    twin: Twin, telling: ReleaseFile, caller: Caller, heard: Callable[[], list[dict[str, str]]]
) -> None:
    twin.behaviours["1.1.0"] = Behaviour(broken=("/cart",))
    with pytest.raises(Reverted):
        engine.deploy(twin, telling, "1.1.0", caller)
    assert ["started", "gate-failed", "reverted"] == [each["event"] for each in heard()]


def test_a_receiver_that_hangs_holds_no_release_up(twin: Twin, file: ReleaseFile, caller: Caller) -> None:
    """The release is done; what the receiver did not take is said."""
    command = msgspec.json.encode([sys.executable, "-c", "import time; time.sleep(60)"]).decode()
    settings = override_one(file.settings, f"notify=[{{run: {command}, timeout: 500ms}}]")
    said: list[str] = []
    listening = msgspec.structs.replace(caller, on_event=lambda at, kind, label, detail: said.append(detail))
    done = engine.deploy(twin, msgspec.structs.replace(file, settings=settings), "1.1.0", listening)
    assert done.words == "1.1.0 on green has all users; 1.0.0 on blue is warm"
    assert "was not told of started" in " ".join(said)


def test_a_secret_that_is_missing_stops_a_deploy_before_it_begins_and_never_a_rollback(
    twin: Twin, file: ReleaseFile, caller: Caller
) -> None:
    engine.deploy(twin, file, "1.1.0", caller)
    settings = override_one(file.settings, "notify=[{webhook: '${PRIMETRADE_NO_SUCH_VARIABLE}'}]")
    lacking = msgspec.structs.replace(file, settings=settings)
    before = len(twin.calls)
    with pytest.raises(Unusable, match="PRIMETRADE_NO_SUCH_VARIABLE"):
        engine.deploy(twin, lacking, "1.2.0", caller)
    assert before == len(twin.calls)
    engine.rollback(twin, lacking, caller)
