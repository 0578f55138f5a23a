"""Every kind of drift is found and named with the verb that mends it; a service in order has none."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import msgspec
import pytest

from scripts.cli import primetrade
from scripts.release import engine
from scripts.release.doctor import examine
from scripts.release.engine import Caller, Options
from scripts.release.errors import ReleaseError, Undecided
from scripts.release.file import ReleaseFile
from scripts.release.journal import Entry, Holder
from scripts.release.kubernetes import lease
from scripts.release.route import Audience, Target, Weights
from scripts.release.run import utc
from scripts.release.slots import UNKNOWN, Finding, Range
from scripts.release.status import next_command
from scripts.release.twin import Behaviour, Twin
from tests.release.killing import killed_behind

SCRIPTS = Path(__file__).parents[2] / "scripts"
BLUE = Weights(100, 0)
CALLER = Caller("ann@laptop", "ticket 7")


def found(twin: Twin, file: ReleaseFile) -> dict[str, str]:
    """What the doctor says, by where; looking changed nothing."""
    before = twin.observe_error or twin.observe(), list(twin.journal.entries), list(twin.calls)
    drifts = examine(twin, file)
    assert before == (twin.observe_error or twin.observe(), twin.journal.entries, twin.calls)
    assert len({each.where for each in drifts}) == len(drifts)
    return {each.where: f"{each.what} → {each.mend}" for each in drifts}


def in_preview(twin: Twin, file: ReleaseFile) -> None:
    engine.deploy(twin, file, "1.1.0", CALLER, Options(to_preview=True))


def shifted(twin: Twin, file: ReleaseFile) -> None:
    in_preview(twin, file)
    engine.shift(twin, file, 50, CALLER)


def released(twin: Twin, file: ReleaseFile) -> None:
    engine.deploy(twin, file, "1.1.0", CALLER)


def went_back(twin: Twin, file: ReleaseFile) -> None:
    released(twin, file)
    engine.rollback(twin, file, CALLER)


@pytest.mark.parametrize("story", [in_preview, shifted, released, went_back])
def test_a_release_that_goes_its_way_has_nothing_wrong(
    twin: Twin, file: ReleaseFile, story: Callable[[Twin, ReleaseFile], None]
) -> None:
    assert found(twin, file) == {}
    story(twin, file)
    assert found(twin, file) == {}


def test_a_run_at_work_has_nothing_wrong(twin: Twin, file: ReleaseFile) -> None:
    """At no moment of a release does the doctor cry wolf."""
    seen: list[dict[str, str]] = []
    twin.on_tick = lambda: seen.append(found(twin, file))
    released(twin, file)
    assert seen
    assert [each for each in seen if each] == []


def test_a_first_start_has_nothing_wrong(empty: Twin, file: ReleaseFile) -> None:
    assert found(empty, file) == {}


EDITS = {
    "weights": Target(Weights(60, 40)),
    "audience": Target(BLUE, first="green", audience=Audience({"x-team": "us"})),
    "mirror": Target(BLUE, mirror="green"),
    "stickiness": Target(BLUE, sticky="slot"),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS.keys())
def test_a_route_edited_by_hand_is_found_and_abort_mends_it(twin: Twin, file: ReleaseFile, edit: Target) -> None:
    in_preview(twin, file)
    twin.edit(edit)
    assert "edited by hand → `primetrade release abort`" in found(twin, file)["route"]
    engine.abort(twin, file, CALLER)
    assert "route" not in found(twin, file)


def test_a_preview_slot_that_is_gone_is_found_and_a_deploy_mends_it(twin: Twin, file: ReleaseFile) -> None:
    in_preview(twin, file)
    del twin.slots["green"]
    assert "and does not run → `primetrade release deploy 1.1.0`" in found(twin, file)["green"]
    in_preview(twin, file)
    assert found(twin, file) == {}


def test_users_on_a_slot_that_is_gone_are_found_and_abort_brings_them_back(twin: Twin, file: ReleaseFile) -> None:
    shifted(twin, file)
    del twin.slots["green"]
    assert "has users and does not run" in found(twin, file)["green"]
    assert "`primetrade release abort`" in found(twin, file)["green"]
    engine.abort(twin, file, CALLER)
    assert found(twin, file) == {}


def test_an_active_slot_that_is_down_is_found_and_the_warm_one_mends_it(twin: Twin, file: ReleaseFile) -> None:
    released(twin, file)
    twin.behaviours["1.1.0"] = Behaviour(crashes=True)
    assert "`primetrade release rollback` gives them to the other slot" in found(twin, file)["green"]
    engine.rollback(twin, file, CALLER)
    assert found(twin, file) == {}


def test_where_users_are_on_both_slots_and_the_old_one_died_rollback_is_named_by_doctor_and_status(
    twin: Twin, file: ReleaseFile
) -> None:
    """Abort and promote lead nowhere then."""
    shifted(twin, file)
    twin.behaviours["1.0.0"] = Behaviour(crashes=True)
    assert "`primetrade release rollback` gives them to the other slot" in found(twin, file)["blue"]
    assert "`primetrade release rollback` gives all users to green" in next_command(engine.look(twin))
    engine.rollback(twin, file, CALLER)
    assert engine.look(twin).active.version == "1.1.0"


def test_an_active_slot_that_is_down_beside_one_that_was_taken_back_may_be_replaced(
    twin: Twin, file: ReleaseFile
) -> None:
    went_back(twin, file)
    twin.behaviours["1.0.0"] = Behaviour(crashes=True)
    assert "`primetrade release deploy VERSION` gives its users another one" in found(twin, file)["blue"]


def test_an_active_slot_that_is_down_alone_has_to_be_started(twin: Twin, file: ReleaseFile) -> None:
    twin.behaviours["1.0.0"] = Behaviour(crashes=True)
    assert "`primetrade local up` starts it again" in found(twin, file)["blue"]


def test_a_warm_slot_that_is_gone_is_found(twin: Twin, file: ReleaseFile) -> None:
    """A person who counts on an instant rollback hears that it would be a cold one."""
    released(twin, file)
    twin.behaviours["1.0.0"] = Behaviour(crashes=True)
    assert "kept warm and does not run any more" in found(twin, file)["blue"]


def test_a_warm_slot_whose_time_is_over_is_found_and_reap_stops_it(twin: Twin, file: ReleaseFile) -> None:
    released(twin, file)
    twin.clock += file.settings.warm + 1
    assert "is over → `primetrade release reap`" in found(twin, file)["deadline"]
    engine.reap(twin, file, CALLER)
    assert found(twin, file) == {}
    assert "blue" not in twin.slots


def test_a_route_that_cannot_be_read_is_the_platforms_to_tell(twin: Twin, file: ReleaseFile) -> None:
    """It knows which file that is and what writes it anew; nothing was edited that anybody could compare."""
    in_preview(twin, file)
    twin.current = msgspec.structs.replace(twin.current, lost="the file is gone")
    assert found(twin, file) == {}
    twin.journal.entries.clear()
    assert set(found(twin, file)) == {"journal"}


def test_a_missing_journal_is_found_and_reap_adopts_what_is_there(twin: Twin, file: ReleaseFile) -> None:
    released(twin, file)
    twin.journal.entries.clear()
    assert "missing or empty" in found(twin, file)["journal"]
    engine.reap(twin, file, CALLER)
    assert found(twin, file) == {}


def test_a_journal_that_ends_too_early_is_found(twin: Twin, file: ReleaseFile) -> None:
    """As after it was put back from an old copy: nobody edited the route, though the two disagree."""
    released(twin, file)
    copy = list(twin.journal.entries)
    engine.deploy(twin, file, "1.2.0", CALLER)
    twin.journal.entries[:] = copy
    assert list(found(twin, file)) == ["journal"]
    assert "it ends too early" in found(twin, file)["journal"]
    twin.journal.entries.clear()
    engine.reap(twin, file, CALLER)
    assert found(twin, file) == {}


KILLED = [
    ("done", "preflight", engine.abort),
    ("intent", "deploy", engine.abort),
    ("done", "analysis", engine.abort),
    ("intent", "shift", engine.abort),
    ("done", "drain", engine.rollback),
    ("done", "bake", engine.rollback),
]


@pytest.mark.parametrize(("phase", "step", "back"), KILLED)
def test_a_killed_run_is_found_and_both_its_verbs_mend_it(
    twin: Twin, file: ReleaseFile, phase: str, step: str, back: Callable[..., object]
) -> None:
    for mend in (back, engine.resume):
        with killed_behind(twin, phase, step):
            engine.deploy(twin, file, "1.1.0", CALLER)
        words = found(twin, file)["journal"]
        assert re.search(r"\(deploy 1\.1\.0 by ann@laptop\) was killed with (1 step|\d+ steps) to go", words)
        assert f"`primetrade release resume` goes on with it, `primetrade release {back.__name__}`" in words
        mend(twin, file, CALLER)
        assert found(twin, file) == {}


def test_a_killed_way_back_is_found_and_only_ended(twin: Twin, file: ReleaseFile) -> None:
    released(twin, file)
    with killed_behind(twin, "done", "shift"):
        engine.rollback(twin, file, CALLER)
    assert found(twin, file)["journal"].endswith("`primetrade release resume` goes on with it")
    engine.resume(twin, file, CALLER)
    assert found(twin, file) == {}


def test_a_gate_that_could_not_decide_is_no_drift(twin: Twin, file: ReleaseFile) -> None:
    """The run ended as it should and said what to do: nothing is broken."""

    def tick() -> None:
        if twin.current.weights == Weights(50, 50):
            twin.rate = 0

    twin.on_tick = tick
    with pytest.raises(Undecided):
        released(twin, file)
    assert found(twin, file) == {}


def test_a_lock_held_for_longer_than_any_plan_takes_is_found(twin: Twin, file: ReleaseFile) -> None:
    def held(seconds: float) -> dict[str, str]:
        twin.held = Holder("bob@desk", "r9", "deploy", utc(twin.now() - seconds), os.getpid())
        return found(twin, file)

    assert held(60) == {}
    assert "bob@desk holds it since" in held(86400)["lock"]
    assert "`primetrade release unlock --force --reason WHY`" in held(86400)["lock"]
    engine.unlock(twin, CALLER, force=True)
    assert found(twin, file) == {}


def test_a_contract_step_is_as_long_as_its_table(twin: Twin, file: ReleaseFile) -> None:
    """It has no plan, so nobody knows how long it may take: its lock is not called stuck."""
    twin.held = Holder("bob@desk", "r9", "contract", utc(twin.now() - 86400), os.getpid())
    assert found(twin, file) == {}


@pytest.mark.parametrize(
    ("story", "slot", "mend"),
    [
        (in_preview, "green", "primetrade release abort"),
        (shifted, "green", "primetrade release abort"),
        (released, "green", "primetrade release rollback"),
    ],
)
def test_a_slot_that_says_it_is_another_version_is_found(
    twin: Twin, file: ReleaseFile, story: Callable[[Twin, ReleaseFile], None], slot: str, mend: str
) -> None:
    story(twin, file)
    twin.behaviours["1.1.0"] = Behaviour(says="6.6.6")
    assert "started as 1.1.0 and says it is 6.6.6" in found(twin, file)[slot]
    assert mend in found(twin, file)[slot]


def test_a_slot_that_no_run_filled_is_found(twin: Twin, file: ReleaseFile) -> None:
    in_preview(twin, file)
    twin.deploy("green", file.release("9.9.9", {}), 1, twin.fence)
    twin.sleep(5)
    assert "no run put 9.9.9" in found(twin, file)["green"]


def test_a_slot_that_was_replaced_by_hand_under_its_users_is_found(twin: Twin, file: ReleaseFile) -> None:
    """As `helm rollback` does it: another release than the one that the journal gave the users."""
    released(twin, file)
    twin.slots["green"].release = file.release("0.9.0", {})
    what = found(twin, file)["green"]
    assert "no run put 0.9.0" in what
    assert f"they were given 1.1.0 ({file.release('1.1.0', {}).digest}), and somebody replaced it by hand" in what
    assert "`primetrade release rollback` gives the users to the other slot" in what


def test_a_slot_that_cannot_live_with_the_database_is_found(twin: Twin, file: ReleaseFile) -> None:
    """The journal says level 3; what runs now needs at most 2."""
    released(twin, file)
    assert engine.look(twin).memory.level == 3
    twin.behaviours["1.1.0"] = Behaviour(schema=Range(1, 2))
    assert "works with schema levels 1 to 2, the database is at 3" in found(twin, file)["green"]
    twin.behaviours["1.1.0"] = Behaviour(schema=Range(1, 3))
    assert found(twin, file) == {}


def test_a_release_file_that_changed_under_a_run_is_found(twin: Twin, file: ReleaseFile) -> None:
    with killed_behind(twin, "done", "shift"):
        released(twin, file)
    assert "release.yaml" not in found(twin, file)
    other = msgspec.structs.replace(file, digest="0123456789ab")
    assert "its digest is 0123456789ab" in found(twin, other)["release.yaml"]
    engine.promote(twin, other, CALLER)
    assert found(twin, other) == {}


def test_what_cannot_be_seen_is_a_finding_and_no_error(twin: Twin, file: ReleaseFile) -> None:
    twin.observe_error = "Envoy's admin port does not answer"
    assert found(twin, file)["twin"].startswith("Envoy's admin port does not answer → ")


def test_a_journal_that_cannot_be_read_is_a_finding_and_no_error(
    twin: Twin, file: ReleaseFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable() -> tuple[Entry, ...]:
        raise ReleaseError("journal.jsonl:3: not a journal entry; move the file away")

    monkeypatch.setattr(twin.journal, "read", unreadable)
    (drift,) = examine(twin, file)
    assert (drift.where, drift.what) == ("journal", "journal.jsonl:3: not a journal entry; move the file away")


def test_what_the_platform_finds_is_passed_on(twin: Twin, file: ReleaseFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(twin, "diagnose", lambda: [Finding("Envoy does not run", "primetrade local up")])
    assert found(twin, file) == {"twin": "Envoy does not run → `primetrade local up`"}


def messages() -> Iterator[str]:
    """Every text of the engine and its verbs, with X for what is put in when it runs."""
    for path in sorted([*SCRIPTS.glob("release/**/*.py"), *SCRIPTS.glob("commands/release/*.py")]):
        nodes = list(ast.walk(ast.parse(path.read_text())))
        joined = [node for node in nodes if isinstance(node, ast.JoinedStr)]
        parts = {id(part) for node in joined for part in node.values}
        for node in joined:
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "X" for part in node.values)
        texts = (node.value for node in nodes if isinstance(node, ast.Constant) and id(node) not in parts)
        yield from (text for text in texts if isinstance(text, str))
    yield (SCRIPTS / "release" / "starter.yaml").read_text()


def named() -> list[str]:
    """Every command that a message names: within backticks, or as the whole text."""
    found = [re.findall(r"`(primetrade [^`]+)`|^(primetrade [^`]+)$", text) for text in messages()]
    return sorted({"".join(each) for texts in found for each in texts})


@pytest.mark.parametrize("line", named())
def test_every_command_that_a_message_names_exists(line: str) -> None:
    """At three in the morning nobody should have to guess what was meant."""
    _, noun, *words = line.split()
    command = primetrade.get_command(click.Context(primetrade), noun)
    assert command, noun
    if isinstance(command, click.Group) and words:
        verb, *words = words
        command = command.get_command(click.Context(command), verb)
        assert command, verb
    known = {option for parameter in command.params for option in parameter.opts}
    assert [] == [word for word in words if word.startswith("--") and word not in known]


def test_a_slot_of_which_nobody_can_tell_what_it_is_was_not_replaced_by_hand(
    twin: Twin, file: ReleaseFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its file was lost: that is another finding."""
    released(twin, file)
    seen = twin.observe()
    lost = msgspec.structs.replace(seen.slots["green"], digest=UNKNOWN)
    monkeypatch.setattr(twin, "observe", lambda: msgspec.structs.replace(seen, slots={**seen.slots, "green": lost}))
    assert "no run put" not in found(twin, file).get("green", "")


def test_a_lock_that_another_program_holds_since_nobody_knows_when_is_still_looked_at(
    twin: Twin, file: ReleaseFile
) -> None:
    """A Lease need not say when it was taken."""
    renewed = utc(twin.clock)
    twin.held = lease._holder({"metadata": {}, "spec": {"holderIdentity": "theirs", "renewTime": renewed}})
    assert found(twin, file) == {}
