"""Histories that the state machine found, each in its smallest form: two or three things that go wrong together."""

from __future__ import annotations

import math

import pytest

from scripts.release import engine
from scripts.release.engine import Caller, Options
from scripts.release.errors import NeedsPerson, Reverted
from scripts.release.file import ReleaseFile
from scripts.release.route import Target, Weights
from scripts.release.situation import Phase
from scripts.release.twin import Behaviour, Twin
from tests.release.killing import killed_behind

PREVIEW = Options(to_preview=True)


@pytest.mark.parametrize("phase", ["intent", "done"])
@pytest.mark.parametrize("step", ["deploy", "shift"])
def test_the_first_release_of_all_may_be_killed_too(
    empty: Twin, file: ReleaseFile, caller: Caller, phase: str, step: str
) -> None:
    """Nobody edited a route that no run has ever seen, and an empty slot is not adopted as the live one."""
    with killed_behind(empty, phase, step):
        engine.deploy(empty, file, "1.0.0", caller)
    now = engine.look(empty)
    assert (now.drift, now.phase) == ("", Phase.IDLE if (phase, step) == ("done", "shift") else Phase.EMPTY)
    engine.resume(empty, file, caller)
    now = engine.look(empty)
    assert (now.phase, now.active.version, now.drift) == (Phase.IDLE, "1.0.0", "")


def test_the_first_release_of_all_may_be_killed_behind_its_write_of_the_route(
    empty: Twin, file: ReleaseFile, caller: Caller
) -> None:
    """What serves then is live."""
    with killed_behind(empty, "intent", "shift"):
        engine.deploy(empty, file, "1.0.0", caller)
    empty.edit(Target.all_on("green"))
    assert engine.look(empty).drift == ""
    engine.deploy(empty, file, "1.1.0", caller)
    assert engine.rollback(empty, file, caller).words == "1.0.0 on green has all users; 1.1.0 on blue is rejected"


def dies(twin: Twin, version: str) -> None:
    twin.behaviours[version] = Behaviour(crashes=True)


def test_where_half_the_users_are_on_a_slot_that_died_rollback_gives_all_to_the_other(
    twin: Twin, file: ReleaseFile, caller: Caller
) -> None:
    engine.deploy(twin, file, "1.1.0", caller, PREVIEW)
    engine.shift(twin, file, 50, caller)
    dies(twin, "1.0.0")
    engine.rollback(twin, file, caller)
    assert twin.current.target == Target.all_on("green")


def test_abort_leads_to_the_slot_that_runs_where_the_one_before_has_died(
    twin: Twin, file: ReleaseFile, caller: Caller
) -> None:
    """A hand moved all users to the warm slot, and then the other one died."""
    engine.deploy(twin, file, "1.1.0", caller)
    twin.edit(Target.all_on("blue"))
    dies(twin, "1.1.0")
    engine.abort(twin, file, caller)
    now = engine.look(twin)
    assert (now.active.name, now.active.ready, now.drift) == ("blue", True, "")


def sent_to_what_starts(twin: Twin, file: ReleaseFile, caller: Caller, ready_s: float) -> None:
    """1.0.0 has died, and a hand gave some of its users to 1.1.0, which is not ready yet."""
    engine.deploy(twin, file, "1.1.0", caller, PREVIEW)
    twin.behaviours["1.1.0"] = Behaviour(ready_s=twin.clock - twin.slots["green"].started + ready_s)
    dies(twin, "1.0.0")
    twin.edit(Target(Weights(70, 30)))


def test_all_users_go_to_a_slot_that_still_starts_and_nothing_is_done_before_it_answers(
    twin: Twin, file: ReleaseFile, caller: Caller
) -> None:
    sent_to_what_starts(twin, file, caller, ready_s=7)
    begun = twin.clock
    done = engine.rollback(twin, file, caller)
    assert engine.look(twin).active.ready
    assert done.cut_overs[0].written - begun < 1  # they are not kept on the one that died until then


def test_a_way_back_to_a_slot_that_never_answers_is_not_called_done(
    twin: Twin, file: ReleaseFile, caller: Caller
) -> None:
    sent_to_what_starts(twin, file, caller, ready_s=math.inf)
    with pytest.raises(NeedsPerson, match=r"green did not get ready in 30 s \(timeouts.ready\); its log: green.log"):
        engine.rollback(twin, file, caller)
    assert twin.current.target == Target.all_on("green")


def test_with_nobody_served_a_route_edited_by_hand_stops_nobody(twin: Twin, file: ReleaseFile, caller: Caller) -> None:
    twin.slots.clear()
    twin.edit(Target(Weights(30, 70)))
    engine.deploy(twin, file, "1.1.0", caller)
    assert engine.look(twin).active.version == "1.1.0"


def test_a_journal_deleted_under_a_run_does_not_leave_users_on_what_a_gate_refuses(
    twin: Twin, file: ReleaseFile, caller: Caller
) -> None:
    """The run itself knows which slot it judged."""

    def tick() -> None:
        if twin.current.weights == Weights(0, 100):
            twin.on_tick = lambda: None
            twin.journal.entries.clear()
            twin.behaviours["1.1.0"] = Behaviour(failed=0.05)

    twin.on_tick = tick
    with pytest.raises(Reverted, match="its users were brought back"):
        engine.deploy(twin, file, "1.1.0", caller)
    assert twin.current.target == Target.all_on("blue")
