"""What is under way when the route moves and when a slot is asked to end: long bodies, kept and shared connections.

Websockets are not among it: this edge does not offer them.
"""

from __future__ import annotations

import functools
import http.client
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import pytest

from scripts.local import slots, system
from scripts.local.slots import SlotSpec
from scripts.release import engine
from scripts.release.engine import Caller, Options
from scripts.release.file import ReleaseFile, read_release_file
from scripts.release.local import Local
from scripts.release.situation import Phase
from scripts.release.step import Step
from tests.local.traffic import from_now, keep_alive_load
from tests.release.conftest import PROCESSES, PROFILE, TARGETS
from tests.release.flows import Round, connect, flowing, long_answer, pipelined, upload

pytestmark = pytest.mark.faults

CALLER: Final = Caller("ann@laptop", "ticket 7")
PREVIEW: Final = Options(to_preview=True)
PAUSE_S: Final = 0.011
COMMAND: Final = ("{python}", str(Path(__file__).with_name("streams.py")))
FLOWS: Final = {"long answers": long_answer, "uploads": upload, "pipelines": pipelined}


class Service(NamedTuple):
    """A local system whose slots take their time."""

    local: Local
    file: ReleaseFile


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """1.0.0 is live; every test leaves one version live and nothing under way."""
    directory = tmp_path_factory.mktemp("streams")
    profile, path = directory / "analysis.yaml", directory / "release.yaml"
    profile.write_text(PROFILE)
    (directory / "slo.yaml").write_text(TARGETS)
    path.write_text(PROCESSES.format(command=msgspec.json.encode(COMMAND).decode(), profile=profile))
    file, home = read_release_file(path), directory / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
        patch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
        try:
            system.up(home, print, first=SlotSpec("1.0.0", COMMAND), migrate=lambda url, report: None)
            yield Service(Local(home, file), file)
        finally:
            system.down(home, print)


class Crossed(NamedTuple):
    """What clients got while the route moved and a slot ended, and when that was; Unix seconds."""

    flows: dict[str, list[Round]]
    statuses: list[int]  # on connections that are kept
    flips: list[float]
    ends: list[float]


@pytest.fixture(scope="module")
def crossed(service: Service) -> Crossed:
    """To half, to all, back, again to half, and the new slot ended with users on it until just before."""
    local, file = service
    flips: list[float] = []
    ends: list[float] = []

    def on_event(at: float, kind: str, label: str, detail: str) -> None:
        if kind in ("shift", "promote", "rollback"):
            flips.append(at)

    def on_step(step: Step) -> None:
        if step.kind == "retire":
            ends.append(time.time())

    caller = msgspec.structs.replace(CALLER, on_event=on_event, on_step=on_step)
    with ExitStack() as stack:
        flows = {name: stack.enter_context(flowing(local.state, flow, 3)) for name, flow in FLOWS.items()}
        seen = stack.enter_context(keep_alive_load(local.state, pause_s=PAUSE_S))
        engine.deploy(local, file, "1.1.0", caller, PREVIEW)
        engine.shift(local, file, 50, caller)
        engine.shift(local, file, 100, caller)
        engine.rollback(local, file, caller)
        engine.deploy(local, file, "1.2.0", caller, PREVIEW)
        engine.shift(local, file, 50, caller)
        engine.abort(local, file, caller)
        from_now(seen)
    return Crossed(flows, [each.status for each in seen], flips, ends)


@pytest.mark.parametrize("flow", FLOWS)
def test_what_takes_its_time_ends_whole_on_the_slot_where_it_began(crossed: Crossed, flow: str) -> None:
    """Answers in chunks, uploads in chunks, requests behind each other: through every flip, and the end of a slot."""
    rounds = crossed.flows[flow]
    assert [each.wrong for each in rounds if each.wrong] == []
    assert len(crossed.flips) == 5
    for at in crossed.flips:
        assert any(each.began < at < each.ended for each in rounds), "nothing was under way"


def test_kept_connections_lose_no_request_when_a_slot_ends_that_had_users_just_before(crossed: Crossed) -> None:
    assert set(crossed.statuses) == {200}
    assert len(crossed.ends) == 1
    assert crossed.flips[-1] < crossed.ends[0]


def short_drain(file: ReleaseFile) -> ReleaseFile:
    return read_release_file(file.path, ("timeouts.drain=1s",))


def begun(service: Service, path: str) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
    """A request of a user whose answer has begun."""
    connection = connect(service.local.state)
    connection.request("GET", path)
    return connection, connection.getresponse()


def test_a_request_longer_than_the_drain_limit_is_answered_by_the_slot_that_lost_its_users(service: Service) -> None:
    """The limit passing is written down, and nobody is cut off: the slot stays up."""
    local, file = service.local, short_drain(service.file)
    engine.deploy(local, file, "2.0.0", CALLER, Options({"LONG_PIECES": "100"}, to_preview=True))
    engine.shift(local, file, 100, CALLER)
    connection, answer = begun(service, "/long")
    engine.rollback(local, file, CALLER)
    drained = next(e for e in reversed(local.journal.read()) if (e.phase, e.step) == ("done", "drain"))
    assert "still in flight after 1 s (timeouts.drain)" in drained.words
    assert answer.read().split()[-1] == b"99"
    connection.close()


def test_a_request_that_never_ends_holds_up_no_release(service: Service) -> None:
    """It is cut off where its slot is stopped, after the limit and the slot's own grace; nobody else notices."""
    local, file = service.local, short_drain(service.file)
    engine.deploy(local, file, "2.1.0", CALLER, PREVIEW)
    engine.shift(local, file, 100, CALLER)
    connection, answer = begun(service, "/never")
    with keep_alive_load(local.state, pause_s=PAUSE_S) as seen:
        engine.rollback(local, file, CALLER)
        engine.deploy(local, file, "2.2.0", CALLER, PREVIEW)
        engine.abort(local, file, CALLER)
    with pytest.raises(http.client.IncompleteRead):
        answer.read()
    connection.close()
    assert {each.status for each in seen} == {200}
    assert engine.look(local).phase is Phase.IDLE


def test_a_slot_that_ignores_sigterm_is_killed_and_no_user_notices(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The grace is shortened; there was nothing in flight."""
    local, file = service
    monkeypatch.setattr(slots, "stop_slot", functools.partial(slots.stop_slot, grace_s=1))
    with keep_alive_load(local.state, pause_s=PAUSE_S) as seen:
        engine.deploy(local, file, "3.0.0", CALLER, Options({"IGNORES_SIGTERM": "1"}, to_preview=True))
        engine.shift(local, file, 50, CALLER)
        engine.abort(local, file, CALLER)
    assert {each.status for each in seen} == {200}
    assert not [slot for slot in local.observe().slots.values() if slot.version == "3.0.0"]
