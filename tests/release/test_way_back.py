"""The way back, and the way on, where something beside the release is wrong too."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from scripts.release import engine
from scripts.release.engine import Caller, Options
from scripts.release.errors import NeedsPerson, Reverted, Unheard
from scripts.release.file import ReleaseFile
from scripts.release.route import Target, Weights
from scripts.release.situation import Phase
from scripts.release.slots import Answer, Request
from scripts.release.status import next_command
from scripts.release.twin import Behaviour, Twin
from tests.release.killing import killed_behind

PREVIEW = Options(to_preview=True)


@pytest.mark.parametrize("moves", [50, 100])
def test_an_order_that_nobody_hears_keeps_no_user_from_a_slot_that_takes_requests(
    twin: Twin, file: ReleaseFile, caller: Caller, monkeypatch: pytest.MonkeyPatch, moves: int
) -> None:
    """The admin token was changed under the pods: none drained, and none need be told that it does so no more."""

    def deaf(slot: str, on: bool, fence: int) -> None:
        raise Unheard(f"no pod of {slot} heard it: 401")

    monkeypatch.setattr(twin, "drain", deaf)
    engine.deploy(twin, file, "1.1.0", caller, PREVIEW)
    engine.shift(twin, file, moves, caller)
    engine.rollback(twin, file, caller)
    assert twin.current.target == Target.all_on("blue")


def test_a_cold_rollback_goes_on_without_a_replica_that_cannot_start(
    twin: Twin, file: ReleaseFile, caller: Caller
) -> None:
    """There is no room for all of them beside the bad release."""
    engine.deploy(twin, file, "1.1.0", caller)
    twin.slots["green"].replicas = 3
    del twin.slots["blue"]
    twin.behaviours["1.0.0"] = Behaviour(lost=1)
    begun = twin.clock
    engine.rollback(twin, file, caller)
    assert twin.clock - begun < file.settings.timeouts.ready + file.settings.timeouts.verify
    assert twin.current.target == Target.all_on("blue")


def test_users_who_are_answered_are_not_all_sent_to_a_slot_that_answers_nobody(
    twin: Twin, file: ReleaseFile, caller: Caller
) -> None:
    """Its replicas are all on their way up: what half of them get is better."""
    engine.deploy(twin, file, "1.1.0", caller, PREVIEW)
    engine.shift(twin, file, 50, caller)
    up = twin.clock + 3
    twin.behaviours["1.0.0"] = Behaviour(ready_s=up - twin.slots["blue"].started)
    done = engine.rollback(twin, file, caller)
    assert done.cut_overs[0].written >= up
    assert twin.current.target == Target.all_on("blue")


def test_half_the_users_stay_where_the_slot_they_came_from_does_not_answer(
    twin: Twin, file: ReleaseFile, caller: Caller
) -> None:
    engine.deploy(twin, file, "1.1.0", caller, PREVIEW)
    engine.shift(twin, file, 50, caller)
    twin.behaviours["1.0.0"] = Behaviour(ready_s=math.inf)
    with pytest.raises(NeedsPerson, match=r"blue did not get ready in 5 s \(timeouts.verify\)"):
        engine.rollback(twin, file, caller)
    assert twin.current.weights == Weights(50, 50)


def test_with_the_live_slot_dead_a_deploy_replaces_what_was_taken_back(
    twin: Twin, file: ReleaseFile, caller: Caller
) -> None:
    """No other verb leads on: what was taken back is never gone back to, and nothing is under way."""
    engine.deploy(twin, file, "1.1.0", caller)
    engine.rollback(twin, file, caller)
    twin.behaviours["1.0.0"] = Behaviour(crashes=True)
    assert "`primetrade release deploy" in next_command(engine.look(twin))
    engine.deploy(twin, file, "1.2.0", caller)
    now = engine.look(twin)
    assert (now.phase, now.active.version, now.active.ready, now.drift) == (Phase.IDLE, "1.2.0", True, "")


def test_an_edge_that_answers_for_nobody_is_asked_again_once_the_slot_serves(
    twin: Twin, file: ReleaseFile, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Gateway's own 503 names no slot, and a slot may start for longer than probes are sent."""
    engine.deploy(twin, file, "1.1.0", caller, PREVIEW)
    twin.behaviours["1.1.0"] = Behaviour(ready_s=twin.clock - twin.slots["green"].started + 12)
    twin.behaviours["1.0.0"] = Behaviour(crashes=True)
    twin.edit(Target(Weights(70, 30)))
    ask = twin.ask

    def asked(request: Request, slot: str = "") -> Answer:
        answer = ask(request, slot)
        return Answer(503, "", "no healthy upstream") if answer.status == 503 else answer

    monkeypatch.setattr(twin, "ask", asked)
    engine.rollback(twin, file, caller)
    assert engine.look(twin).active.ready


