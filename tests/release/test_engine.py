"""The engine over the twin: what it does in which order, when it stops, and what it leaves behind."""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Callable, Sequence

import msgspec
import pytest

from scripts.release import engine
from scripts.release.engine import Caller, Options
from scripts.release.errors import (
    Interrupted,
    Locked,
    NeedsPerson,
    Refused,
    ReleaseError,
    Reverted,
    Terminated,
    Undecided,
)
from scripts.release.file import ReleaseFile
from scripts.release.journal import Holder
from scripts.release.memory import Role
from scripts.release.route import Target, Weights
from scripts.release.situation import Phase
from scripts.release.slots import Observed, Range
from scripts.release.status import status
from scripts.release.twin import Behaviour, Twin


def test_a_good_release_goes_through_every_step_to_all_users(twin: Twin, file: ReleaseFile, caller: Caller) -> None:
    """Migrations come before the slot, each shift after its gate, and the old slot is drained, never stopped."""
    done = engine.deploy(twin, file, "1.1.0", caller)
    assert twin.calls == [
        "expand migrate",
        "deploy 1.1.0 on green",
        "route blue 95 %, green 5 %",
        "route blue 50 %, green 50 %",
        "route blue 0 %, green 100 %",
        "drain blue",
    ]
    assert done.words == "1.1.0 on green has all users; 1.0.0 on blue is warm"
    assert [Weights(95, 5), Weights(50, 50), Weights(0, 100)] == [c.weights for c in done.cut_overs]
    assert twin.slots["green"].users.failed == 0


def test_the_journal_keeps_who_why_when_what_and_the_verdicts(twin: Twin, file: ReleaseFile, caller: Caller) -> None:
    """Every change has its intent before it and its done after it, under one run and one fencing number."""
    before = len(twin.journal.entries)
    engine.deploy(twin, file, "1.1.0", caller)
    entries = twin.journal.entries[before:]
    assert (entries[0].phase, entries[-1].phase) == ("begin", "end")
    assert {("ann@laptop", "ticket 7", 2, file.digest)} == {(e.actor, e.reason, e.fence, e.file) for e in entries}
    assert len({e.run for e in entries}) == 1
    mutating = [(e.phase, e.step) for e in entries if e.step in {"expand", "deploy", "shift", "drain", "warm"}]
    assert mutating[0::2] == [("intent", step) for _, step in mutating[1::2]]
    assert [e.step for e in entries if e.outcome == "pass"] == ["smoke", "analysis", "hold", "hold", "bake"]
    assert entries[-1].outcome == "done"
    assert entries[0].time.endswith("Z")


def test_the_release_under_way_is_in_the_route(twin: Twin, file: ReleaseFile, caller: Caller) -> None:
    """Every write of the route carries the run and its fencing number."""
    done = engine.deploy(twin, file, "1.1.0", caller)
    assert (done.run, 2) == (twin.current.run, twin.current.fence)


BAD = {
    "errors under analysis load": (Behaviour(failed=0.03), "analysis"),
    "slow under analysis load": (Behaviour(slow=0.10), "analysis"),
    "a smoke request fails": (Behaviour(broken=("/cart",)), "smoke"),
    "answers with another version": (Behaviour(says="0.9"), "says it is 0.9"),
    "never gets ready": (Behaviour(ready_s=float("inf")), "did not get ready in 30 s"),
    "crashes at start": (Behaviour(crashes=True), "ended while starting"),
    "does not know the schema": (Behaviour(schema=Range(1, 2)), "schema levels 1 to 2"),
}


@pytest.mark.parametrize(("behaviour", "reason"), BAD.values(), ids=BAD.keys())
def test_a_bad_release_is_refused_before_its_first_user(
    twin: Twin, file: ReleaseFile, caller: Caller, behaviour: Behaviour, reason: str
) -> None:
    """The route is not touched, the slot is retired, and the reason is said."""
    twin.behaviours["1.1.0"] = behaviour
    token = twin.current.token
    with pytest.raises(Reverted, match=reason):
        engine.deploy(twin, file, "1.1.0", caller)
    assert token == twin.current.token
    assert {"blue"} == set(twin.slots)
    assert twin.journal.entries[-1].outcome == "reverted"
    assert Phase.IDLE is engine.look(twin).phase


