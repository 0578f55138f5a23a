"""Where a release stands: as data, and as the lines that people read."""

from __future__ import annotations

import msgspec

from scripts.commands.release.text import status_line, status_lines
from scripts.release import engine
from scripts.release.doctor import examine
from scripts.release.engine import Caller, Options
from scripts.release.file import ReleaseFile
from scripts.release.journal import Holder
from scripts.release.memory import Open, Waiting
from scripts.release.route import Audience, Target, Weights
from scripts.release.situation import Situation
from scripts.release.slots import Range
from scripts.release.status import Status, status
from scripts.release.step import Kind, Step
from scripts.release.twin import Behaviour, Twin
from tests.release.killing import killed_behind

HOLDER = Holder("bob@desk", "r9", "deploy", "2027-01-15T08:00:00.000Z", 7)


def seen(twin: Twin) -> Status:
    entries = twin.journal.read()
    return status(engine.look(twin), twin.holder(), entries[-1] if entries else None)


def text(twin: Twin) -> str:
    return "\n".join(status_lines(seen(twin), twin.now()))


def remembering(now: Situation, **changes: object) -> Situation:
    return msgspec.structs.replace(now, memory=msgspec.structs.replace(now.memory, **changes))


def test_a_slot_is_shown_with_role_share_state_replicas_and_schema(
    twin: Twin, file: ReleaseFile, caller: Caller
) -> None:
    twin.behaviours["1.1.0"] = Behaviour(schema=Range(2, 3))
    engine.deploy(twin, file, "1.1.0", caller, Options(to_preview=True))
    engine.shift(twin, file, 25, caller)
    blue, green = seen(twin).slots
    assert (blue.slot, blue.role, blue.weight, blue.state) == ("blue", "active", 75, "ready")
    assert (green.role, green.weight, green.version, green.replicas) == ("preview", 25, "1.1.0", 1)
    assert green.schema == Range(2, 3)
    assert "green  preview    25 %  1.1.0        ready      1 replica  schema 2 to 3" in text(twin).splitlines()


def test_a_stage_beside_the_shares_is_named(twin: Twin, file: ReleaseFile, caller: Caller) -> None:
    engine.deploy(twin, file, "1.1.0", caller, Options(to_preview=True))
    assert seen(twin).stage == ""
    twin.edit(Target(Weights(100, 0), mirror="green"))
    assert seen(twin).stage == "shadow"
    twin.edit(Target(Weights(95, 5), first="green", audience=Audience({"x-team": "us"})))
    assert seen(twin).stage == "audience"
    assert "stage  audience" in text(twin)


def test_the_run_at_work_is_shown_with_its_step(twin: Twin, file: ReleaseFile) -> None:
    """While it holds, status says which step that is, of how many, and offers nothing to do."""
    found: list[Status] = []

    def tick() -> None:
        if twin.current.weights == Weights(50, 50):
            found.append(seen(twin))

    twin.on_tick = tick
    engine.deploy(twin, file, "1.1.0", Caller("ann@laptop"))
    last = found[-1]
    assert last.running
    assert (last.running.actor, last.unfinished, last.next) == ("ann@laptop", None, "")
    assert last.current
    assert (last.current.verb, last.current.version, last.current.step) == ("deploy", "1.1.0", "hold")
    assert 1 < last.current.number < last.current.of
    assert "deploy by ann@laptop" in status_line(last)
    assert f"deploy: hold, {last.current.number} of {last.current.of}" in status_line(last)


def test_a_killed_run_is_shown_with_the_command_that_goes_on(twin: Twin, file: ReleaseFile, caller: Caller) -> None:
    with killed_behind(twin, "done", "shift"):
        engine.deploy(twin, file, "1.1.0", caller)
    found = seen(twin)
    assert found.unfinished
    assert (found.unfinished.step, found.unfinished.mend) == ("verify", "primetrade release resume")
    assert found.newest
    assert (found.newest.phase, found.newest.step) == ("done", "shift")
    assert "last   deploy 1.1.0 by ann@laptop" in text(twin)
    assert "not ended" in text(twin)
    assert "`primetrade release resume` goes on" in text(twin)