def left_alone(twin: Twin, file: ReleaseFile, caller: Caller) -> None:
    """1.1.0 got all users, its bake refused it, and 1.0.0 had died and does not start again."""

    def tick() -> None:
        if twin.current.weights == Weights(0, 100):
            twin.on_tick = lambda: None
            twin.behaviours |= {"1.1.0": Behaviour(failed=0.05), "1.0.0": Behaviour(crashes=True)}

    twin.on_tick = tick
    with pytest.raises(NeedsPerson, match="`primetrade release deploy VERSION` brings another one"):
        engine.deploy(twin, file, "1.1.0", caller)


def test_a_fix_may_follow_where_the_one_before_a_refused_release_does_not_start_again(
    twin: Twin, file: ReleaseFile, caller: Caller
) -> None:
    """Every other verb asks for a slot that is not there."""
    left_alone(twin, file, caller)
    with pytest.raises(NeedsPerson, match=r"blue ended while starting.*deploy VERSION` brings another one"):
        engine.rollback(twin, file, caller)
    engine.deploy(twin, file, "1.2.0", caller)
    now = engine.look(twin)
    assert (now.active.version, now.phase, now.beside.version) == ("1.2.0", Phase.IDLE, "1.1.0")


@pytest.mark.parametrize(("mend", "lives"), [(engine.resume, "1.2.0"), (engine.abort, "1.1.0")])
@pytest.mark.parametrize("killed", ["intent deploy", "done analysis", "done shift"])
def test_a_fix_that_was_killed_is_gone_on_with_or_given_up(  # noqa: PLR0917 - fixtures
    twin: Twin, file: ReleaseFile, caller: Caller, killed: str, mend: Callable[..., object], lives: str
) -> None:
    """Given up, it leaves its users where they were."""
    left_alone(twin, file, caller)
    with killed_behind(twin, *killed.split()):
        engine.deploy(twin, file, "1.2.0", caller)
    mend(twin, file, caller)
    now = engine.look(twin)
    assert (now.active.version, now.observed.route.target.sole) == (lives, now.active.name)


def test_a_fix_that_is_bad_too_moves_nobody(twin: Twin, file: ReleaseFile, caller: Caller) -> None:
    left_alone(twin, file, caller)
    twin.behaviours["1.2.0"] = Behaviour(failed=0.2)
    with pytest.raises(Reverted, match="the route was not touched"):
        engine.deploy(twin, file, "1.2.0", caller)
    assert engine.look(twin).active.version == "1.1.0"
    engine.deploy(twin, file, "1.3.0", caller)


def test_the_live_version_started_anew_that_dies_too_is_taken_away_again(
    twin: Twin, file: ReleaseFile, caller: Caller
) -> None:
    """It got no user: those are where they were, on the slot of the same version that died before."""
    engine.deploy(twin, file, "1.1.0", caller)
    engine.rollback(twin, file, caller)
    twin.behaviours["1.0.0"] = Behaviour(crashes=True)
    with pytest.raises(Reverted, match="the route was not touched"):
        engine.deploy(twin, file, "1.0.0", caller)
    assert "green" not in twin.slots
    assert "`primetrade release deploy" in next_command(engine.look(twin))


def test_users_whose_slot_came_up_again_meanwhile_go_to_no_release_that_was_compared_with_nobody(
    twin: Twin, file: ReleaseFile, caller: Caller
) -> None:
    """Its pods ended again and again while their database was away, say: they start again by themselves."""
    engine.deploy(twin, file, "1.1.0", caller)
    engine.rollback(twin, file, caller)
    twin.behaviours |= {"1.0.0": Behaviour(crashes=True), "1.2.0": Behaviour(failed=0.2)}
    twin.on_tick = lambda: twin.behaviours.update({"1.0.0": Behaviour()})
    with pytest.raises(Reverted, match=r"blue answers its users again.*the route was not touched"):
        engine.deploy(twin, file, "1.2.0", caller)
    assert "green" not in twin.slots
    twin.behaviours["1.2.0"] = Behaviour()
    engine.deploy(twin, file, "1.2.0", caller)
    assert engine.look(twin).active.version == "1.2.0"
