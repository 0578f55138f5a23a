"""Plans as tables: from where a service stands and what is wanted to steps, without any platform."""

from __future__ import annotations

import pytest

from scripts.release.cost import seconds_of
from scripts.release.errors import NeedsPerson, Refused, Unusable
from scripts.release.file import ReleaseFile, read_release_file
from scripts.release.judge import needs
from scripts.release.memory import Memory, Role
from scripts.release.plan import Wanted, plan_deploy, plan_promote, plan_shift
from scripts.release.route import Route, Target, Weights
from scripts.release.situation import Phase, Situation, situation
from scripts.release.slots import Observed, Release, Slot
from scripts.release.stages import Terms
from scripts.release.status import next_command
from scripts.release.step import Step
from scripts.release.supply import shortage
from scripts.release.wayback import plan_back

OLD, NEW = Release("1.0.0", ("shop",), {}), Release("1.1.0", ("shop",), {})


def slot(name: str, release: Release, *, running: bool = True) -> Slot:
    return Slot(name, release.version, release.digest, release.version, running=running, ready=running, capacity=1)


def standing(
    weights: Weights = Weights(100, 0),  # noqa: B008 - frozen
    memory: Memory = Memory(active="blue"),  # noqa: B008 - frozen
    blue: Slot = slot("blue", OLD),  # noqa: B008 - frozen
    green: Slot = Slot("green"),  # noqa: B008 - frozen
) -> Situation:
    return situation(Observed({"blue": blue, "green": green}, Route(Target(weights), "t")), memory)


IDLE = standing()
PREVIEW = standing(memory=Memory(active="blue", role=Role.PREVIEW, gated=NEW.digest), green=slot("green", NEW))
UNGATED = standing(memory=Memory(active="blue", role=Role.PREVIEW), green=slot("green", NEW))
SHIFTING = standing(
    Weights(50, 50), Memory(active="blue", role=Role.PREVIEW, gated=NEW.digest), green=slot("green", NEW)
)
BAKING = standing(Weights(0, 100), Memory(active="green", role=Role.WARM, baking=True), green=slot("green", NEW))
WARM = standing(Weights(0, 100), Memory(active="green", role=Role.WARM), green=slot("green", NEW))
EMPTY = standing(blue=Slot("blue"), memory=Memory())
DEAD = slot("blue", OLD, running=False)
DOWN = standing(Weights(100, 0), Memory(active="blue", role=Role.WARM), blue=DEAD, green=slot("green", NEW))
FLIPPED = standing(Weights(0, 100), Memory(active="blue", routed=(Target(Weights(100, 0)),)), green=slot("green", NEW))


def short(steps: tuple[Step, ...]) -> str:
    """The kinds of a plan in a line, with the weight of the slot where there is one."""
    return " ".join(f"{s.kind}{s.target.weights.of(s.slot)}" if s.target else str(s.kind) for s in steps)


def deploy(now: Situation, file: ReleaseFile, *, to_preview: bool = False) -> str:
    return short(plan_deploy(now, Wanted(NEW, (5, 100), to_preview=to_preview), Terms(file, needs(file), 2)))


HEAD = "preflight expand deploy parity smoke"
TAIL = "shift100 verify100 drain bake warm finish"


@pytest.mark.parametrize(
    ("now", "phase"),
    [
        (IDLE, Phase.IDLE),
        (PREVIEW, Phase.PREVIEW),
        (SHIFTING, Phase.SHIFTING),
        (BAKING, Phase.BAKING),
        (WARM, Phase.IDLE),
        (EMPTY, Phase.EMPTY),
    ],
)
def test_the_phase_is_read_from_route_and_journal(now: Situation, phase: Phase) -> None:
    assert phase is now.phase


def test_a_release_plans_every_step_with_a_gate_between_two_shifts(file: ReleaseFile) -> None:
    assert f"{HEAD} analysis shift5 verify5 hold {TAIL}" == deploy(IDLE, file)
    assert f"{HEAD} analysis finish" == deploy(IDLE, file, to_preview=True)
    assert f"{HEAD} shift100 verify100 finish" == deploy(EMPTY, file)


