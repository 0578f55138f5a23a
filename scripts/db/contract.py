"""The contract step beside releases: refused while one that runs needs the old shape, locked and journalled as they."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path

import msgspec

from app import contract as rows
from app.backfill import BACKFILLS, Progress
from app.maintenance import Report
from app.migrate import MIGRATIONS, Migration, level, read_migrations
from scripts.release.errors import Refused
from scripts.release.journal import Entry, Holder, Phase
from scripts.release.looking import look
from scripts.release.memory import Role
from scripts.release.platform import Platform
from scripts.release.run import utc
from scripts.release.situation import Situation
from scripts.release.slots import Slot

VERB = "contract"
MENDS = {
    Role.PREVIEW: "`primetrade release abort` retires it",
    Role.WARM: "`primetrade release reap` stops it when its warm window is over",
    Role.REJECTED: "`primetrade release reap` stops it",
}


class Job(msgspec.Struct, frozen=True):
    """Which database, for whom, and who hears of it."""

    database_url: str
    actor: str
    reason: str = ""
    report: Report = print
    on_batch: Callable[[Progress], object] = lambda progress: None
    directory: Path = MIGRATIONS
    backfills: Path = BACKFILLS


class Done(msgspec.Struct, frozen=True):
    """What came of it: the level the database has, the file applied ("" for none), and rows mended just before."""

    level: int
    applied: str = ""
    rows: int = 0


def contract(platform: Platform | None, job: Job) -> Done:
    """Apply the next contract step; without a platform nothing is asked and nothing journalled.

    Raises Refused while a slot needs the old shape, Locked during a release, MigrationError.
    """
    file = rows.upcoming(job.database_url, job.directory, job.backfills)
    if file is None:
        return _nothing_left(platform, job)
    if platform:
        refuse(_look(platform), file)
    left = rows.sweep(job.database_url, file, job.on_batch, job.report, job.backfills)
    if platform is None:
        rows.apply(job.database_url, file, job.report, job.directory, job.backfills)
    else:
        _apply_locked(platform, job, file)
    return Done(file.version, file.name, left)


def refuse(now: Situation, file: Migration) -> None:
    """Raises Refused for every slot that does not say that it works with the level the file leads to."""
    found = [
        words
        for slot, role in ((now.active, None), (now.beside, now.role))
        if (words := _refusal(now, slot, role, file.version))
    ]
    if found:
        raise Refused(f"{file.name} leads to schema level {file.version}; nothing was changed:\n" + "\n".join(found))


def _refusal(now: Situation, slot: Slot, role: Role | None, wanted: int) -> str:
    """Why this slot forbids it; "" when it does not. One that does not run, but would be started again, counts."""
    served = now.memory.active == slot.name and now.observed.route.target.has_users(slot.name)
    if not (slot.version or slot.digest or slot.running or served):  # nothing is there
        return ""
    if slot.schema and slot.schema.min <= wanted <= slot.schema.max:
        return ""
    if slot.schema:
        range_ = f"works with schema levels {slot.schema.min} to {slot.schema.max}"
    elif slot.running:
        range_ = "does not say which schema levels it works with (its version probe)"
    else:
        range_ = "does not run, so it does not say which schema levels it works with"
    if slot is now.active:
        mend = f"release a newer version first, one that works with level {wanted}"
    else:
        mend = MENDS[role] if role else "`primetrade release doctor` says how to get rid of it"
    if role is Role.WARM and now.memory.warm_until:
        mend += f" (at {utc(now.memory.warm_until)})"
    name = "active" if slot is now.active else role or "idle"
    return f"  {slot.name} ({name}) is {slot.version or 'what nobody knows'}, which {range_}: {mend}"


def _look(platform: Platform) -> Situation:
    return look(platform).now


def _apply_locked(platform: Platform, job: Job, file: Migration) -> None:
    holder = Holder(job.actor, secrets.token_hex(4), VERB, utc(platform.now()), os.getpid())
    with platform.lock(holder) as fence:
        refuse(_look(platform), file)  # a release may have come while rows were looked after
        run = _Run(platform, msgspec.structs.replace(holder, fence=fence), job.reason)
        run.note("begin", file.version, file.name)
        try:
            rows.apply(job.database_url, file, job.report, job.directory, job.backfills)
        except BaseException as exc:
            run.note("end", file.version, str(exc) or type(exc).__name__, "error")  # it may have been applied in part
            raise
        run.note("done", file.version, file.name)
        run.note("end", file.version, f"the database is at level {file.version}", "done")


def _nothing_left(platform: Platform | None, job: Job) -> Done:
    """Write down a contract step that the journal does not know: applied by a run that was killed, or without slots."""
    now = level(job.database_url)
    steps = [file for file in read_migrations(job.directory) if file.is_contract and file.version <= now]
    if platform and steps and steps[-1].version > _known(platform):
        holder = Holder(job.actor, secrets.token_hex(4), VERB, utc(platform.now()), os.getpid())
        with platform.lock(holder) as fence:
            run = _Run(platform, msgspec.structs.replace(holder, fence=fence), job.reason)
            for phase in ("begin", "done", "end"):
                run.note(phase, steps[-1].version, f"{steps[-1].name}, found applied", "done")
    return Done(now)


def _known(platform: Platform) -> int:
    """The level that the journal says a contract step led to."""
    entries = (entry for entry in platform.journal.read() if entry.verb == VERB and entry.phase == "done")
    return max((entry.level or 0 for entry in entries), default=0)


class _Run:
    """What its entries share."""

    def __init__(self, platform: Platform, holder: Holder, reason: str) -> None:
        self.platform, self.holder, self.reason = platform, holder, reason

    def note(self, phase: Phase, level: int, words: str, outcome: str = "") -> None:
        at = self.platform.now()
        entry = Entry(
            at=at,
            time=utc(at),
            run=self.holder.run,
            fence=self.holder.fence,
            verb=VERB,
            actor=self.holder.actor,
            phase=phase,
            reason=self.reason,
            step=VERB,
            level=level,
            outcome=outcome,
            words=words,
        )
        self.platform.journal.append(entry)
