"""Expand runs only where what serves accepts the level it leads to, and leads nowhere else."""

from __future__ import annotations

import pytest

from scripts.local.slots import Replica
from scripts.release import engine, local_slots
from scripts.release.doctor import examine
from scripts.release.engine import Caller
from scripts.release.errors import Refused, ReleaseError, Reverted
from scripts.release.file import Probes, ReleaseFile, read_release_file
from scripts.release.journal import Entry
from scripts.release.local import Local
from scripts.release.memory import remember
from scripts.release.route import Target
from scripts.release.slots import Range
from scripts.release.twin import Behaviour, Twin
from tests.local.traffic import until


@pytest.fixture
def stranger(empty: Twin, file: ReleaseFile) -> Twin:
    """1.0.0 has all users in blue, and no journal says what it works with."""
    empty.edit(Target.all_on("green"))
    empty.deploy("blue", file.release("1.0.0", {}), 1, 0)
    empty.edit(Target.all_on("blue"))
    empty.sleep(2)
    empty.calls.clear()
    return empty


def expanded(twin: Twin) -> bool:
    return any(call.startswith("expand") for call in twin.calls)


def test_the_migration_is_told_the_level_that_was_judged(twin: Twin, file: ReleaseFile, caller: Caller) -> None:
    """Not one step further, whatever files are there; the journal keeps the level it reached."""
    asked: list[int] = []

    def migrates(level: int) -> str:
        asked.append(level)
        return "schema level 3"

    twin.migrates = migrates
    engine.deploy(twin, file, "1.1.0", caller)
    assert asked == [3]
    assert [entry.level for entry in twin.journal.entries if entry.step == "expand" and entry.phase == "done"] == [3, 3]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("schema level 2", r"to level 2, not to 3 \(schema\.max\); no slot was touched: `primetrade db contract`"),
        ("schema level 5", r"at level 5, over 3 \(schema\.max\); no slot was touched"),
    ],
)
def test_a_migration_that_ends_at_another_level_ends_the_release(
    twin: Twin, file: ReleaseFile, caller: Caller, said: str, words: str
) -> None:
    twin.migrates = lambda level: said
    with pytest.raises(ReleaseError, match=words):
        engine.deploy(twin, file, "1.1.0", caller)
    assert twin.calls == ["expand migrate"]


def test_a_level_nobody_asked_for_is_remembered_and_judged_from_then_on(
    twin: Twin, file: ReleaseFile, caller: Caller
) -> None:
    twin.behaviours["1.0.0"] = Behaviour(schema=Range(1, 4))
    twin.migrates = lambda level: "schema level 5"
    with pytest.raises(ReleaseError, match="over 3"):
        engine.deploy(twin, file, "1.1.0", caller)
    assert "works with schema levels 1 to 4, the database is at 5" in " ".join(
        each.what for each in examine(twin, file)
    )
    for again in (engine.resume, lambda *where: engine.deploy(where[0], where[1], "1.1.0", where[2])):
        with pytest.raises(Refused, match="expanding to 5 would break it"):
            again(twin, file, caller)
    assert twin.calls == ["expand migrate"]


def test_a_release_that_says_no_levels_is_judged_by_those_its_file_declares(
    twin: Twin, file: ReleaseFile, caller: Caller
) -> None:
    """A contract step went further; before any user is sent there, and not where the build says that it works."""
    twin.journal.append(Entry(twin.clock, "", "c", twin.fence, "contract", "ann", "done", step="contract", level=4))
    twin.behaviours |= {"1.1.0": Behaviour(schema=None)}
    words = r"1\.1\.0 works with schema levels 1 to 3 by release\.yaml .*but the database is brought to 4.*no user"
    with pytest.raises(Reverted, match=words):
        engine.deploy(twin, file, "1.1.0", caller)
    twin.behaviours |= {"1.1.0": Behaviour(schema=Range(3, 4))}
    engine.deploy(twin, file, "1.1.0", caller)


def test_a_command_that_does_not_say_its_level_is_believed(twin: Twin, file: ReleaseFile, caller: Caller) -> None:
    twin.migrates = lambda level: "all migrations are applied"
    engine.deploy(twin, file, "1.1.0", caller)
    assert remember(twin.journal.read()).level == 3


@pytest.mark.parametrize("works", [Range(1, 2), Range(1, 3)])
def test_a_live_slot_that_answers_late_is_waited_for(
    twin: Twin, file: ReleaseFile, caller: Caller, works: Range
) -> None:
    """The journal may know another range: what it says itself counts."""
    begun = twin.clock

    def answer() -> None:
        twin.behaviours["1.0.0"] = Behaviour(schema=works, mute=twin.clock < begun + 3)

    twin.on_tick = answer
    answer()
    if works.max == 3:
        engine.deploy(twin, file, "1.1.0", caller)
        return
    with pytest.raises(Refused, match=r"works with schema levels 1 to 2; expanding to 3 would break it"):
        engine.deploy(twin, file, "1.1.0", caller)
    assert not expanded(twin)


def test_a_live_slot_that_does_not_answer_is_judged_by_what_it_said_before(
    empty: Twin, file: ReleaseFile, caller: Caller
) -> None:
    """To the run that brought it, by its digest."""
    empty.edit(Target.all_on("green"))
    empty.behaviours["1.0.0"] = Behaviour(schema=Range(1, 3))
    engine.deploy(empty, file, "1.0.0", caller)
    empty.behaviours["1.0.0"] = Behaviour(mute=True)
    engine.preview_plan(empty, file, "1.1.0", engine.Options())
    empty.calls.clear()
    further = read_release_file(file.path, ("schema.max=4",))
    with pytest.raises(Refused, match=r"works with schema levels 1 to 3; expanding to 4 would break it"):
        engine.deploy(empty, further, "1.1.0", caller)
    assert not expanded(empty)
    engine.deploy(empty, file, "1.1.0", caller)
    assert engine.look(empty).active.version == "1.1.0"


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        (Behaviour(mute=True), r"/version got no answer in 5 s \(timeouts\.verify\), and the journal has none"),
        (Behaviour(schema=None), "/version states no schema levels, and the journal has none"),
    ],
)
def test_nothing_is_expanded_under_a_slot_whose_levels_nobody_knows(
    stranger: Twin, file: ReleaseFile, caller: Caller, behaviour: Behaviour, words: str
) -> None:
    stranger.behaviours["1.0.0"] = behaviour
    with pytest.raises(Refused, match=words):
        engine.deploy(stranger, file, "1.1.0", caller)
    assert not stranger.calls


def test_an_application_without_migrations_need_state_no_levels(
    stranger: Twin, file: ReleaseFile, caller: Caller
) -> None:
    """Nor is it waited for."""
    stranger.behaviours = {version: Behaviour(schema=None) for version in ("1.0.0", "1.1.0")}
    engine.deploy(stranger, read_release_file(file.path, ("schema.expand=[]",)), "1.1.0", caller)
    assert engine.look(stranger).active.version == "1.1.0"


def test_one_replica_that_does_not_answer_hides_nothing(local: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    local.scale("blue", 2, 9)
    until(lambda: local.observe().slots["blue"].ready, "both replicas")
    says, asked = local_slots._says, list[Replica]()

    def first_is_mute(replica: Replica, probes: Probes) -> local_slots._Says:
        asked.append(replica)
        return says(replica, probes) if len(asked) > 1 else local_slots._Says()

    monkeypatch.setattr(local_slots, "_says", first_is_mute)
    assert local.observe().slots["blue"].schema == Range(1, 9)
    assert len(asked) == 2
