"""Where a release stands, in words and as data; pure."""

from __future__ import annotations

import msgspec

from scripts.release.deadlines import closed, watch_again, watched
from scripts.release.journal import Entry, Holder
from scripts.release.memory import BACK, Open, Role, Run
from scripts.release.situation import Phase, Situation
from scripts.release.slots import Range, Slot
from scripts.release.step import Kind


class Line(msgspec.Struct, frozen=True):
    """One slot of a status."""

    slot: str
    role: str  # "active", "preview", "warm", "rejected", "unused"
    version: str
    weight: int  # percent of the users
    state: str  # "ready", "drained", "not ready", "down"
    replicas: int
    schema: Range | None  # database levels it works with; None where it does not say


class Place(msgspec.Struct, frozen=True):
    """How far a run has come in its plan: that of the run at work, or that of one which ended before its end."""

    run: str
    verb: str
    version: str
    actor: str
    step: str  # the one under way, or the next one
    number: int  # of that step, from 1
    of: int
    words: str  # what that step is
    mend: str  # the command that goes on from there


class Deadline(msgspec.Struct, frozen=True):
    """Something that has its time."""

    what: str
    until: float  # Unix seconds
    then: str
    overdue: str = "`primetrade release reap` carries it out"  # what there is to do after that time


class Status(msgspec.Struct, frozen=True):
    """What `primetrade release status --json` prints."""

    phase: str
    words: str
    slots: tuple[Line, ...]
    stage: str  # who reaches the release beside the shares: "shadow", "audience", both, or ""
    warm_until: float | None  # Unix seconds
    deadlines: tuple[Deadline, ...]
    last: Run | None
    running: Holder | None  # the run that holds the lock now
    current: Place | None  # where the run at work is
    unfinished: Place | None  # where a run ended before its plan did
    newest: Entry | None  # the journal's last line
    drift: str
    next: str


def status(now: Situation, holder: Holder | None, newest: Entry | None = None) -> Status:
    """The situation as data."""
    place = _place(now)
    at_work = holder is not None and place is not None and place.run == holder.run
    return Status(
        phase=now.phase,
        words=stands(now),
        slots=tuple(_line(now, slot) for slot in (now.active, now.beside)),
        stage=_stage(now),
        warm_until=now.memory.warm_until if now.role is Role.WARM else None,
        deadlines=_deadlines(now, at_work=at_work),
        last=now.memory.last,
        running=holder,
        current=place if at_work else None,
        unfinished=None if holder else place,
        newest=newest,
        drift=now.drift,
        next="" if holder else next_command(now),
    )


def stands(now: Situation) -> str:
    """One sentence: who has the users."""
    if now.phase is Phase.EMPTY:
        found = now.beside
        return (
            f"nothing is live, {found.version} on {found.name} runs" if found.running else "nothing runs in either slot"
        )
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
    if (now.phase is Phase.SHIFTING or now.alone) and (why := closed(now)):
        return why
    if now.refused and now.phase in _NEXT:
        return "`primetrade release abort` takes it back: a gate refused it; `primetrade release promote` asks again"
    if now.memory.waiting:
        back = "`primetrade release approve` goes on with it, `primetrade release abort` takes it back"
        return closed(now) or back
    if now.memory.open and now.memory.open.verb in BACK and not dead_end(now, now.memory.open):
        return f"`primetrade release resume` ends the {now.memory.open.verb} that was begun"
    return _NEXT.get(now.phase) or _idle(now)


def dead_end(now: Situation, found: Open) -> bool:
    """Whether a way back leads to a slot that does not run, and does not start it itself."""
    kinds = [step.kind for step in found.left]
    leads = [step.slot for step in found.left if step.kind is Kind.SHIFT]
    dead = not all(now.observed.slots[slot].running for slot in leads)
    return found.verb in BACK and Kind.DEPLOY not in kinds and dead


def _idle(now: Situation) -> str:
    if not now.active.running and now.can_roll_back:
        return "`primetrade release rollback` if the other slot is good, otherwise see `primetrade release doctor`"
    if not now.active.running:
        return "`primetrade release deploy VERSION` gives the users another one; see `primetrade release doctor`"
    if now.memory.open and dead_end(now, now.memory.open):
        return (
            "`primetrade release rollback` starts the version before again, `primetrade release abort` gives up the "
            f"{now.memory.open.verb} that was begun: the slot it led to does not run any more"
        )
    if now.memory.open:
        begun = f"the {now.memory.open.verb} that was begun"
        return f"`primetrade release resume` goes on with {begun}, `primetrade release abort` gives it up"
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
    weight = now.observed.route.weights.of(slot.name)
    return Line(slot.name, str(role), slot.version, weight, state, slot.capacity, slot.schema)


def _stage(now: Situation) -> str:
    target = now.observed.route.target
    return " and ".join(word for word, slot in (("shadow", target.mirror), ("audience", target.first)) if slot)


def _place(now: Situation) -> Place | None:
    found = now.memory.open
    if found is None:
        return None
    number = min(found.done + 1, len(found.steps))
    step = found.steps[number - 1]
    mend = "primetrade release approve" if now.memory.waiting else "primetrade release resume"
    return Place(
        run=found.run,
        verb=found.verb,
        version=found.version,
        actor=found.actor,
        step=step.kind,
        number=number,
        of=len(found.steps),
        words=step.words,
        mend="primetrade release rollback" if dead_end(now, found) else mend,
    )


def _deadlines(now: Situation, *, at_work: bool) -> tuple[Deadline, ...]:
    found = []
    if watching := watched(now):
        what, then, overdue = str(watching), "it stops, undecided", "it is about to stop, undecided"
        if not at_work:
            what, then, overdue = f"{watching}, which nobody watches", "it is overdue", watch_again(now)
        found.append(Deadline(what, watching.until, then, overdue))
    if waiting := now.memory.waiting:
        what = f"approval of {waiting.version} for {waiting.name}"
        if why := closed(now):
            found.append(Deadline(what, waiting.until, "it is overdue", why))
        else:
            found.append(Deadline(what, waiting.until, "it is taken back"))
    if now.role in (Role.WARM, Role.REJECTED) and now.memory.warm_until is not None:
        found.append(Deadline(f"{now.beside.name} is {now.role}", now.memory.warm_until, "it is stopped"))
    return tuple(found)
