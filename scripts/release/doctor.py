"""What is not as it should be between route, slots, journal, lock and release file, and the verb that mends each."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator

import msgspec

from scripts.release.deadlines import closed, due, unapproved, watch_again, watched
from scripts.release.errors import ReleaseError
from scripts.release.file import ReleaseFile
from scripts.release.journal import Holder
from scripts.release.looking import look
from scripts.release.memory import BACK, Memory, Role
from scripts.release.platform import Platform
from scripts.release.run import utc
from scripts.release.situation import Phase, Situation
from scripts.release.slots import UNKNOWN, Slot
from scripts.release.status import dead_end

SLACK_S = 1800.0  # what a run may take over the limits of its steps: migrations have one of their own
UNPLANNED = ("contract",)  # verbs without a plan: a step of theirs takes as long as the table it changes
STUCK = ("", "error", "needs a person")  # how a run ended that nobody meant to end there; "" when it was killed


class Drift(msgspec.Struct, frozen=True):
    """One finding: where, what, and the command that mends it."""

    where: str  # "route", "lock", "journal", "release.yaml", a slot, or the platform
    what: str
    mend: str


class Seen(msgspec.Struct, frozen=True):
    """What the findings are made of."""

    now: Situation
    file: ReleaseFile
    at: float  # Unix seconds
    holder: Holder | None = None
    revive: str = ""  # what starts a slot again that does not run


def examine(platform: Platform, file: ReleaseFile) -> tuple[Drift, ...]:
    """Everything that is wrong with a platform; what cannot be read is a finding too."""
    told = (*_lost(file), *(Drift(platform.name, each.what, f"`{each.mend}`") for each in platform.diagnose()))
    try:
        platform.journal.read()
    except ReleaseError as exc:
        return (*told, Drift("journal", str(exc), "`primetrade release reap`, once that is mended"))
    try:
        now, holder, _ = look(platform)
    except ReleaseError as exc:
        return (*told, Drift(platform.name, str(exc), platform.revive))
    return (*told, *diagnose(Seen(now, file, platform.now(), holder, platform.revive)))


def _lost(file: ReleaseFile) -> Iterator[Drift]:
    if file.lost:
        mend = "mend it: commands forward need it, those on the way back go by the copy of the last one that was used"
        yield Drift(file.path.name, file.lost, mend)


def diagnose(seen: Seen) -> tuple[Drift, ...]:
    """The findings, the most urgent first; pure. What a run at work is about to settle is none."""
    checks: tuple[Check, ...] = (_users, _other_version, _schema, _lock)
    if _behind(seen.now):  # it cannot be asked who put what where
        checks = (_journal, *checks)
    elif seen.holder:
        checks = (_route, *checks)
    else:
        checks = (_route, *checks, _killed, _preview_gone, _warm_gone, _stranger, _overdue, _unwatched, _file)
    return tuple(found for check in checks for found in check(seen))


Check = Callable[[Seen], Iterator[Drift]]


def _route(seen: Seen) -> Iterator[Drift]:
    now = seen.now
    if now.drift and not now.observed.route.lost:  # that only the platform can name
        what = f"it says {now.observed.route.target}, the last run wrote {now.memory.routed[-1]}: edited by hand"
        yield Drift("route", what, "`primetrade release abort` puts all users back on the active slot")


def _users(seen: Seen) -> Iterator[Drift]:
    """Slots with users that do not run."""
    now = seen.now
    for slot in (now.active, now.beside):
        if slot.running or not _has_users(now, slot) or now.memory == Memory():  # nothing was ever released
            continue
        if slot is now.beside and now.active.running:
            mend = "`primetrade release abort` gives them to the other slot"
        elif now.can_roll_back:
            mend = "`primetrade release rollback` gives them to the other slot"
        else:
            mend = f"{seen.revive}, `primetrade release deploy VERSION` gives its users another one"
        yield Drift(slot.name, f"it has users and does not run; its log: {slot.log or 'none'}", mend)


def _other_version(seen: Seen) -> Iterator[Drift]:
    for slot in (seen.now.active, seen.now.beside):
        if slot.running and slot.says not in ("", slot.version):
            yield Drift(slot.name, f"it was started as {slot.version} and says it is {slot.says}", _rid(seen, slot))


def _schema(seen: Seen) -> Iterator[Drift]:
    level = seen.now.memory.level
    for slot in (seen.now.active, seen.now.beside):
        works = slot.schema
        if slot.running and level is not None and works and not works.min <= level <= works.max:
            what = f"{slot.version} works with schema levels {works.min} to {works.max}, the database is at {level}"
            yield Drift(slot.name, what, _rid(seen, slot))


def _lock(seen: Seen) -> Iterator[Drift]:
    holder, found = seen.holder, seen.now.memory.open
    if holder is None or holder.verb in UNPLANNED:
        return
    longest = SLACK_S + sum(max(step.seconds, step.limit) for step in (found.steps if found else ()))
    if seen.at - dt.datetime.fromisoformat(holder.since).timestamp() > longest:
        what = (
            f"{holder.actor} holds it since {holder.since} ({holder.verb}, run {holder.run}, process {holder.pid}), "
            f"and no run of that plan takes longer than {longest / 60:.0f} min"
        )
        yield Drift("lock", what, "`primetrade release unlock --force --reason WHY` takes it")


def _behind(now: Situation) -> bool:
    """Whether a run that the journal does not know of wrote the route."""
    return now.observed.route.fence > now.memory.fence


def _journal(seen: Seen) -> Iterator[Drift]:
    route, empty = seen.now.observed.route, seen.now.memory == Memory()
    what = (
        f"it {'is missing or empty' if empty else 'ends too early'}: run {route.run} wrote the route and is not in it"
    )
    mend = "`primetrade release reap` takes over what is there as it is"
    yield Drift("journal", what, mend if empty else f"put a newer copy back, or move the file away and {mend}")


def _killed(seen: Seen) -> Iterator[Drift]:
    now, memory = seen.now, seen.now.memory
    found = memory.open
    ended = _ended(memory)
    if found is None or ended not in STUCK or memory.waiting or now.drift:  # what mends the route ends the run too
        return
    how = f"ended ({ended})" if ended else "was killed"
    back = ""
    if found.verb not in BACK and not found.failed:
        back = ", `primetrade release abort` takes it back"
        if now.can_roll_back:
            back = ", `primetrade release rollback` takes it back"
    left = f"{len(found.left)} step{'s' * (len(found.left) != 1)}"
    what = f"run {found.run} ({found.verb} {found.version} by {found.actor}) {how} with {left} to go"
    mend = f"`primetrade release resume` goes on with it{back}"
    if dead_end(now, found):
        mend = "`primetrade release rollback` goes back anew: the slot that it led to does not run any more"
    yield Drift("journal", what, mend)


def _ended(memory: Memory) -> str:
    """How the run ended whose plan is not carried to its end."""
    found, last = memory.open, memory.last
    return last.outcome if found and last and last.run == found.run else ""


def _preview_gone(seen: Seen) -> Iterator[Drift]:
    now, memory = seen.now, seen.now.memory
    put = memory.ran.get(now.beside.name)
    if (
        memory.role is Role.PREVIEW
        and put == memory.gated
        and not now.beside.running
        and not _has_users(now, now.beside)
    ):
        version = memory.known[put].version if put in memory.known else "VERSION"
        what = f"{version} waits here for its users in the journal, and does not run"
        yield Drift(now.beside.name, what, f"`primetrade release deploy {version}` brings it again")


def _warm_gone(seen: Seen) -> Iterator[Drift]:
    now = seen.now
    if now.memory.role is Role.WARM and not now.beside.running and not _has_users(now, now.beside):
        what = "it was kept warm and does not run any more: a rollback would have to start it first"
        yield Drift(now.beside.name, what, seen.revive)


def _stranger(seen: Seen) -> Iterator[Drift]:
    """A slot that somebody changed by hand; one that has users lost the pods of theirs to it."""
    now = seen.now
    for slot in (now.active, now.beside):
        put = now.memory.ran.get(slot.name)
        if slot.running and put is not None and slot.digest not in (put, UNKNOWN):
            what = f"no run put {slot.version} ({slot.digest}) there"
            if _has_users(now, slot):
                meant = f"{now.memory.known[put].version} ({put})" if put in now.memory.known else put
                what += f", and it has users: they were given {meant}, and somebody replaced it by hand"
            yield Drift(slot.name, what, _rid(seen, slot))


def _overdue(seen: Seen) -> Iterator[Drift]:
    if found := due(seen.now, seen.at):
        yield Drift("deadline", found.why, "`primetrade release reap` carries it out")
    elif not seen.now.drift and (why := unapproved(seen.now, seen.at)):
        yield Drift("deadline", f"{why}, and it cannot be taken back", closed(seen.now))


def _unwatched(seen: Seen) -> Iterator[Drift]:
    """A gate that said itself that it cannot decide ended as it should."""
    found = watched(seen.now)
    if found and seen.at >= found.until and _ended(seen.now.memory) != "inconclusive":
        what = f"{found} had to be decided by {utc(found.until)}, is not, and nobody watches"
        yield Drift("deadline", what, watch_again(seen.now))


def _file(seen: Seen) -> Iterator[Drift]:
    found = seen.now.memory.open
    if found and found.verb not in BACK and found.file != seen.file.digest:
        what = f"its digest is {seen.file.digest}; run {found.run}, which is not finished, began with {found.file}"
        mend = "restore it, or go on by the new one with `primetrade release promote`"
        yield Drift(seen.file.path.name, what, mend)


def _has_users(now: Situation, slot: Slot) -> bool:
    return now.observed.route.target.has_users(slot.name)


def _rid(seen: Seen, slot: Slot) -> str:
    """The command that gets rid of what runs in a slot."""
    now = seen.now
    if now.phase in (Phase.PREVIEW, Phase.SHIFTING):
        after = "" if slot is now.beside else ", and then `primetrade release deploy VERSION` brings another"
        return f"`primetrade release abort` takes back what is under way{after}"
    if slot is now.active and now.can_roll_back:
        return "`primetrade release rollback` gives the users to the other slot"
    return "`primetrade release deploy VERSION` brings one through its gates"
