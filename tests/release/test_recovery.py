"""What others left behind: killed runs, approvals, deadlines, locks, and the way back to a version that is gone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from scripts.release import engine
from scripts.release.doctor import examine
from scripts.release.engine import Caller, Options
from scripts.release.errors import Awaiting, Fenced, Locked, NeedsPerson, Refused, ReleaseError, Reverted
from scripts.release.file import ReleaseFile, override_one
from scripts.release.journal import Entry, Holder
from scripts.release.memory import Role
from scripts.release.route import Target
from scripts.release.slots import Range
from scripts.release.status import status
from scripts.release.twin import Behaviour, Twin

BOB = Caller("bob@desk", "he asked me to")


class Killed(BaseException):
    """The process of the engine is gone: nothing more is written."""


def killed_at(twin: Twin, phase: str, step: str, number: int, verb: Callable[..., Any], *args: Any) -> None:
    """Run a verb whose process dies behind the `number`-th journal line of that phase and step."""
    append, left = twin.journal.append, number

    def write(entry: Entry) -> None:
        nonlocal left
        append(entry)
        left -= (entry.phase, entry.step) == (phase, step)
        if not left:
            twin.journal.append = lambda entry: None  # type: ignore[method-assign]  # a dead process writes nothing
            raise Killed

    twin.journal.append = write  # type: ignore[method-assign]  # the twin's own fault
    with pytest.raises(Killed):
        verb(*args)
    del twin.journal.append


@pytest.fixture
def asks(file: ReleaseFile) -> ReleaseFile:
    """A release.yaml with an approval point before half the users."""
    settings = override_one(file.settings, "approvals={before: [50], limit: 1h}")
    return msgspec.structs.replace(file, settings=settings)


@pytest.mark.parametrize("step", ["expand", "deploy", "smoke", "analysis", "shift", "hold", "drain", "bake", "warm"])
@pytest.mark.parametrize("phase", ["intent", "done"])
def test_a_killed_release_goes_on_where_it_stopped(
    twin: Twin, file: ReleaseFile, caller: Caller, phase: str, step: str
) -> None:
    """Nothing that was seen done is done again, and the end is as if nobody had been killed."""
    if phase == "intent" and step in ("smoke", "analysis", "hold", "bake"):
        step = "shift"
    killed_at(twin, phase, step, 1, engine.deploy, twin, file, "1.1.0", caller)
    before = [entry.step for entry in twin.journal.entries if entry.phase == "done"]
    done = engine.resume(twin, file, BOB)
    assert done.words == "1.1.0 on green has all users; 1.0.0 on blue is warm"
    after = [entry for entry in twin.journal.entries if entry.actor == "bob@desk"]
    assert after[0].words.startswith("goes on with run ")
    assert before[-1] not in [entry.step for entry in after if entry.phase == "done"][:1]
    with pytest.raises(Refused, match="every run was carried to its end"):
        engine.resume(twin, file, BOB)
    assert engine.rollback(twin, file, BOB).words == "1.0.0 on blue has all users; 1.1.0 on green is rejected"


def test_a_refused_release_whose_run_was_killed_before_the_way_back_is_taken_back(
    twin: Twin, file: ReleaseFile, caller: Caller
) -> None:
    """Its gate is not asked again."""
    twin.behaviours["1.1.0"] = Behaviour(broken=("/cart",))
    killed_at(twin, "failed", "smoke", 1, engine.deploy, twin, file, "1.1.0", caller)
    twin.behaviours.clear()
    assert engine.resume(twin, file, BOB).words == "1.0.0 on blue has all users"
    assert "green" not in twin.slots


def test_a_way_back_that_was_killed_is_gone_to_its_end(twin: Twin, file: ReleaseFile, caller: Caller) -> None:
    engine.deploy(twin, file, "1.1.0", caller)
    killed_at(twin, "intent", "shift", 1, engine.rollback, twin, file, caller)
    assert engine.resume(twin, file, BOB).words == "1.0.0 on blue has all users; 1.1.0 on green is rejected"
    assert twin.slots["green"].draining


def test_a_run_is_not_gone_on_with_under_another_file(twin: Twin, file: ReleaseFile, caller: Caller) -> None:
    killed_at(twin, "done", "shift", 1, engine.deploy, twin, file, "1.1.0", caller)
    with pytest.raises(Refused, match=r"digest .*release promote.*release abort"):
        engine.resume(twin, msgspec.structs.replace(file, digest="other"), BOB)
    engine.promote(twin, msgspec.structs.replace(file, digest="other"), BOB)


def test_a_release_killed_before_it_was_there_can_be_given_up(twin: Twin, file: ReleaseFile, caller: Caller) -> None:
    killed_at(twin, "done", "expand", 1, engine.deploy, twin, file, "1.1.0", caller)
    assert engine.abort(twin, file, BOB).words == "1.0.0 on blue has all users"
    with pytest.raises(Refused, match="every run was carried to its end"):
        engine.resume(twin, file, BOB)


def test_a_release_given_up_before_it_took_the_warm_slot_leaves_it_warm(
    twin: Twin, file: ReleaseFile, caller: Caller
) -> None:
    """The way back is open as before, and ends when it would have."""
    engine.deploy(twin, file, "1.1.0", caller)
    killed_at(twin, "intent", "deploy", 1, engine.deploy, twin, file, "1.2.0", caller)
    assert engine.abort(twin, file, BOB).words == "1.1.0 on green has all users; 1.0.0 on blue is warm"
    twin.clock += 3600
    assert "1.0.0 on blue is stopped" in engine.reap(twin, file, BOB).words


def test_a_stranger_beside_the_first_release_is_no_preview(empty: Twin, file: ReleaseFile, caller: Caller) -> None:
    """It was started by hand, so the next release may take its slot."""
    engine.deploy(empty, file, "1.0.0", caller)
    slot = engine.look(empty).beside.name
    empty.deploy(slot, file.release("0.9.0", {}), 1, empty.fence)
    assert engine.look(empty).role is None
    engine.deploy(empty, file, "1.1.0", caller)


def test_users_are_not_sent_to_a_slot_that_died_while_nobody_looked(
    twin: Twin, file: ReleaseFile, caller: Caller
) -> None:
    """The run was killed between two shifts, and the new slot died before it was gone on with."""
    killed_at(twin, "done", "analysis", 1, engine.deploy, twin, file, "1.1.0", caller)
    twin.behaviours["1.1.0"] = Behaviour(crashes=True)
    twin.calls.clear()
    with pytest.raises(Reverted, match="green is not running any more"):
        engine.resume(twin, file, BOB)
    assert [call for call in twin.calls if call.startswith("route")] == []


def test_a_release_waits_for_a_person_at_its_approval_point(twin: Twin, asks: ReleaseFile, caller: Caller) -> None:
    """It says who is asked and until when, keeps its users meanwhile, and goes on once for one approval."""
    with pytest.raises(Awaiting, match=r"release approve"):
        engine.deploy(twin, asks, "1.1.0", caller)
    assert twin.current.weights.green == 5
    waiting = engine.look(twin).memory.waiting
    assert waiting
    assert (waiting.name, waiting.version) == ("50 %", "1.1.0")
    assert engine.approve(twin, asks, BOB).words == "1.1.0 on green has all users; 1.0.0 on blue is warm"
    approval = next(entry for entry in twin.journal.entries if entry.phase == "approve")
    assert (approval.actor, approval.words, approval.name) == ("bob@desk", "he asked me to", "50 %")
    with pytest.raises(Refused, match="nothing waits for an approval"):
        engine.approve(twin, asks, BOB)


def test_asking_again_gives_no_more_time(twin: Twin, asks: ReleaseFile, caller: Caller) -> None:
    with pytest.raises(Awaiting):
        engine.deploy(twin, asks, "1.1.0", caller)
    first = engine.look(twin).memory.waiting
    twin.clock += 60
    with pytest.raises(Awaiting):
        engine.promote(twin, asks, caller)
    assert first == engine.look(twin).memory.waiting


@pytest.mark.parametrize("verb", [engine.reap, engine.approve, engine.promote])
def test_what_nobody_approved_in_time_is_taken_back_by_the_next_command(
    twin: Twin, asks: ReleaseFile, caller: Caller, verb: Callable[..., engine.Done]
) -> None:
    with pytest.raises(Awaiting):
        engine.deploy(twin, asks, "1.1.0", caller)
    twin.clock += 3601
    if verb is engine.reap:
        assert "nobody approved 1.1.0 for 50 % in time" in verb(twin, asks, BOB).words
    else:
        with pytest.raises(Refused):
            verb(twin, asks, BOB)
    assert (twin.current.target, set(twin.slots)) == (Target.all_on("blue"), {"blue"})


def test_an_approval_that_is_overdue_over_a_dead_slot_is_said_and_closes_no_way(
    twin: Twin, asks: ReleaseFile, caller: Caller
) -> None:
    """There is no slot to take the release back to: the verb that everything names must not fail on that too."""
    with pytest.raises(Awaiting):
        engine.deploy(twin, asks, "1.1.0", caller)
    twin.clock += 3601
    twin.behaviours["1.0.0"] = Behaviour(crashes=True)
    leads_on = "`primetrade release shift --to 100` or `primetrade release rollback` gives all users to green"
    found = status(engine.look(twin), None)
    assert leads_on in found.next
    assert leads_on in found.deadlines[-1].overdue
    (drift,) = [each for each in examine(twin, asks) if each.where == "deadline"]
    assert drift.what == "nobody approved 1.1.0 for 50 % in time, and it cannot be taken back"
    assert leads_on in drift.mend
    assert engine.reap(twin, asks, BOB).words.startswith("nothing to do: ")
    engine.shift(twin, asks, 100, BOB)
    assert twin.current.target == Target.all_on("green")


def test_a_warm_slot_is_stopped_when_its_time_is_over(twin: Twin, file: ReleaseFile, caller: Caller) -> None:
    engine.deploy(twin, file, "1.1.0", caller)
    twin.clock += 29 * 60
    assert engine.reap(twin, file, BOB).words.startswith("nothing to do: ")
    twin.clock += 61
    assert "1.0.0 on blue is stopped" in engine.reap(twin, file, BOB).words
    assert set(twin.slots) == {"green"}


def test_a_rollback_still_finds_the_warm_slot_whose_time_is_over(twin: Twin, file: ReleaseFile, caller: Caller) -> None:
    engine.deploy(twin, file, "1.1.0", caller)
    twin.clock += 3600
    engine.rollback(twin, file, BOB)
    assert Role.REJECTED is engine.look(twin).role
    twin.clock += 3600
    assert "1.1.0 on green is stopped" in engine.reap(twin, file, BOB).words


def test_a_rollback_to_a_version_that_is_gone_says_that_it_is_cold_and_how_long_it_takes(
    twin: Twin, file: ReleaseFile, caller: Caller
) -> None:
    """The version is started again as it was, configuration and all, before any user is moved."""
    twin.behaviours["1.1.0"] = Behaviour(ready_s=7)
    engine.deploy(twin, file, "1.1.0", caller, Options(env={"LOG": "1"}))
    engine.deploy(twin, file, "1.2.0", caller)
    twin.clock += 3600
    engine.reap(twin, file, BOB)
    said: list[str] = []
    twin.calls.clear()
    cold = msgspec.structs.replace(BOB, on_event=lambda at, kind, label, detail: said.append(f"{label}: {detail}"))
    assert engine.rollback(twin, file, cold).words == "1.1.0 on green has all users; 1.2.0 on blue is rejected"
    assert "cold rollback: 1.1.0 is not up any more: it is started again on green first, about 9 s" in said[0]
    assert twin.calls == ["deploy 1.1.0 on green", "route blue 0 %, green 100 %", "drain blue"]
    assert twin.slots["green"].release.env == {"LOG": "1"}


def test_asking_for_a_rollback_twice_does_not_go_back_twice(twin: Twin, file: ReleaseFile, caller: Caller) -> None:
    """Two people at three in the morning mean the same rollback, even where an earlier version is known."""
    engine.deploy(twin, file, "1.1.0", caller)
    engine.deploy(twin, file, "1.2.0", caller)
    engine.rollback(twin, file, BOB)
    with pytest.raises(NeedsPerson, match=r"the last rollback has been done: 1\.1\.0 on green has all users"):
        engine.rollback(twin, file, BOB)
    assert twin.current.target == Target.all_on("green")


def test_a_version_that_was_taken_back_is_never_gone_back_to(twin: Twin, file: ReleaseFile, caller: Caller) -> None:
    """1.1.0 was live and taken back; from 1.2.0 the way leads to what was good before it."""
    engine.deploy(twin, file, "1.1.0", caller)
    engine.rollback(twin, file, BOB)
    engine.deploy(twin, file, "1.2.0", caller)
    twin.clock += 3600
    engine.reap(twin, file, BOB)
    assert engine.rollback(twin, file, BOB).words.startswith("1.0.0 on blue has all users")
    memory = engine.look(twin).memory
    assert memory.lives[-1] == twin.slots["blue"].release.digest
    assert {release.version for release in memory.known.values()} == {"1.0.0", "1.1.0", "1.2.0"}
    assert all(digest == release.digest for digest, release in memory.known.items())


def test_no_rollback_passes_a_contract(twin: Twin, file: ReleaseFile, caller: Caller) -> None:
    """The database has left the shape that the earlier version needs."""
    twin.behaviours |= {"1.0.0": Behaviour(schema=Range(1, 3)), "1.1.0": Behaviour(schema=Range(3, 4))}
    twin.retire("green", twin.fence)
    engine.deploy(twin, file, "1.1.0", caller)
    engine.deploy(twin, file, "1.2.0", caller)
    twin.journal.append(Entry(twin.clock, "", "c", twin.fence, "contract", "ann", "done", step="contract", level=5))
    twin.clock += 3600
    engine.reap(twin, file, BOB)
    with pytest.raises(NeedsPerson, match=r"1\.1\.0 works with schema levels 3 to 4, but the database is at 5"):
        engine.rollback(twin, file, BOB)


def test_a_lock_is_taken_away_only_by_force_and_with_a_reason(twin: Twin) -> None:
    with pytest.raises(Refused, match="nothing to unlock"):
        engine.unlock(twin, BOB, force=True)
    twin.held = Holder("ann@laptop", "r1", "deploy", "2026-01-01T00:00:00.000Z", 42, fence=2)
    for caller, force in ((BOB, False), (Caller("bob"), True)):
        with pytest.raises(Refused, match=r"ann@laptop holds it since .*process 42.*--force --reason"):
            engine.unlock(twin, caller, force=force)
    assert engine.unlock(twin, BOB, force=True).startswith("the lock was taken from run r1 (deploy by ann@laptop)")
    assert twin.held is None


@pytest.mark.parametrize(
    ("ends", "says"),
    [(Locked, "cid@desk holds the release lock since"), (ReleaseError, "the disk is full")],
    ids=["another run was faster", "nothing can be written"],
)
def test_a_lock_that_was_taken_away_and_not_written_down_is_said(
    twin: Twin, monkeypatch: pytest.MonkeyPatch, ends: type[ReleaseError], says: str
) -> None:
    """Whoever asked must know that the first run is out, whatever comes between."""
    twin.held = Holder("ann@laptop", "r1", "deploy", "2026-01-01T00:00:00.000Z", 42, fence=2)
    take_away = twin.unlock

    def faster() -> None:
        take_away()
        if ends is Locked:
            twin.held = Holder("cid@desk", "r2", "rollback", "2026-01-01T00:00:00.000Z", 43, fence=4)

    def full(entry: Entry) -> None:
        raise ReleaseError("the disk is full")

    monkeypatch.setattr(twin, "unlock", faster)
    monkeypatch.setattr(twin.journal, "append", full)
    with pytest.raises(ends, match=rf"^the lock was taken from run r1 .*not in the journal: {says}") as caught:
        engine.unlock(twin, BOB, force=True)
    assert type(caught.value) is ends


def test_a_lock_is_taken_away_also_where_nothing_can_be_seen(twin: Twin) -> None:
    twin.held = Holder("ann@laptop", "r1", "deploy", "2026-01-01T00:00:00.000Z", 42, fence=2)
    twin.observe_error = "the edge is down"
    assert engine.unlock(twin, BOB, force=True).endswith("Where things stand cannot be seen: the edge is down")


def test_a_run_that_wakes_without_its_lock_changes_nothing(twin: Twin, file: ReleaseFile, caller: Caller) -> None:
    """Frozen in its first hold, it lost the lock: it neither writes the route nor the journal any more."""

    def freeze() -> None:
        if twin.current.weights.green == 5 and twin.held and twin.held.actor == caller.actor:
            twin.on_tick = lambda: None
            engine.unlock(twin, BOB, force=True)
            engine.abort(twin, file, BOB)
            twin.calls.clear()

    twin.on_tick = freeze
    with pytest.raises((Fenced, NeedsPerson), match=r"lost its lock|changed under this run"):
        engine.deploy(twin, file, "1.1.0", caller)
    assert twin.calls == []
    assert twin.journal.entries[-1].actor == "bob@desk"
    assert twin.current.target == Target.all_on("blue")