def goes_bad_at(twin: Twin, weights: Weights, behaviour: Behaviour) -> Callable[[], None]:
    """Two seconds after it got that share: probes saw it good."""
    since: list[float] = []

    def tick() -> None:
        if twin.current.weights == weights:
            since.append(twin.clock)
            if twin.clock > since[0] + 2:
                twin.behaviours["1.1.0"] = behaviour

    return tick


@pytest.mark.parametrize("percent", [5, 50])
def test_a_release_that_turns_bad_in_the_shift_gives_its_users_back(
    twin: Twin, file: ReleaseFile, caller: Caller, percent: int
) -> None:
    """The route moves first, then the slot is drained and retired."""
    twin.on_tick = goes_bad_at(twin, Weights(100 - percent, percent), Behaviour(failed=0.05))
    with pytest.raises(Reverted, match="its users were brought back"):
        engine.deploy(twin, file, "1.1.0", caller)
    assert twin.calls[-4:] == ["undrain blue", "route blue 100 %, green 0 %", "drain green", "retire green"]


def test_a_release_that_turns_bad_in_the_bake_gives_its_users_back(
    twin: Twin, file: ReleaseFile, caller: Caller
) -> None:
    """The old slot takes requests again before the route moves to it, and the bad one is kept, drained."""
    twin.on_tick = goes_bad_at(twin, Weights(0, 100), Behaviour(failed=0.05))
    with pytest.raises(Reverted, match="its users were brought back"):
        engine.deploy(twin, file, "1.1.0", caller)
    assert twin.calls[-4:] == ["drain blue", "undrain blue", "route blue 100 %, green 0 %", "drain green"]
    assert Role.REJECTED is engine.look(twin).role
    assert twin.slots["blue"].users.failed == 0


def test_a_bake_check_that_fails_gives_the_users_back(twin: Twin, file: ReleaseFile, caller: Caller) -> None:
    """Errors too rare to count are caught by the checks through the users' route."""
    twin.on_tick = goes_bad_at(twin, Weights(0, 100), Behaviour(broken=("/cart",)))
    with pytest.raises(Reverted, match="bake of green: GET /cart on green: expected 401, found 500"):
        engine.deploy(twin, file, "1.1.0", caller)
    assert Weights(100, 0) == twin.current.weights


def test_a_slot_that_dies_in_the_shift_gives_its_users_back(twin: Twin, file: ReleaseFile, caller: Caller) -> None:
    twin.on_tick = goes_bad_at(twin, Weights(50, 50), Behaviour(crashes=True))
    with pytest.raises(Reverted, match="green is not running any more"):
        engine.deploy(twin, file, "1.1.0", caller)
    assert Weights(100, 0) == twin.current.weights


def test_a_slot_that_lets_requests_wait_gives_its_users_back(twin: Twin, file: ReleaseFile, caller: Caller) -> None:
    """It fails nothing, so counts alone would never tell: it does not answer the probe."""
    twin.on_tick = goes_bad_at(twin, Weights(0, 100), Behaviour(broken=("/health",)))
    with pytest.raises(Reverted, match="answers /health with 500"):
        engine.deploy(twin, file, "1.1.0", caller)
    assert twin.current.weights == Weights(100, 0)


def in_the_revert(twin: Twin, does: Callable[[], object]) -> Caller:
    """1.1.0 turns bad with half of the users on it, and `does` is called once while they are being brought back."""
    twin.on_tick = goes_bad_at(twin, Weights(50, 50), Behaviour(failed=0.05))

    def on_event(at: float, kind: str, label: str, detail: str) -> None:
        if kind == "refused":
            does()

    return Caller("ann", on_event=on_event)


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_does_not_stop_a_revert(twin: Twin, file: ReleaseFile, signum: int) -> None:
    """The users are on a release known to be bad: all of them are brought back, and it is retired."""
    with pytest.raises(Reverted, match="its users were brought back"):
        engine.deploy(twin, file, "1.1.0", in_the_revert(twin, lambda: os.kill(os.getpid(), signum)))
    assert (Weights(100, 0), {"blue"}) == (twin.current.weights, set(twin.slots))
    assert twin.journal.entries[-1].outcome == "reverted"


def test_a_platform_that_cannot_be_seen_for_a_moment_does_not_stop_a_revert(twin: Twin, file: ReleaseFile) -> None:
    def blip() -> None:
        twin.observe_error, ends = "Envoy's admin port does not answer", twin.clock + 2

        def tick() -> None:
            if twin.clock > ends:
                twin.observe_error = ""

        twin.on_tick = tick

    with pytest.raises(Reverted, match="its users were brought back"):
        engine.deploy(twin, file, "1.1.0", in_the_revert(twin, blip))
    assert Weights(100, 0) == twin.current.weights


