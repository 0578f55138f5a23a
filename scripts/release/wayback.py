"""The plan that brings users back to the slot they came from; pure."""

from __future__ import annotations

from scripts.release.errors import NeedsPerson
from scripts.release.memory import Role
from scripts.release.route import Target
from scripts.release.situation import Phase, Situation
from scripts.release.slots import Slot
from scripts.release.step import Kind, Step


def plan_back(now: Situation, *, retire: bool, to_warm: bool = False, refused: str = "") -> tuple[Step, ...]:
    """All users to the slot they came from, no gate on the way; the other one drained, and retired if asked.

    `to_warm`: where both slots have users, the one kept warm is the good one, not the one that was live last.
    `refused`: the slot that a gate has just refused, which is never the good one, whatever the journal says.
    A route edited by hand is overwritten: at three in the morning the way back must be open. Raises NeedsPerson
    where there is no way back.
    """
    good, bad = (now.beside, now.active) if _came_from_beside(now, to_warm, refused) else (now.active, now.beside)
    target = Target.all_on(good.name)
    steps: list[Step] = []
    moves = now.observed.route.target != target or bool(now.drift)
    if moves:
        if not good.running:
            raise NeedsPerson(_no_way(now, good, bad))
        steps += [
            *_ready(now, good, bad.capacity),
            Step(Kind.SHIFT, good.name, f"{good.version} on {good.name} gets all users", target=target),
            Step(Kind.VERIFY, good.name, "probes on the users' route see it", target=target),
        ]
    if bad.running and (moves or not retire):
        steps.append(Step(Kind.DRAIN, bad.name, f"{bad.name} finishes what it has and gets no more", seconds=1))
    if retire:
        steps.append(Step(Kind.RETIRE, bad.name, f"{bad.version} on {bad.name} is stopped", seconds=1))
    elif bad.running:
        steps.append(Step(Kind.WARM, bad.name, f"{bad.version} on {bad.name} stays up to be looked into"))
    return (*steps, Step(Kind.FINISH, good.name, f"{good.version or 'nothing'} on {good.name} has all users"))


def _ready(now: Situation, good: Slot, serves: int) -> tuple[Step, ...]:
    """The slot takes requests again; where it has no users yet in all its replicas, and in as many as serve now."""
    words, replicas = f"{good.name} takes requests again", max(good.wanted, serves)
    if good.capacity >= replicas or now.observed.route.target.has_users(good.name):
        return (Step(Kind.UNDRAIN, good.name, words),)
    grows = f"{good.name} grows to {replicas} replicas, as many as serve now"
    if replicas > serves:
        grows = f"{good.name} has {good.capacity} of its {replicas} replicas: all of them are asked for"
    return (
        Step(Kind.UNDRAIN, good.name, words, replicas=replicas),
        Step(Kind.SCALE, good.name, grows, seconds=3, replicas=replicas),
    )


def _no_way(now: Situation, good: Slot, bad: Slot) -> str:
    """Why nobody can be brought back, and the verb that leads on."""
    words = f"{good.name} does not run, so there is no slot to go back to ({bad.name} serves {bad.version}): "
    if now.alone:
        again = "`primetrade release rollback` starts the last version again"
        return words + f"{again}, `primetrade release deploy VERSION` brings another one"
    if now.phase is Phase.BAKING:
        return words + "`primetrade release rollback` starts the last version again first"
    if now.phase is Phase.SHIFTING:
        verbs = "`primetrade release shift --to 100` or `primetrade release rollback`"
        return words + f"{verbs} gives all users to {bad.name}"
    return words + f"`primetrade release deploy {good.version or 'VERSION'}` starts it anew"


def _came_from_beside(now: Situation, to_warm: bool, refused: str) -> bool:
    """Whether the slot that is not the active one is the one to go back to."""
    if refused:
        return refused == now.active.name
    if now.drift and now.beside.running and not now.active.running:
        return True
    if now.phase is Phase.SHIFTING:
        return to_warm and (now.role is Role.WARM or not now.active.running)
    if now.phase in (Phase.PREVIEW, Phase.EMPTY):
        return False
    if now.memory.active == now.beside.name and now.beside.running:  # moved by hand
        return not to_warm
    return now.phase is Phase.BAKING or (to_warm and now.role is Role.WARM)
