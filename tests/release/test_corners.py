"""States that are rarely seen, each reached by the way that leads there: none is a trap, and nothing lies about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest

from scripts.release import engine
from scripts.release.engine import Caller, Options
from scripts.release.errors import Awaiting, Fenced, NeedsPerson, Refused, ReleaseError, Reverted, Undecided, Unheard
from scripts.release.file import ReleaseFile, override_one
from scripts.release.journal import Entry
from scripts.release.memory import Role
from scripts.release.route import Target, Weights
from scripts.release.situation import Phase
from scripts.release.slots import Range, Slot
from scripts.release.status import next_command
from scripts.release.step import Kind, Step
from scripts.release.steps import CHECKS
from scripts.release.twin import Behaviour, Twin
from slo.sequential import Wealth
from tests.release.runs import run_of

BOB = Caller("bob@desk", "he asked me to")


class Killed(BaseException):
    """The process of the engine is gone: nothing more is written."""


def killed_behind_the_write(twin: Twin, target: Target, verb: Callable[..., Any], *args: Any) -> None:
    """Run a verb whose process dies right behind its write of this target."""
    edit = twin.edit

    def write(wanted: Target, run: str = "", fence: int = 0) -> None:
        edit(wanted, run, fence)
        if wanted == target:
            twin.journal.append = lambda entry: None  # type: ignore[method-assign]  # a dead process writes nothing
            raise Killed

    twin.edit = write  # type: ignore[method-assign]  # the twin's own fault
    with pytest.raises(Killed):
        verb(*args)
    del twin.edit
    del twin.journal.append


def killed_behind(twin: Twin, phase: str, step: str, verb: Callable[..., Any], *args: Any) -> None:
    """Run a verb whose process dies behind its first journal line of that phase and step."""
    append = twin.journal.append

    def write(entry: Entry) -> None:
        append(entry)
        if (entry.phase, entry.step) == (phase, step):
            twin.journal.append = lambda entry: None  # type: ignore[method-assign]  # as above
            raise Killed

    twin.journal.append = write  # type: ignore[method-assign]  # as above
    with pytest.raises(Killed):
        verb(*args)
    del twin.journal.append


def changed(file: ReleaseFile, *overrides: str) -> ReleaseFile:
    for override in overrides:
        file = msgspec.structs.replace(file, settings=override_one(file.settings, override))
    return file


def bad_when_live(twin: Twin, slot: str, version: str) -> Callable[[], None]:
    """Two seconds after it has all users."""
    since: list[float] = []

    def tick() -> None:
        if twin.current.weights.sole == slot:
            since.append(twin.clock)
            if twin.clock > since[0] + 2:
                twin.behaviours[version] = Behaviour(failed=0.3)

    return tick


def test_a_release_that_turns_bad_after_a_rollback_killed_behind_its_write_is_brought_back(
    twin: Twin, file: ReleaseFile, caller: Caller
) -> None:
    """The killed rollback could not say that it moved the users; the next run knows it by the route."""
    engine.deploy(twin, file, "1.1.0", caller)
    killed_behind_the_write(twin, Target.all_on("blue"), engine.rollback, twin, file, caller)
    twin.on_tick = bad_when_live(twin, "green", "1.2.0")
    with pytest.raises(Reverted, match=r"its users were brought back: 1\.0\.0 on blue has all users"):
        engine.deploy(twin, file, "1.2.0", caller)
    assert twin.current.target == Target.all_on("blue")
    assert {"blue", "green"} == set(twin.slots)


def test_a_release_killed_in_its_last_shift_is_promoted_to_its_end(
    twin: Twin, file: ReleaseFile, caller: Caller
) -> None:
    killed_behind_the_write(twin, Target.all_on("green"), engine.deploy, twin, file, "1.1.0", caller)
    engine.promote(twin, file, BOB)
    assert Phase.IDLE is engine.look(twin).phase
    engine.deploy(twin, file, "1.2.0", caller)


def test_an_approval_is_seen_after_a_rollback_that_was_killed_behind_its_write(
    twin: Twin, file: ReleaseFile, caller: Caller
) -> None:
    asks = changed(file, "approvals={before: [50], limit: 1h}")
    engine.deploy(twin, file, "1.1.0", caller)
    killed_behind_the_write(twin, Target.all_on("blue"), engine.rollback, twin, file, caller)
    with pytest.raises(Awaiting):
        engine.deploy(twin, asks, "1.2.0", caller)
    engine.approve(twin, asks, BOB)


def test_a_rollback_hours_after_a_refused_release_takes_the_live_one_back(
    twin: Twin, file: ReleaseFile, caller: Caller
) -> None:
    """The refusal in between was a way back too, and is not the rollback that is asked for."""
    engine.deploy(twin, file, "1.1.0", caller)
    twin.on_tick = lambda: twin.behaviours.update({"1.2.0": Behaviour(failed=0.3)} if twin.current.weights.blue else {})
    with pytest.raises(Reverted):
        engine.deploy(twin, file, "1.2.0", caller)
    twin.on_tick = lambda: None
    assert engine.rollback(twin, file, BOB).words.startswith("1.0.0 on blue has all users")


def test_a_release_gets_its_users_at_full_size_whatever_ran_in_its_slot(
    empty: Twin, file: ReleaseFile, caller: Caller
) -> None:
    """The third release takes the place of a warm slot of full size, and starts small itself."""
    small = changed(file, "preview={capacity: 50}", "artefact.replicas=4")
    for version in ("1.0.0", "1.1.0", "1.2.0", "1.3.0"):
        engine.deploy(empty, small, version, caller)
        assert engine.look(empty).active.capacity == 4


@pytest.mark.parametrize("verb", [engine.resume, engine.abort, engine.promote])
def test_the_first_release_killed_before_its_switch_is_no_edit_by_hand(
    empty: Twin, file: ReleaseFile, caller: Caller, verb: Callable[..., engine.Done]
) -> None:
    killed_behind(empty, "intent", "shift", engine.deploy, empty, file, "1.0.0", caller)
    assert engine.look(empty).drift == ""
    try:
        verb(empty, file, BOB)
    except (Refused, Undecided):
        engine.deploy(empty, file, "1.0.0", caller)
    assert engine.look(empty).drift == ""


def test_a_slot_that_lost_a_replica_does_not_keep_users_on_a_bad_release(
    twin: Twin, file: ReleaseFile, caller: Caller
) -> None:
    """It has users, is not ready in full, and is better than a slot that fails three of ten."""

    def tick() -> None:
        if twin.current.weights.green:
            twin.behaviours |= {"1.0.0": Behaviour(lost=1), "1.1.0": Behaviour(failed=0.3)}

    wide = changed(file, "artefact.replicas=2")
    twin.slots["blue"].replicas = 2
    twin.on_tick = tick
    with pytest.raises(Reverted, match="its users were brought back"):
        engine.deploy(twin, wide, "1.1.0", caller)
    assert twin.current.target == Target.all_on("blue")


@pytest.mark.parametrize(
    ("hurt", "said"),
    [
        (Behaviour(lost=1), "1 of 2 replicas of blue are ready after"),  # and no new one comes in its place
        (Behaviour(deaf=True), "not all of blue takes requests again"),
        (Behaviour(lost=1, deaf=True, mute=True), "1 of 2 replicas of blue are ready after"),
    ],
    ids=["a dead node", "one that hangs", "both"],
)
def test_one_warm_replica_that_is_gone_does_not_close_the_way_back(
    twin: Twin, file: ReleaseFile, hurt: Behaviour, said: str
) -> None:
    """Users leave the bad release for what is left of the good one, and hear how many are missing."""
    wide = changed(file, "artefact.replicas=2", "timeouts.ready=20s")
    twin.slots["blue"].replicas = 2
    engine.deploy(twin, wide, "1.1.0", Caller("ann@laptop"))
    twin.behaviours["1.0.0"] = hurt
    begun, told = twin.clock, list[str]()
    engine.rollback(twin, wide, Caller("bob@desk", on_event=lambda at, kind, label, detail: told.append(label)))
    assert twin.current.target == Target.all_on("blue")
    assert [words for words in told if words.startswith(said)]
    assert twin.clock - begun < 30


def test_the_way_forward_needs_every_replica(twin: Twin, file: ReleaseFile, caller: Caller) -> None:
    """Nothing is worse there than the release that lost one."""
    twin.behaviours["1.1.0"] = Behaviour(lost=1)
    with pytest.raises(Reverted, match="did not get ready"):
        engine.deploy(twin, changed(file, "artefact.replicas=2"), "1.1.0", caller)
    assert twin.current.target == Target.all_on("blue")


def test_a_warm_slot_none_of_whose_replicas_is_ready_gets_nobody(twin: Twin, file: ReleaseFile) -> None:
    """It runs, and would answer nobody."""
    engine.deploy(twin, file, "1.1.0", Caller("ann@laptop"))
    twin.behaviours["1.0.0"] = Behaviour(ready_s=float("inf"))
    with pytest.raises(NeedsPerson, match="blue did not get ready"):
        engine.rollback(twin, file, BOB)
    assert twin.current.target == Target.all_on("green")


def test_a_warm_slot_that_was_scaled_down_grows_before_it_gets_all_users(
    twin: Twin, file: ReleaseFile, caller: Caller
) -> None:
    wide = changed(file, "artefact.replicas=4")
    engine.deploy(twin, wide, "1.1.0", caller)
    assert (twin.slots["blue"].replicas, twin.slots["green"].replicas) == (1, 4)
    engine.rollback(twin, wide, BOB)
    assert twin.slots["blue"].replicas == 4


def test_an_edit_by_hand_that_moves_nobody_is_put_right_where_the_users_are(
    twin: Twin, file: ReleaseFile, caller: Caller
) -> None:
    """`abort` is what status names: it leaves the live version live and the warm one warm."""
    engine.deploy(twin, file, "1.1.0", caller)
    twin.edit(msgspec.structs.replace(Target.all_on("green"), mirror="blue"))
    assert "`primetrade release abort`" in next_command(engine.look(twin))
    engine.abort(twin, file, BOB)
    assert twin.current.target == Target.all_on("green")
    assert Role.WARM is engine.look(twin).role


def test_a_rollback_done_by_hand_is_accepted_by_rollback(twin: Twin, file: ReleaseFile, caller: Caller) -> None:
    """Somebody moved all users to the warm slot; the verb takes it over and rejects the version they left."""
    engine.deploy(twin, file, "1.1.0", caller)
    twin.edit(Target.all_on("blue"))
    assert engine.rollback(twin, file, BOB).words == "1.0.0 on blue has all users; 1.1.0 on green is rejected"


def test_what_ran_where_is_known_of_a_deploy_that_was_killed_before_it_could_say_so(
    twin: Twin, file: ReleaseFile, caller: Caller
) -> None:
    """A later cold rollback goes to the version that was live, not to the one before it."""
    killed_behind(twin, "intent", "deploy", engine.deploy, twin, file, "2.0.0", caller)
    twin.deploy("green", file.release("2.0.0", {}), 1, twin.fence)
    engine.promote(twin, file, BOB)
    engine.deploy(twin, file, "3.0.0", caller)
    twin.clock += 3600
    engine.reap(twin, file, BOB)
    assert engine.rollback(twin, file, BOB).words.startswith("2.0.0 on green has all users")


def test_a_shift_by_hand_answers_the_approval_that_was_waited_for(
    twin: Twin, file: ReleaseFile, caller: Caller
) -> None:
    asks = changed(file, "approvals={before: [50], limit: 1h}")
    with pytest.raises(Awaiting):
        engine.deploy(twin, asks, "1.1.0", caller)
    engine.shift(twin, asks, 60, BOB)
    assert engine.look(twin).memory.waiting is None
    twin.clock += 7200
    assert engine.reap(twin, asks, BOB).words.startswith("nothing to do")


def test_no_approval_point_is_passed_by_leaving_its_stage_out(twin: Twin, file: ReleaseFile, caller: Caller) -> None:
    asks = changed(file, "approvals={before: [5], limit: 1h}")
    with pytest.raises(Awaiting):
        engine.deploy(twin, asks, "1.1.0", caller, Options(all_at_once=True))
    assert twin.current.target == Target.all_on("blue")


def test_an_approval_is_recorded_although_few_users_come(twin: Twin, file: ReleaseFile, caller: Caller) -> None:
    asks = changed(file, "approvals={before: [50], limit: 1h}")
    with pytest.raises(Awaiting):
        engine.deploy(twin, asks, "1.1.0", caller)
    twin.rate = 1
    with pytest.raises(ReleaseError):
        engine.approve(twin, asks, BOB)
    assert "approve" in [entry.phase for entry in twin.journal.entries]
    assert engine.look(twin).memory.waiting is None


def test_a_first_release_that_is_refused_with_all_users_on_it_asks_a_person(
    empty: Twin, file: ReleaseFile, caller: Caller
) -> None:
    """It is live, and nobody says that no user reached it."""
    empty.on_tick = lambda: (
        empty.behaviours.update({"1.0.0": Behaviour(broken=("/health",))}) if empty.current.run else None
    )
    empty.edit(Target.all_on("green"))
    with pytest.raises(NeedsPerson, match="it has all users and green does not run"):
        engine.deploy(empty, file, "1.0.0", caller)
    assert empty.journal.entries[-1].outcome == "needs a person"


def test_a_cold_rollback_asks_for_the_level_the_database_has_not_for_the_one_the_file_wants(
    twin: Twin, file: ReleaseFile, caller: Caller
) -> None:
    twin.behaviours["1.1.0"] = Behaviour(schema=Range(1, 3))
    engine.deploy(twin, file, "1.1.0", caller)
    engine.deploy(twin, file, "1.2.0", caller)
    twin.clock += 3600
    engine.reap(twin, file, BOB)
    ahead = changed(file, "schema.max=4")
    assert engine.rollback(twin, ahead, BOB).words.startswith("1.1.0 on green has all users")


def test_a_rollback_in_preview_does_not_take_the_good_version_back(
    twin: Twin, file: ReleaseFile, caller: Caller
) -> None:
    engine.deploy(twin, file, "1.1.0", caller)
    engine.deploy(twin, file, "1.2.0", caller, Options(to_preview=True))
    twin.calls.clear()
    with pytest.raises(Refused, match=r"no user is on 1\.2\.0.*release abort"):
        engine.rollback(twin, file, BOB)
    assert twin.calls == []


def test_a_deploy_given_up_stops_no_slot_that_it_never_touched(twin: Twin, file: ReleaseFile, caller: Caller) -> None:
    """The journal was lost, so nobody knows what the old slot is; it is not the release given up."""
    engine.deploy(twin, file, "1.1.0", caller)
    twin.journal.entries.clear()
    killed_behind(twin, "done", "expand", engine.deploy, twin, file, "1.2.0", caller)
    engine.abort(twin, file, BOB)
    assert "blue" in twin.slots


def test_a_reap_that_was_killed_is_done_by_the_next_one(twin: Twin, file: ReleaseFile, caller: Caller) -> None:
    engine.deploy(twin, file, "1.1.0", caller)
    twin.clock += 3600
    killed_behind(twin, "intent", "retire", engine.reap, twin, file, caller)
    engine.reap(twin, file, BOB)
    assert set(twin.slots) == {"green"}


def test_evidence_beyond_all_numbers_is_still_a_number() -> None:
    """A second in which thousands fail does not lose the bet that they do."""
    wealth = Wealth.start({2.0: 0.5, 50.0: 0.5})
    for gain in (-2000.0, 5000.0, 3.0):
        wealth = wealth.add(np.array([gain, gain]))
        assert not np.isnan(wealth.total)
    assert wealth.reached(0.01)


def test_where_no_way_leads_back_the_words_name_one_that_leads_on(
    twin: Twin, file: ReleaseFile, caller: Caller
) -> None:
    """With users on both slots and the old one dead, the rest can only follow the new one."""
    killed_behind(twin, "done", "verify", engine.deploy, twin, file, "1.1.0", caller)
    twin.behaviours["1.0.0"] = Behaviour(crashes=True)
    with pytest.raises(NeedsPerson, match="release shift --to 100"):
        engine.abort(twin, file, BOB)
    engine.shift(twin, file, 100, BOB)
    assert twin.current.weights == Weights(0, 100)


def released_and_halved(twin: Twin, file: ReleaseFile, caller: Caller) -> None:
    """1.1.0 has the users, 1.0.0 is warm, and each has one of two replicas left."""
    engine.deploy(twin, file, "1.1.0", caller)
    for slot in twin.slots.values():
        slot.replicas = 2
        twin.behaviours[slot.release.version] = Behaviour(lost=1)


def test_a_warm_slot_that_lost_a_replica_gets_it_back_before_it_gets_the_users_of_one_that_lost_one_too(
    twin: Twin, file: ReleaseFile, caller: Caller
) -> None:
    """Both have one left, and the warm one would never be ready in full by itself: scaling starts what is down."""
    released_and_halved(twin, file, caller)
    twin.on_tick = lambda: twin.behaviours.update({"1.0.0": Behaviour()} if "scale blue to 2" in twin.calls else {})
    engine.rollback(twin, file, BOB)
    assert twin.current.target == Target.all_on("blue")
    assert "scale blue to 2" in twin.calls


def test_the_way_back_waits_for_no_start_where_as_many_are_ready_as_the_bad_slot_has(
    twin: Twin, file: ReleaseFile, caller: Caller
) -> None:
    """What was lost may never come again; nobody is better off meanwhile."""
    released_and_halved(twin, file, caller)
    begun = twin.clock
    engine.rollback(twin, file, BOB)
    assert twin.current.target == Target.all_on("blue")
    assert twin.clock - begun < file.settings.timeouts.verify


def raising(error: Exception) -> Callable[..., None]:
    def act(*arguments: object, **named: object) -> None:
        raise error

    return act


def test_a_way_back_that_cannot_start_what_was_lost_goes_on_with_what_is_there(
    twin: Twin, file: ReleaseFile, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old artefact is gone from the disk; what runs of it is better than the bad release."""
    released_and_halved(twin, file, caller)
    monkeypatch.setattr(twin, "scale", raising(ReleaseError("no such program")))
    engine.rollback(twin, file, BOB)
    assert twin.current.target == Target.all_on("blue")


