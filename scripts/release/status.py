"""Where a release stands, in words and as data; pure."""

from __future__ import annotations

import msgspec

from scripts.release.journal import Holder
from scripts.release.memory import Role, Run
from scripts.release.situation import Phase, Situation
from scripts.release.slots import Slot


class Line(msgspec.Struct, frozen=True):
    """One slot of a status."""

    slot: str
    role: str  # "active", "preview", "warm", "rejected", "unused"
    version: str
    weight: int  # percent of the users
    state: str  # "ready", "drained", "not ready", "down"


class Status(msgspec.Struct, frozen=True):
    """What `primetrade release status --json` prints."""

    phase: str
    words: str
    slots: tuple[Line, ...]
    warm_until: float | None  # Unix seconds
    last: Run | None
    running: Holder | None  # the run that holds the lock now
    drift: str
    next: str


def status(now: Situation, holder: Holder | None) -> Status:
    """The situation as data."""
    lines = tuple(_line(now, slot) for slot in (now.active, now.beside))
    return Status(
        phase=now.phase,
        words=stands(now),
        slots=lines,
        warm_until=now.memory.warm_until if now.role is Role.WARM else None,
        last=now.memory.last,
        running=holder,
        drift=now.drift,
        next="" if holder else next_command(now),
    )


def stands(now: Situation) -> str:
    """One sentence: who has the users."""
    if now.phase is Phase.EMPTY:
        return "nothing runs in either slot"
    if now.phase is Phase.SHIFTING:
        target = now.observed.route.target
        both = (now.active, now.beside)
        shares = [f"{target.weights.of(s.name)} % on {s.name} ({s.version or 'not running'})" for s in both]
        return ", ".join(shares) + (f", the audience on {target.first}" if target.first else "")
    down = "" if now.active.running else ", which does not run"
    words = f"{now.active.version or 'no release'} on {now.active.name} has all users{down}"
    if now.beside.running and now.role:
        words += f"; {now.beside.version} on {now.beside.name} is {now.role}"
    return words


_NEXT = {
    Phase.EMPTY: "`primetrade release deploy VERSION` starts the first release",
    Phase.PREVIEW: "`primetrade release promote` brings it to the users, `primetrade release abort` retires it",
    Phase.SHIFTING: "`primetrade release promote` goes on, `primetrade release abort` takes it back",
    Phase.BAKING: "`primetrade release promote` watches it to the end, `primetrade release shift --to 100` takes it as "
    "it is, `primetrade release rollback` takes it back",
}


def next_command(now: Situation) -> str:
    """What a person may do next."""
    if now.drift:
        return now.drift[0].upper() + now.drift[1:]
    if now.refused and now.phase in _NEXT:
        return "`primetrade release abort` takes it back: a gate refused it; `primetrade release promote` asks again"
    if now.phase in _NEXT:
        return _NEXT[now.phase]
    if not now.active.running:
        return "`primetrade release rollback` if the other slot is good, otherwise `primetrade local up`"
    back = "; `primetrade release rollback` goes back at once" if now.can_roll_back else ""
    return f"`primetrade release deploy VERSION` starts the next release{back}"


def _line(now: Situation, slot: Slot) -> Line:
    role = now.role or "unused"
    if slot.name == now.active.name:
        role = "active" if slot.running else "down"
    state = "down"
    if slot.running:
        drained = now.role in (Role.WARM, Role.REJECTED) and slot is now.beside
        state = "ready" if slot.ready else "drained" if drained else "not ready"
    return Line(slot.name, str(role), slot.version, now.observed.route.weights.of(slot.name), state)