@pytest.mark.parametrize("role", [None, Role.REJECTED])
def test_where_the_live_slot_is_dead_and_none_is_warm_a_release_has_nobody_to_be_compared_with(
    file: ReleaseFile, role: Role | None
) -> None:
    now = standing(Weights(100, 0), Memory(active="blue", role=role), blue=DEAD, green=slot("green", OLD))
    assert f"{HEAD} shift100 verify100 finish" == deploy(now, file)
    assert next_command(now).startswith("`primetrade release deploy VERSION`")
    with pytest.raises(Refused, match="no user is served"):
        deploy(now, file, to_preview=True)


def test_a_release_says_when_it_takes_the_warm_slot(file: ReleaseFile) -> None:
    """Instant rollback ends with it, so the plan says so."""
    third = Wanted(Release("1.2.0", ("shop",), {}), (100,))
    step = next(s for s in plan_deploy(WARM, third, Terms(file, needs(file), 2)) if s.kind == "deploy")
    assert (
        step.words == "1.2.0 on blue in place of 1.0.0, which is warm: from here on there is no instant rollback to it"
    )


@pytest.mark.parametrize(
    ("now", "refusal", "says"),
    [
        (SHIFTING, Refused, "1.1.0 on green is under way"),
        (BAKING, Refused, "1.1.0 on green is under way"),
        (DOWN, NeedsPerson, "blue has all users and does not run"),
        (FLIPPED, NeedsPerson, "somebody edited it by hand"),
    ],
)
def test_a_release_is_not_begun_over(file: ReleaseFile, now: Situation, refusal: type[Exception], says: str) -> None:
    with pytest.raises(refusal, match=says):
        deploy(now, file)


def test_promote_does_what_is_left(file: ReleaseFile) -> None:
    """Gates that passed are not run again; the one of the share the slot has now is."""

    def promote(now: Situation) -> str:
        return short(plan_promote(now, Terms(file, needs(file), 2), words=(5, 50, 75, 100)))

    assert f"shift5 verify5 hold shift50 verify50 hold shift75 verify75 hold {TAIL}" == promote(PREVIEW)
    assert promote(UNGATED).startswith("parity smoke analysis shift5")
    assert f"hold shift75 verify75 hold {TAIL}" == promote(SHIFTING)
    assert promote(BAKING) == "drain bake warm finish"
    for now in (IDLE, WARM, EMPTY):
        with pytest.raises(Refused, match="no release is under way"):
            promote(now)


@pytest.mark.parametrize("now", [PREVIEW, SHIFTING, BAKING])
def test_promote_of_a_version_goes_on_with_no_other(file: ReleaseFile, now: Situation) -> None:
    """An approval is of one version; what was deployed in its place meanwhile was approved by nobody."""
    terms = Terms(file, needs(file), 2)

    assert plan_promote(now, terms, words=(100,), version="1.1.0") == plan_promote(now, terms, words=(100,))
    with pytest.raises(Refused, match=r"1\.1\.0 on green is under way, not 1\.0\.5: .*release promote 1\.1\.0"):
        plan_promote(now, terms, words=(100,), version="1.0.5")


def test_a_shift_by_hand_has_no_gate_and_needs_the_one_before(file: ReleaseFile) -> None:
    assert short(plan_shift(PREVIEW, 30, Terms(file, needs(file), 2))) == "shift30 verify30 finish"
    assert short(plan_shift(SHIFTING, 100, Terms(file, needs(file), 2))) == "shift100 verify100 drain warm finish"
    assert short(plan_shift(SHIFTING, 0, Terms(file, needs(file), 2))) == "shift0 verify0 finish"
    assert short(plan_shift(BAKING, 100, Terms(file, needs(file), 2))) == "drain warm finish"
    with pytest.raises(NeedsPerson, match="the journal does not say why"):
        plan_shift(standing(Weights(50, 50), green=slot("green", NEW)), 30, Terms(file, needs(file), 2))
    with pytest.raises(Refused, match="has not passed its analysis gate"):
        plan_shift(UNGATED, 30, Terms(file, needs(file), 2))
    for percent in (-1, 101):
        with pytest.raises(Unusable, match="0 to 100"):
            plan_shift(PREVIEW, percent, Terms(file, needs(file), 2))