@pytest.mark.parametrize(
    ("error", "kind"), [(Unheard("no replica heard it: 401"), NeedsPerson), (Fenced("run 2 lost its lock"), Fenced)]
)
def test_a_warm_slot_that_takes_no_order_at_all_is_said_at_once_with_the_reason(
    twin: Twin, file: ReleaseFile, caller: Caller, error: ReleaseError, kind: type[ReleaseError]
) -> None:
    engine.deploy(twin, file, "1.1.0", caller)
    begun = twin.clock
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(twin, "drain", raising(error))
        with pytest.raises(kind, match=str(error)):
            engine.rollback(twin, file, BOB)
    assert twin.clock - begun < 1
    assert twin.current.target == Target.all_on("green")


def test_a_replica_that_hangs_is_waited_for_no_longer_than_any_start(twin: Twin, file: ReleaseFile) -> None:
    """Where probes may take longer than starts: there the rest would never do."""
    run = run_of(twin, changed(file, "timeouts.verify=3m", "timeouts.ready=20s"))
    run.verb, begun, seen = "rollback", twin.clock, twin.observe()
    half = Slot("green", running=True, serving=1, wanted=2, capacity=2)
    blue = msgspec.structs.replace(seen.slots["blue"], serving=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(twin, "observe", lambda: msgspec.structs.replace(seen, slots={"blue": blue, "green": half}))
        words = CHECKS[Kind.UNDRAIN](run, Step(Kind.UNDRAIN, "green", "green takes requests again"))
    assert words.startswith("1 of 2 replicas of green are ready after 20")
    assert twin.clock - begun < 21
