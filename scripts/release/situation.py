"""Where a service stands between releases: the route and the slots, read with the journal's memory; pure."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from scripts.release.memory import BACK, Memory, Role, settle
from scripts.release.route import SLOTS, other
from scripts.release.slots import Observed, Slot


class Phase(StrEnum):
    """What may come next depends on this."""

    EMPTY = "empty"  # nothing is live yet: the next deploy is the first
    IDLE = "idle"  # one slot has all users and no release is under way
    PREVIEW = "preview"  # a release waits beside the active slot and has no users
    SHIFTING = "shifting"  # both slots have users
    BAKING = "baking"  # the new slot has all users and is being watched


class Situation(msgspec.Struct, frozen=True):
    """Who is what, now."""

    observed: Observed
    memory: Memory
    phase: Phase
    active: Slot  # has the users, or had all of them before the shift began
    beside: Slot
    role: Role | None  # of `beside`; None when nothing runs there or nobody knows why it does
    drift: str  # what is not as the journal left it, in words; "" when all is

    @property
    def refused(self) -> bool:
        """Whether a gate refused the release under way, and it was not taken back."""
        slot = self.active if self.phase is Phase.BAKING else self.beside
        return bool(slot.digest) and self.memory.refused == slot.digest

    @property
    def alone(self) -> bool:
        """Whether a release that was refused, or whose way back failed, has all users and no slot to give them to."""
        back = self.memory.open is not None and self.memory.open.verb in BACK
        return self.phase is Phase.BAKING and not self.beside.running and (self.refused or back)

    @property
    def can_roll_back(self) -> bool:
        """A slot that had the users before, or still has its share, is up."""
        by_hand = bool(self.drift) and self.memory.active == self.beside.name and self.active.running
        return self.phase is Phase.SHIFTING or by_hand or (self.role is Role.WARM and self.beside.running)


def situation(observed: Observed, memory: Memory) -> Situation:
    """Read the route with the journal; where the two disagree the route is the truth and `drift` says so."""
    target, weights = observed.route.target, observed.route.weights
    drift = ""
    if memory.routed and target not in memory.routed:
        drift = (
            f"the route says {target}, but the last run wrote {memory.routed[-1]}: somebody edited it by hand. "
            "`primetrade release abort` puts all users back on the active slot"
        )
    if lost := observed.route.lost:
        drift = (
            f"{lost}; until then it is taken to say {target}. `primetrade release abort` writes one with all users on "
            "the active slot"
        )
    memory = settle(memory, target)
    heavier = max(SLOTS, key=weights.of)
    name = weights.sole or memory.active or heavier
    active, beside = observed.slots[name], observed.slots[other(name)]
    same = memory.active in ("", name)  # otherwise the journal speaks of slots the other way round
    role = memory.role if same and beside.running else None
    if role is Role.PREVIEW and memory.replacing not in ("", beside.digest):
        role = Role.WARM  # a deploy was begun and killed before it touched the slot
    first = memory.open is not None and not memory.active  # a release that nothing was live before
    if not active.running and (first or not beside.running):
        phase, drift = Phase.EMPTY, ""  # with nobody served, any route is as good as another
    elif target.sole is None:
        phase = Phase.SHIFTING
    elif same and memory.baking:
        phase = Phase.BAKING
    else:
        phase = Phase.PREVIEW if role is Role.PREVIEW else Phase.IDLE
    return Situation(observed, memory, phase, active, beside, role, drift)
