"""A run that dies, or loses a reply, at every call that changes something: the twin shows all of them.

What it only asks cannot matter: a run that dies while it looks has done what it had done before.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from functools import partial
from typing import Final, NamedTuple

import msgspec
import pytest

from scripts.release import engine
from scripts.release.engine import Caller, Options
from scripts.release.errors import ReleaseError
from scripts.release.file import ReleaseFile, override_one
from scripts.release.route import SLOTS
from scripts.release.situation import Phase
from scripts.release.twin import Behaviour
from tests.release.faulty import Faulty, Killed, Trap

pytestmark = pytest.mark.usefixtures("_patient")

CALLER: Final = Caller("ann@laptop", "ticket 7")
BOB: Final = Caller("bob@desk", "her laptop died")
STAGED: Final = (
    "audience={share: 5, cookies: {beta: yes-please}}",
    "steps=[shadow, audience, 50, 100]",
    "approvals={before: [50], limit: 1h}",
    "preview={capacity: 50}",
    "artefact.replicas=2",
)
BEHAVIOURS: Final = {"late-50": Behaviour(), "broken": Behaviour(broken=("/cart",))}
TURNS: Final = {"late-50": 50, "late-100": 100}

Act = Callable[[Faulty, ReleaseFile], object]


def deploys(version: str, *, to_preview: bool = False) -> Act:
    return lambda twin, file: engine.deploy(twin, file, version, CALLER, Options(to_preview=to_preview))


def shifts(percent: int) -> Act:
    return lambda twin, file: engine.shift(twin, file, percent, CALLER)


def does(verb: str) -> Act:
    return lambda twin, file: getattr(engine, verb)(twin, file, CALLER)


def hour(twin: Faulty, file: ReleaseFile) -> None:
    twin.sleep(3600)


class Story(NamedTuple):
    """A verb that is disturbed, and what comes before it."""

    act: Act
    before: tuple[Act, ...] = ()
    staged: bool = False
    undo: tuple[str, ...] = ("abort", "rollback")  # the first, or the second after it, takes it back
    old: str = "1.0.0"  # and this is live then


PREVIEW: Final = deploys("1.1.0", to_preview=True)
STORIES: Final = {
    "the first deploy": Story(deploys("1.0.0")),
    "deploy": Story(deploys("1.1.0"), (deploys("1.0.0"),)),
    "deploy over a warm slot": Story(deploys("1.2.0"), (deploys("1.0.0"), deploys("1.1.0")), old="1.1.0"),
    "deploy to preview": Story(PREVIEW, (deploys("1.0.0"),)),
    "deploy to an approval": Story(deploys("1.1.0"), (deploys("1.0.0"),), staged=True),
    "approve": Story(does("approve"), (deploys("1.0.0"), deploys("1.1.0")), staged=True),
    "refused in smoke": Story(deploys("broken"), (deploys("1.0.0"),)),
    "refused in a hold": Story(deploys("late-50"), (deploys("1.0.0"),)),
    "refused in the bake": Story(deploys("late-100"), (deploys("1.0.0"),)),
    "shift": Story(shifts(50), (deploys("1.0.0"), PREVIEW)),
    "shift to all": Story(shifts(100), (deploys("1.0.0"), PREVIEW)),
    "promote": Story(does("promote"), (deploys("1.0.0"), PREVIEW, shifts(5))),
    "abort": Story(does("abort"), (deploys("1.0.0"), PREVIEW, shifts(50))),
    "rollback": Story(does("rollback"), (deploys("1.0.0"), deploys("1.1.0")), undo=("rollback", "abort")),
    "rollback in a shift": Story(does("rollback"), (deploys("1.0.0"), PREVIEW, shifts(50)), undo=("rollback", "abort")),
    "cold rollback": Story(
        does("rollback"), (deploys("1.0.0"), deploys("1.1.0"), hour, does("reap")), undo=("rollback", "abort")
    ),
    "reap": Story(does("reap"), (deploys("1.0.0"), deploys("1.1.0"), hour)),
}


def told(act: Act, twin: Faulty, file: ReleaseFile) -> BaseException | None:
    """How it ended, where not well."""
    try:
        act(twin, file)
    except (ReleaseError, Killed) as exc:
        return exc
    return None


def stood(twin: Faulty) -> object:
    """Where things stand, as far as users and the next verb are concerned: a drain signal may be missed."""
    now = engine.look(twin)
    slots = {name: (slot.version, slot.capacity) for name, slot in now.observed.slots.items()}
    return now.phase, now.observed.route.target, now.active.ready, now.role, slots, now.drift, now.can_roll_back


def prepared(story: Story, file: ReleaseFile) -> Faulty:
    twin = Faulty(behaviours=dict(BEHAVIOURS), turns=dict(TURNS), audience=0.05)
    for act in story.before:
        told(act, twin, file)
    twin.sleep(10)  # whatever was started is ready
    return twin


@pytest.fixture
def staged(file: ReleaseFile) -> ReleaseFile:
    settings = file.settings
    for override in STAGED:
        settings = override_one(settings, override)
    return msgspec.structs.replace(file, settings=settings)


@pytest.mark.parametrize("lost", [False, True], ids=["killed", "reply lost"])
@pytest.mark.parametrize("name", STORIES)
def test_a_run_that_ends_at_any_call_is_gone_on_with_as_if_nothing_had_happened(
    name: str, lost: bool, file: ReleaseFile, staged: ReleaseFile
) -> None:
    """`resume`, or the verb again where it had not begun, leads to where it would have led."""
    story = STORIES[name]
    file = staged if story.staged else file
    start = prepared(story, file)
    good, before = start.clone(), engine.look(start).memory.open
    told(story.act, good, file)
    number, after = 1, not lost  # to die before a call is to die behind the one before
    while True:
        twin = start.clone()
        twin.set_trap(Trap(number, fails if lost else dies, after))
        told(story.act, twin, file)
        if twin.trap is not None:
            assert number > 1
            return
        where = f"{'behind' if after else 'before'} call {number}"
        assert (twin.held, twin.wronged, engine.look(twin).drift) == (None, [], ""), where
        left, waits = engine.look(twin).memory.open, engine.look(twin).memory.waiting
        again = story.act if left == before or (waits and name == "approve") else does("resume")
        if left or stood(twin) != stood(good):
            ended = told(again, twin, file)
            assert stood(twin) == stood(good), f"{where}: {ended}"
        assert twin.wronged == [], where
        number, after = (number + 1, not lost) if after else (number, True)


def dies() -> None:
    raise Killed


def fails() -> None:
    raise ReleaseError("no answer in 5 s; try again")


@pytest.mark.parametrize("name", STORIES)
def test_a_run_that_was_killed_at_any_call_can_be_taken_back(name: str, file: ReleaseFile, staged: ReleaseFile) -> None:
    """By one verb or two: the version that had all users before has them again, and answers."""
    story = STORIES[name]
    file = staged if story.staged else file
    start = prepared(story, file)
    number = 1
    while True:
        twin = start.clone()
        twin.set_trap(Trap(number, dies, after=True))
        told(story.act, twin, file)
        if twin.trap is not None:
            assert number > 1
            return
        for verb in story.undo:
            now = engine.look(twin)
            if now.active.version != story.old or now.phase is not Phase.IDLE or now.memory.open:
                told(does(verb), twin, file)
        now = engine.look(twin)
        assert (now.memory.open, twin.wronged) == (None, []), f"behind call {number}"
        live = (now.phase, now.active.version, now.active.ready)
        assert live == (Phase.IDLE, story.old, True) or now.phase is Phase.EMPTY, f"behind call {number}"
        number += 1


@pytest.mark.parametrize("name", ["deploy", "refused in a hold", "refused in the bake", "rollback"])
def test_a_signal_at_any_call_leaves_no_user_on_what_a_gate_refused(
    name: str, file: ReleaseFile, staged: ReleaseFile
) -> None:
    """The run ends between two acts, but a way back is gone to its end; `resume` does the rest."""
    story = STORIES[name]
    start = prepared(story, file)
    good = start.clone()
    told(story.act, good, file)
    number = 1
    while True:
        twin = start.clone()
        twin.set_trap(Trap(number, asks_to_end))
        told(story.act, twin, file)
        if twin.trap is not None:
            assert number > 1
            return
        now = engine.look(twin)
        slot = now.active if now.phase is Phase.BAKING else now.beside
        assert not (now.refused and now.observed.route.target.has_users(slot.name)), f"call {number}"
        if now.memory.open:
            told(does("resume"), twin, file)
        assert stood(twin) in (stood(good), stood(start)), f"call {number}"
        number += 1


@pytest.mark.parametrize("fault", ["dies", "dips"])
@pytest.mark.parametrize("name", ["deploy", "shift", "shift to all", "promote", "abort", "rollback", "cold rollback"])
def test_a_slot_that_is_lost_at_any_call_gets_no_more_users(
    name: str, fault: str, file: ReleaseFile, staged: ReleaseFile
) -> None:
    """Either slot, for good or until it is ready again; then one verb gives all users to the other, or to itself."""
    story = STORIES[name]
    start = prepared(story, file)
    for slot in SLOTS:
        number = 1
        while True:
            twin = start.clone()
            twin.set_trap(Trap(number, partial(getattr(twin, fault), slot)))
            told(story.act, twin, file)
            if twin.trap is not None:
                assert number > 1
                break
            where = f"{slot} {fault} at call {number}"
            assert twin.wronged == [], where
            twin.dipped.clear()
            for verb in ("abort", "rollback"):
                now = engine.look(twin)
                if not (now.phase is Phase.IDLE and now.active.ready):
                    told(does(verb), twin, file)
            now = engine.look(twin)
            alone = now.active.name == slot and fault == "dies"  # what is beside it had no user, or was taken back
            assert (now.phase is Phase.IDLE and now.active.ready) or alone, where
            number += 1


@pytest.mark.parametrize("hours", [6, -6])
def test_a_clock_that_jumps_sends_nobody_astray(file: ReleaseFile, hours: int) -> None:
    """At any call of a release: a gate may run out of time, but nobody is sent anywhere for that."""
    start = prepared(STORIES["deploy"], file)
    number = 0
    while True:
        number += 1
        twin = start.clone()

        def jump(twin: Faulty = twin) -> None:
            twin.clock += 3600 * hours
            for slot in twin.slots.values():
                slot.started += 3600 * hours  # what runs does not know what time it is

        twin.set_trap(Trap(number, jump))
        try:
            engine.deploy(twin, file, "1.1.0", CALLER)
        except ReleaseError:
            engine.resume(twin, file, BOB)
        assert (twin.wronged, engine.look(twin).drift) == ([], "")
        assert engine.look(twin).active.version == "1.1.0", f"call {number}"
        if twin.trap is not None:
            break
    assert number > 1


def asks_to_end() -> None:
    """SIGTERM, where the run hears it: it takes a few calls of the journal before, and dies there."""
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        raise Killed
    os.kill(os.getpid(), signal.SIGTERM)