def test_a_rollback_in_which_any_one_look_fails_is_done_all_the_same(
    twin: Twin, file: ReleaseFile, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first, the last, and each between: a slow answer at three in the morning is no reason to stop."""
    see, left = twin.observe, 0

    def blink() -> Observed:
        nonlocal left
        left -= 1
        if left == 0:
            raise ReleaseError("no answer within 2 s")
        return see()

    monkeypatch.setattr(twin, "observe", blink)
    for number in itertools.count(1):
        left = 0
        engine.deploy(twin, file, "1.1.0", caller)
        left = number
        assert engine.rollback(twin, file, caller).words == "1.0.0 on blue has all users; 1.1.0 on green is rejected"
        if left > 0:  # there was no such look any more
            break
    assert number > 5


def test_a_revert_that_cannot_go_on_asks_a_person_and_says_why_there_was_one(twin: Twin, file: ReleaseFile) -> None:
    """Afterwards the refused release gets no more users by hand, and the way back is offered first."""

    def blind() -> None:
        twin.on_tick, twin.observe_error = (lambda: None), "Envoy's admin port does not answer"

    with pytest.raises(
        NeedsPerson, match=r"refused by hold of green \(\d+ of \d,\d+ failed.*going back failed: Envoy's admin port"
    ):
        engine.deploy(twin, file, "1.1.0", in_the_revert(twin, blind))
    twin.observe_error = ""
    now = engine.look(twin)
    assert now.refused
    assert status(now, None).next.startswith("`primetrade release abort`")
    with pytest.raises(Refused, match="a gate refused this release"):
        engine.shift(twin, file, 100, Caller("ann"))
    engine.abort(twin, file, Caller("ann"))
    assert (Weights(100, 0), False) == (twin.current.weights, engine.look(twin).refused)


def mute_for(twin: Twin, weights: Weights, seconds: float) -> Callable[[], None]:
    """1.1.0 does not say its version for a while: from its first sight under these weights."""
    since: list[float] = []

    def tick() -> None:
        if "green" in twin.slots and twin.current.weights == weights:
            since.append(twin.clock)
            twin.behaviours["1.1.0"] = Behaviour(mute=twin.clock < since[0] + seconds)

    return tick


@pytest.mark.parametrize("weights", [Weights(100, 0), Weights(95, 5)])
def test_a_late_answer_to_the_version_probe_refuses_nobody(
    twin: Twin, file: ReleaseFile, caller: Caller, weights: Weights
) -> None:
    """In preview and after a shift: no answer is waited for, up to timeouts.verify."""
    twin.on_tick = mute_for(twin, weights, 3)
    engine.deploy(twin, file, "1.1.0", caller)
    assert engine.look(twin).active.version == "1.1.0"


def test_a_slot_that_never_says_its_version_is_refused(twin: Twin, file: ReleaseFile, caller: Caller) -> None:
    twin.behaviours["1.1.0"] = Behaviour(mute=True)
    with pytest.raises(Reverted, match="says it is nothing"):
        engine.deploy(twin, file, "1.1.0", caller)


def test_both_slots_failing_promotes_nothing_and_blames_nobody(twin: Twin, file: ReleaseFile, caller: Caller) -> None:
    """When the old slot fails as well, the release is not refused: the gate is open and a person looks."""
    twin.behaviours = {"1.0.0": Behaviour(failed=0.03), "1.1.0": Behaviour(failed=0.03)}
    with pytest.raises(Undecided, match="both slots fail"):
        engine.deploy(twin, file, "1.1.0", caller)
    assert Weights(100, 0) == twin.current.weights
    assert "green" in twin.slots


def test_time_never_passes_a_gate(twin: Twin, file: ReleaseFile, caller: Caller) -> None:
    """Traffic that ends in the shift leaves the weights where they are, and says how many requests are missing."""

    def tick() -> None:
        if twin.current.weights == Weights(95, 5):
            twin.rate = 0.1

    twin.on_tick = tick
    with pytest.raises(Undecided, match=r"hold gate of green cannot decide.*more requests to each are needed"):
        engine.deploy(twin, file, "1.1.0", caller)
    assert Weights(95, 5) == twin.current.weights
    assert twin.journal.entries[-1].outcome == "inconclusive"


def test_a_gate_waits_for_the_requests_it_needs(twin: Twin, file: ReleaseFile, caller: Caller) -> None:
    """At 5 % of 100 requests a second the window of ten seconds is too short, and the limit long enough."""
    twin.rate = 100
    began = twin.clock
    engine.deploy(twin, file, "1.1.0", caller)
    assert Weights(0, 100) == twin.current.weights
    assert twin.clock - began > 60


def test_a_release_is_not_begun_where_the_gates_cannot_be_fed(twin: Twin, file: ReleaseFile, caller: Caller) -> None:
    """Too few users: said before anything changes, with the rate that would do."""
    twin.rate = 2
    with pytest.raises(Undecided, match=r"at least \d+ requests/s; 2/s come.*Nothing was changed"):
        engine.deploy(twin, file, "1.1.0", caller)
    assert twin.calls == []
    assert twin.journal.entries[-1].version == "1.0.0"


def test_a_gate_that_cannot_be_asked_is_an_error_and_promotes_nothing(
    twin: Twin, file: ReleaseFile, caller: Caller
) -> None:
    twin.load_error = "the analysis load could not be made: no tokens"
    with pytest.raises(ReleaseError, match="no tokens"):
        engine.deploy(twin, file, "1.1.0", caller)
    assert Weights(100, 0) == twin.current.weights
    assert (twin.journal.entries[-1].outcome, twin.journal.entries[-1].target) == ("error", Target(Weights(100, 0)))


def test_figures_that_are_gone_for_a_while_hold_the_gate_and_for_good_leave_it_open(
    twin: Twin, file: ReleaseFile, caller: Caller
) -> None:
    """A source that is down is no verdict, for nor against."""

    def tick() -> None:
        if twin.current.weights == Weights(95, 5):
            twin.tally_error = "Envoy's admin port does not answer" if 3 < twin.clock - began < lasts else ""

    began, lasts, twin.on_tick = twin.clock, 40.0, tick
    engine.deploy(twin, file, "1.1.0", caller)
    assert twin.current.weights == Weights(0, 100)
    engine.rollback(twin, file, caller)
    began, lasts = twin.clock, 1e9
    with pytest.raises(Undecided, match="admin port does not answer"):
        engine.deploy(twin, file, "1.1.0", caller)
    assert twin.current.weights == Weights(95, 5)


def test_without_users_a_release_goes_to_preview_and_on_by_hand(twin: Twin, file: ReleaseFile, caller: Caller) -> None:
    """`--until preview` needs no users; `shift` is a person's decision and needs none either."""
    twin.rate = 0
    engine.deploy(twin, file, "1.1.0", caller, Options(to_preview=True))
    assert (Phase.PREVIEW, Weights(100, 0)) == (engine.look(twin).phase, twin.current.weights)
    engine.shift(twin, file, 30, caller)
    assert Phase.SHIFTING is engine.look(twin).phase
    engine.shift(twin, file, 0, caller)
    assert Phase.PREVIEW is engine.look(twin).phase
    engine.shift(twin, file, 100, caller)
    now = engine.look(twin)
    assert (now.phase, now.active.version, now.role) == (Phase.IDLE, "1.1.0", Role.WARM)


def test_a_release_whose_users_left_in_the_bake_is_taken_by_hand(twin: Twin, file: ReleaseFile, caller: Caller) -> None:
    """The bake stays open, nothing else may begin, and a person ends it either way."""

    def tick() -> None:
        if twin.current.weights == Weights(0, 100):
            twin.rate = 0

    twin.on_tick = tick
    with pytest.raises(Undecided, match=r"bake gate of green cannot decide.*shift --to 100"):
        engine.deploy(twin, file, "1.1.0", caller)
    assert engine.look(twin).phase is Phase.BAKING
    engine.shift(twin, file, 100, caller)
    now = engine.look(twin)
    assert (now.phase, now.active.version, now.can_roll_back) == (Phase.IDLE, "1.1.0", True)


def test_a_preview_whose_gate_did_not_pass_gets_no_user(twin: Twin, file: ReleaseFile, caller: Caller) -> None:
    """`shift` refuses, and `promote` runs the gate again."""
    twin.load_error = "down"
    with pytest.raises(ReleaseError, match="down"):
        engine.deploy(twin, file, "1.1.0", caller)
    with pytest.raises(Refused, match="has not passed its analysis gate"):
        engine.shift(twin, file, 5, caller)
    twin.load_error = ""
    engine.promote(twin, file, caller)
    assert Weights(0, 100) == twin.current.weights


def test_all_at_once_is_one_shift(twin: Twin, file: ReleaseFile, caller: Caller) -> None:
    engine.deploy(twin, file, "1.1.0", caller, Options(all_at_once=True))
    assert [call for call in twin.calls if call.startswith("route")] == ["route blue 0 %, green 100 %"]


def test_promote_goes_on_where_a_shift_stopped(twin: Twin, file: ReleaseFile, caller: Caller) -> None:
    engine.deploy(twin, file, "1.1.0", caller, Options(to_preview=True))
    engine.shift(twin, file, 5, caller)
    twin.calls.clear()
    engine.promote(twin, file, caller)
    assert twin.calls == ["route blue 50 %, green 50 %", "route blue 0 %, green 100 %", "drain blue"]


def test_rollback_moves_the_route_before_it_drains(twin: Twin, file: ReleaseFile, caller: Caller) -> None:
    """The warm slot takes requests again, gets them all, and only then is the other one drained. No gate is asked."""
    engine.deploy(twin, file, "1.1.0", caller)
    twin.calls.clear()
    twin.load_error = "no gate may be asked"
    engine.rollback(twin, file, caller)
    assert twin.calls == ["undrain blue", "route blue 100 %, green 0 %", "drain green"]
    now = engine.look(twin)
    assert (now.active.version, now.role, now.can_roll_back) == ("1.0.0", Role.REJECTED, False)
    assert twin.slots["blue"].users.failed + twin.slots["green"].users.failed == 0


def test_a_version_rolled_back_can_be_brought_in_again(twin: Twin, file: ReleaseFile, caller: Caller) -> None:
    """Its slot still runs: it is taken as it is, and goes through the gates."""
    engine.deploy(twin, file, "1.1.0", caller)
    engine.rollback(twin, file, caller)
    engine.deploy(twin, file, "1.1.0", caller)
    assert engine.look(twin).active.version == "1.1.0"


def test_rollback_in_a_shift_gives_all_users_to_the_active_slot(twin: Twin, file: ReleaseFile, caller: Caller) -> None:
    engine.deploy(twin, file, "1.1.0", caller, Options(to_preview=True))
    engine.shift(twin, file, 50, caller)
    engine.rollback(twin, file, caller)
    assert (Weights(100, 0), True) == (twin.current.weights, "green" in twin.slots)


class Killed(BaseException):
    """Ends a run without a word, as SIGKILL does."""


def killed_at_the_deploy(at: float, kind: str, label: str, detail: str) -> None:
    """After its intent was written and before it touched the slot."""
    if kind == "deploy":
        raise Killed


def test_a_deploy_killed_before_it_took_the_warm_slot_leaves_the_instant_rollback(
    twin: Twin, file: ReleaseFile, caller: Caller
) -> None:
    """However often it was tried; once the slot has the next release, there is none."""
    engine.deploy(twin, file, "1.1.0", caller)
    for version in ("1.2.0", "1.3.0"):
        with pytest.raises(Killed):
            engine.deploy(twin, file, version, Caller("ann", on_event=killed_at_the_deploy))
        now = engine.look(twin)
        assert (now.phase, now.role, now.can_roll_back) == (Phase.IDLE, Role.WARM, True)
    engine.rollback(twin, file, caller)
    assert twin.current.weights == Weights(100, 0)


def test_a_deploy_killed_after_it_took_the_warm_slot_leaves_a_preview(
    twin: Twin, file: ReleaseFile, caller: Caller
) -> None:
    engine.deploy(twin, file, "1.1.0", caller)
    with pytest.raises(Killed):
        engine.deploy(twin, file, "1.2.0", Caller("ann", on_event=killed_at_the_deploy))
    twin.deploy("blue", file.release("1.2.0", {}), 1, 99)
    now = engine.look(twin)
    assert (now.phase, now.role, now.can_roll_back) == (Phase.PREVIEW, Role.PREVIEW, False)


def test_rollback_without_a_warm_slot_says_what_to_do(twin: Twin, file: ReleaseFile, caller: Caller) -> None:
    with pytest.raises(NeedsPerson, match=r"no warm slot.*release deploy VERSION"):
        engine.rollback(twin, file, caller)
    assert twin.calls == []


def test_rollback_to_a_slot_that_died_says_so(twin: Twin, file: ReleaseFile, caller: Caller) -> None:
    engine.deploy(twin, file, "1.1.0", caller)
    twin.behaviours["1.0.0"] = Behaviour(crashes=True)
    with pytest.raises(NeedsPerson, match="blue ended while starting"):
        engine.rollback(twin, file, caller)
    assert Weights(0, 100) == twin.current.weights


def test_rollback_to_a_slot_that_dies_meanwhile_moves_nobody(twin: Twin, file: ReleaseFile, caller: Caller) -> None:
    """It was up when the plan was made: the users stay where they are and a person is asked."""
    engine.deploy(twin, file, "1.1.0", caller)
    dies = Caller("ann", on_step=lambda step: twin.slots.pop("blue", None))
    with pytest.raises(NeedsPerson, match="blue does not run"):
        engine.rollback(twin, file, dies)
    assert twin.current.weights == Weights(0, 100)


def test_abort_retires_what_was_under_way(twin: Twin, file: ReleaseFile, caller: Caller) -> None:
    engine.deploy(twin, file, "1.1.0", caller, Options(to_preview=True))
    engine.shift(twin, file, 50, caller)
    engine.abort(twin, file, caller)
    assert (Weights(100, 0), {"blue"}) == (twin.current.weights, set(twin.slots))
    with pytest.raises(Refused, match="no release is under way"):
        engine.abort(twin, file, caller)


def test_a_second_release_waits_for_the_first(twin: Twin, file: ReleaseFile, caller: Caller) -> None:
    """A release under way is named, with the two ways to end it."""
    engine.deploy(twin, file, "1.1.0", caller, Options(to_preview=True))
    with pytest.raises(Refused, match=r"1\.1\.0 waits in preview on green.*promote.*abort"):
        engine.deploy(twin, file, "1.2.0", caller)
    engine.shift(twin, file, 5, caller)
    with pytest.raises(Refused, match=r"1\.1\.0 on green is under way"):
        engine.deploy(twin, file, "1.2.0", caller)


def test_the_live_version_again_is_nothing_to_do(twin: Twin, file: ReleaseFile, caller: Caller) -> None:
    """The same release twice changes nothing; the same version with another environment is a release."""
    assert engine.deploy(twin, file, "1.0.0", caller).words == "nothing to do: 1.0.0 on blue has all users"
    assert twin.calls == []
    engine.deploy(twin, file, "1.0.0", caller, Options(env={"NEW": "1"}))
    assert Weights(0, 100) == twin.current.weights


@pytest.mark.parametrize(
    ("does", "says"),
    [
        (Behaviour(broken=("/health",)), "the last of .* was answered with 500 by blue"),
        (Behaviour(says="0.9.0"), "blue was started as 1.0.0, but says it is 0.9.0"),
        (Behaviour(mute=True), "blue was started as 1.0.0, but says it is nothing"),
    ],
)
def test_the_live_version_again_is_done_only_where_probes_see_it(
    twin: Twin, file: ReleaseFile, caller: Caller, does: Behaviour, says: str
) -> None:
    """Nobody is brought back for it, and the journal tells of no run: nothing was changed."""
    engine.deploy(twin, file, "1.1.0", caller)
    engine.rollback(twin, file, caller)
    before = list(twin.journal.entries)
    twin.calls.clear()
    twin.behaviours["1.0.0"] = does
    with pytest.raises(
        NeedsPerson, match=rf"1\.0\.0 on blue has all users.* by the route, and.*{says}.*Nothing.*release doctor"
    ):
        engine.deploy(twin, file, "1.0.0", caller)
    assert (twin.calls, before) == ([], twin.journal.entries)


def test_the_live_version_again_is_looked_at(twin: Twin, file: ReleaseFile) -> None:
    """Who waits for it is told which step that is."""
    steps: list[str] = []
    engine.deploy(twin, file, "1.0.0", Caller("ann", on_step=lambda step: steps.append(step.kind)))
    assert (steps, twin.asked >= 5) == (["verify"], True)


def test_expand_is_refused_where_it_would_break_the_live_build(twin: Twin, file: ReleaseFile, caller: Caller) -> None:
    twin.behaviours["1.0.0"] = Behaviour(schema=Range(1, 2))
    with pytest.raises(Refused, match="expanding to 3 would break it"):
        engine.deploy(twin, file, "1.1.0", caller)
    assert twin.calls == []


def test_the_second_actor_is_told_who_is_first(twin: Twin, file: ReleaseFile, caller: Caller) -> None:
    with (
        twin.lock(Holder("bob@desk", "r1", "deploy", "2026-01-01T00:00:00Z", 42)),
        pytest.raises(Locked, match="bob@desk holds the release lock since 2026-01-01T00:00:00Z"),
    ):
        engine.deploy(twin, file, "1.1.0", caller)
    assert twin.calls == []


def test_a_route_that_cannot_be_read_stops_a_release_and_no_way_back(
    twin: Twin, file: ReleaseFile, caller: Caller
) -> None:
    """What the router serves counts meanwhile; the way back writes the route anew."""
    engine.deploy(twin, file, "1.1.0", caller)
    for verb, live in ((engine.abort, "green"), (engine.rollback, "blue")):
        twin.current = msgspec.structs.replace(twin.current, lost="the file is gone; `up` writes it anew")
        with pytest.raises(NeedsPerson, match=r"^the file is gone; `up` writes it anew; .*green 100 %.*release abort"):
            engine.deploy(twin, file, "1.2.0", caller)
        verb(twin, file, caller)
        assert (twin.current.target, twin.current.lost) == (Target.all_on(live), "")
        assert engine.look(twin).drift == ""


def test_a_route_edited_by_hand_stops_a_release(twin: Twin, file: ReleaseFile, caller: Caller) -> None:
    """It says what was found, what was written last, and the verb that mends it, which does."""
    engine.deploy(twin, file, "1.1.0", caller, Options(to_preview=True))
    twin.edit(Target(Weights(70, 30)))
    with pytest.raises(NeedsPerson, match=r"says blue 70 %, green 30 %, but.*wrote blue 100 %.*release abort"):
        engine.promote(twin, file, caller)
    engine.abort(twin, file, caller)
    assert Weights(100, 0) == twin.current.weights
    assert engine.look(twin).drift == ""


def test_a_route_edited_under_a_run_stops_it(twin: Twin, file: ReleaseFile, caller: Caller) -> None:
    """The run leaves the hand's weights alone and says so."""

    def tick() -> None:
        if twin.current.weights == Weights(50, 50):
            twin.edit(Target(Weights(60, 40)))

    twin.on_tick = tick
    with pytest.raises(NeedsPerson, match=r"the route changed under this run: it says blue 60 %"):
        engine.deploy(twin, file, "1.1.0", caller)
    assert Weights(60, 40) == twin.current.weights


def test_rollback_works_over_a_route_edited_by_hand(twin: Twin, file: ReleaseFile, caller: Caller) -> None:
    """At night the way back is open whatever somebody did before, and it leads to the warm slot."""
    engine.deploy(twin, file, "1.1.0", caller)
    twin.edit(Target(Weights(70, 30)))
    engine.rollback(twin, file, caller)
    assert twin.current.weights == Weights(100, 0)


def test_a_running_slot_without_a_journal_is_adopted(twin: Twin, file: ReleaseFile, caller: Caller) -> None:
    """What serves is live, whoever brought it in."""
    twin.journal.entries.clear()
    engine.deploy(twin, file, "1.1.0", caller)
    assert twin.journal.entries[0].phase == "adopt"
    engine.rollback(twin, file, caller)
    assert Weights(100, 0) == twin.current.weights


def test_the_first_release_of_all_has_nobody_to_be_compared_with(
    empty: Twin, file: ReleaseFile, caller: Caller
) -> None:
    """It is started, smoked and routed."""
    engine.deploy(empty, file, "1.0.0", caller)
    assert empty.calls == ["expand migrate", "deploy 1.0.0 on green", "route blue 0 %, green 100 %"]
    assert Phase.IDLE is engine.look(empty).phase


def test_a_first_release_that_is_bad_is_retired(empty: Twin, file: ReleaseFile, caller: Caller) -> None:
    empty.behaviours["1.0.0"] = Behaviour(broken=("/cart",))
    with pytest.raises(Reverted, match="smoke"):
        engine.deploy(empty, file, "1.0.0", caller)
    assert (empty.slots, engine.look(empty).phase) == ({}, Phase.EMPTY)


@pytest.mark.parametrize(
    ("signum", "ends"), [(signal.SIGINT, Interrupted), (signal.SIGTERM, Terminated), (signal.SIGHUP, Terminated)]
)
def test_a_signal_ends_a_run_between_two_acts(
    twin: Twin, file: ReleaseFile, caller: Caller, signum: int, ends: type[Interrupted]
) -> None:
    """The message says where things stand and how to go on, and going on works."""

    def tick() -> None:
        if twin.current.weights == Weights(50, 50):
            twin.on_tick = lambda: None
            os.kill(os.getpid(), signum)

    twin.on_tick = tick
    with pytest.raises(Interrupted, match=r"50 % on blue \(1\.0\.0\), 50 % on green.*release promote") as stopped:
        engine.deploy(twin, file, "1.1.0", caller)
    assert type(stopped.value) is ends
    assert Weights(50, 50) == twin.current.weights
    engine.promote(twin, file, caller)
    assert Weights(0, 100) == twin.current.weights


def test_events_tell_what_happened_when(twin: Twin, file: ReleaseFile) -> None:
    """The caller can draw them over its own charts."""
    seen: list[Sequence[object]] = []
    caller = Caller("ann", on_event=lambda *event: seen.append(event))
    engine.deploy(twin, file, "1.1.0", caller)
    engine.rollback(twin, file, caller)
    assert [(kind, label) for _, kind, label, _ in seen] == [
        ("deploy", "1.1.0 on green"),
        ("gate", "smoke of green: pass"),
        ("gate", "analysis of green: pass"),
        ("shift", "1.1.0 → 5 %"),
        ("gate", "hold of green: pass"),
        ("shift", "1.1.0 → 50 %"),
        ("gate", "hold of green: pass"),
        ("promote", "1.1.0 → 100 %"),
        ("gate", "bake of green: pass"),
        ("rollback", "1.0.0 → 100 %"),
    ]


def test_the_plan_is_shown_before_anything_changes(twin: Twin, file: ReleaseFile) -> None:
    seen: list[int] = []
    engine.deploy(twin, file, "1.1.0", Caller("ann", on_plan=lambda steps: seen.append(len(twin.calls))))
    assert seen == [0]


def test_status_says_who_is_live_and_what_comes_next(twin: Twin, file: ReleaseFile, caller: Caller) -> None:
    engine.deploy(twin, file, "1.1.0", caller)
    found = status(engine.look(twin), None)
    assert [(line.slot, line.role, line.version, line.weight, line.state) for line in found.slots] == [
        ("green", "active", "1.1.0", 100, "ready"),
        ("blue", "warm", "1.0.0", 0, "drained"),
    ]
    assert found.warm_until
    assert found.last
    assert (found.last.verb, found.last.version, found.last.outcome) == ("deploy", "1.1.0", "done")
    assert "rollback" in found.next


@pytest.mark.parametrize(
    ("back", "phase", "role"), [(False, Phase.BAKING, Role.WARM), (True, Phase.IDLE, Role.REJECTED)]
)
def test_a_run_killed_behind_its_last_write_is_known_by_the_route(
    twin: Twin, file: ReleaseFile, back: bool, phase: Phase, role: Role
) -> None:
    """The journal ends at the intent and the route shows the write: the way back is not lost, nor a refusal."""
    caller = Caller("ann@laptop")
    engine.deploy(twin, file, "1.1.0", caller)
    if back:
        engine.rollback(twin, file, caller)
    entries = twin.journal.entries
    last = max(i for i, e in enumerate(entries) if (e.phase, e.step) == ("intent", "shift"))
    del entries[last + 1 :]
    now = engine.look(twin)
    assert (now.phase, now.role, now.drift) == (phase, role, "")
    if not back:
        engine.rollback(twin, file, caller)
        assert Weights(100, 0) == twin.current.weights


def test_a_slot_grows_with_the_other_one_before_it_gets_users(twin: Twin, file: ReleaseFile, caller: Caller) -> None:
    """An autoscaler may have made the live slot larger since the release was planned."""

    def grows() -> None:
        if "deploy 1.1.0 on green" in twin.calls:
            twin.slots["blue"].replicas = 3

    twin.on_tick = grows
    engine.deploy(twin, file, "1.1.0", caller)
    assert twin.calls.index("scale green to 3") < next(
        i for i, call in enumerate(twin.calls) if call.startswith("route")
    )
    assert twin.slots["green"].replicas == 3