def test_a_run_killed_before_it_changed_anything_is_offered_too(twin: Twin, file: ReleaseFile, caller: Caller) -> None:
    """Nothing is to be seen in slots or route, so the journal alone can tell."""
    with killed_behind(twin, "done", "preflight"):
        engine.deploy(twin, file, "1.1.0", caller)
    assert seen(twin).next.startswith("`primetrade release resume` goes on with the deploy that was begun")


def test_a_way_back_that_was_killed_is_ended_first(twin: Twin, file: ReleaseFile, caller: Caller) -> None:
    engine.deploy(twin, file, "1.1.0", caller)
    with killed_behind(twin, "done", "shift"):
        engine.rollback(twin, file, caller)
    assert seen(twin).next == "`primetrade release resume` ends the rollback that was begun"


def test_nothing_is_unfinished_after_a_run_that_ended_well(twin: Twin, file: ReleaseFile, caller: Caller) -> None:
    engine.deploy(twin, file, "1.1.0", caller)
    assert (seen(twin).unfinished, seen(twin).current) == (None, None)


def test_a_warm_slot_has_a_deadline_and_then_is_overdue(twin: Twin, file: ReleaseFile, caller: Caller) -> None:
    engine.deploy(twin, file, "1.1.0", caller)
    deadline = seen(twin).deadlines[0]
    assert deadline.until == seen(twin).warm_until
    assert deadline.until > twin.now()
    assert "blue is warm; 30 min left, then it is stopped" in text(twin)
    twin.clock = deadline.until + 1
    assert "blue is warm: overdue; `primetrade release reap` carries it out" in text(twin)


def test_an_approval_has_a_deadline_and_its_verbs(twin: Twin, file: ReleaseFile, caller: Caller) -> None:
    """The one who looks at night sees who is asked for what, until when, and how to answer."""
    engine.deploy(twin, file, "1.1.0", caller, Options(to_preview=True))
    now = engine.look(twin)
    step = Step(Kind.APPROVAL, "green", "a person approves 1.1.0 for 50 %", limit=7200, name="50 %")
    begun = Open("r1", "deploy", "ann", "1.1.0", now.beside.digest, file.digest, (step,))
    waiting = Waiting("50 %", now.beside.digest, "1.1.0", twin.now() + 7200)
    found = status(remembering(now, open=begun, waiting=waiting), None)
    assert found.deadlines[0].what == "approval of 1.1.0 for 50 %"
    assert found.next == "`primetrade release approve` goes on with it, `primetrade release abort` takes it back"
    assert found.unfinished
    assert found.unfinished.mend == "primetrade release approve"
    assert "approval of 1.1.0 for 50 %; 2 h left" in "\n".join(status_lines(found, twin.now()))


def test_one_line_changes_only_when_the_state_does(twin: Twin, file: ReleaseFile, caller: Caller) -> None:
    engine.deploy(twin, file, "1.1.0", caller, Options(to_preview=True))
    before = status_line(seen(twin))
    twin.sleep(5)
    assert before == status_line(seen(twin))
    engine.shift(twin, file, 25, caller)
    assert before != status_line(seen(twin))
    assert "green preview 25 % 1.1.0 ready" in status_line(seen(twin))


def test_a_route_edited_by_hand_is_on_the_line_too(twin: Twin) -> None:
    twin.edit(Target(Weights(60, 40)))
    assert "somebody edited it by hand" in status_line(seen(twin))
    assert "`primetrade release abort`" in seen(twin).next


def test_a_way_back_whose_slot_died_is_not_to_be_gone_on_with(twin: Twin, file: ReleaseFile, caller: Caller) -> None:
    """It would be refused; the same verb anew starts that version first."""
    engine.deploy(twin, file, "1.1.0", caller)
    with killed_behind(twin, "intent", "undrain"):
        engine.rollback(twin, file, caller)
    del twin.slots["blue"]
    found = seen(twin)
    assert found.next.startswith("`primetrade release rollback` starts the version before again")
    assert found.unfinished
    assert found.unfinished.mend == "primetrade release rollback"
    told = [each.mend for each in examine(twin, file) if each.where == "journal"]
    assert [words.startswith("`primetrade release rollback`") for words in told] == [True]
    engine.rollback(twin, file, caller)
    assert engine.look(twin).active.version == "1.0.0"