def test_the_way_back_moves_the_route_before_anything_else_is_drained() -> None:
    assert short(plan_back(WARM, retire=False, to_warm=True)) == "undrain shift100 verify100 drain warm finish"
    assert short(plan_back(BAKING, retire=False)) == "undrain shift100 verify100 drain warm finish"
    assert short(plan_back(SHIFTING, retire=True)) == "undrain shift100 verify100 drain retire finish"
    assert short(plan_back(PREVIEW, retire=True)) == "retire finish"
    assert short(plan_back(FLIPPED, retire=False, to_warm=True)) == "undrain shift100 verify100 drain warm finish"


def test_where_both_slots_have_users_by_hand_the_warm_one_is_the_way_back() -> None:
    """Only for a rollback: an abort gives them to the slot that was live."""
    by_hand = standing(Weights(70, 30), Memory(active="green", role=Role.WARM), green=slot("green", NEW))
    assert [s.target for s in plan_back(by_hand, retire=False, to_warm=True) if s.target] == [
        Target(Weights(100, 0))
    ] * 2
    assert [s.target for s in plan_back(by_hand, retire=False) if s.target] == [Target(Weights(0, 100))] * 2


def test_a_release_that_a_gate_refused_gets_no_user_by_hand(file: ReleaseFile) -> None:
    """In the shift and in the bake: first it is taken back, or its gates run again."""
    refused = [Memory(active="blue", role=Role.PREVIEW, refused=NEW.digest)]
    refused.append(Memory(active="green", role=Role.WARM, baking=True, refused=NEW.digest))
    for weights, memory in zip((Weights(50, 50), Weights(0, 100)), refused, strict=True):
        now = standing(weights, memory, green=slot("green", NEW))
        with pytest.raises(Refused, match="a gate refused this release"):
            plan_shift(now, 100, Terms(file, needs(file), 2))
        assert next_command(now).startswith("`primetrade release abort`")


def test_the_first_release_cannot_wait_in_preview(file: ReleaseFile) -> None:
    """Refused rather than given all users: there is nobody to compare it with."""
    with pytest.raises(Refused, match="has nobody to be compared with"):
        deploy(EMPTY, file, to_preview=True)


def test_the_plan_says_that_the_warm_slot_lasts_until_the_next_deploy(file: ReleaseFile) -> None:
    step = next(s for s in plan_deploy(IDLE, Wanted(NEW, (100,)), Terms(file, needs(file), 2)) if s.kind == "warm")
    assert step.words == "blue stays up for instant rollback, 30 min or until the next deploy"


@pytest.mark.parametrize("weights", [(0, 0), (50, 60), (-1, 101), (101, -1)])
def test_weights_that_lose_requests_cannot_be_written_down(weights: tuple[int, int]) -> None:
    with pytest.raises(Unusable, match="their sum must be 100"):
        Weights(*weights)


def test_a_plan_knows_how_long_its_gates_take_and_what_they_cannot_get(file: ReleaseFile) -> None:
    """The hold lasts until its requests are there; a rate that never gives them is refused with the one that would."""
    steps = plan_deploy(IDLE, Wanted(NEW, (5, 100)), Terms(file, needs(file), 2))
    hold = next(s for s in steps if s.kind == "hold")
    assert file.settings.hold.duration == seconds_of(hold, rate=1000)
    assert hold.requests / (100 * 0.05) == seconds_of(hold, rate=100)
    assert shortage(steps, rate=1000) == ""
    thin, small = Wanted(NEW, (5, 100)), read_release_file(file.path, ("gates.analysis.duration=1s",))
    assert "raise gates.analysis.rate" in shortage(plan_deploy(IDLE, thin, Terms(small, needs(small), 2)), rate=1000)
    least = -(-hold.requests * 100 // (5 * 60))
    assert f"at least {least:,} requests/s" in shortage(steps, rate=least - 1)
    assert shortage(steps, rate=least) == ""
