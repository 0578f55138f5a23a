"""A cold rollback: the slot to go back to is gone, so what had all users before is started again; pure."""

from __future__ import annotations

import msgspec

from scripts.release import stages
from scripts.release.errors import NeedsPerson
from scripts.release.file import ReleaseFile
from scripts.release.memory import Role
from scripts.release.route import Target
from scripts.release.situation import Phase, Situation
from scripts.release.slots import Release
from scripts.release.status import stands
from scripts.release.step import Kind, Step

SWITCH_S = 2.0  # for everything beside the start


class Cold(msgspec.Struct, frozen=True):
    """The plan of a cold rollback, and what a person must hear before it begins."""

    release: Release
    steps: tuple[Step, ...]
    words: str


def plan_cold(now: Situation, file: ReleaseFile) -> Cold:
    """Start the last version that had all users and was not taken back, and give it all users; no gate but readiness.

    Raises NeedsPerson after a rollback, so that nobody goes back two versions by asking twice; where no such version is
    known; or where the database has left its shape behind.
    """
    if now.role is Role.REJECTED:
        raise NeedsPerson(
            f"the last rollback has been done: {stands(now)}. There is no warm slot to go further back to at once; "
            "`primetrade release deploy VERSION` brings an earlier version back through its gates"
        )
    release = _before(now)
    if release is None:
        raise NeedsPerson(
            f"there is no warm slot to roll back to and no earlier version is known: {stands(now)}. "
            "`primetrade release deploy VERSION` brings an earlier version back through its gates"
            + ("; `primetrade release abort` retires the preview" if now.phase is Phase.PREVIEW else "")
        )
    _refuse_shape(now, release)
    slot, bad = now.beside.name, now.active
    seconds = now.memory.starts.get(release.digest, 0.0) or float(file.settings.timeouts.ready)
    at_most = "about" if release.digest in now.memory.starts else "at most"
    words = (
        f"{release.version} is not up any more: it is started again on {slot} first, {at_most} "
        f"{seconds + SWITCH_S:.0f} s; until then {bad.version} keeps all users"
    )
    replicas = max(bad.capacity, file.settings.artefact.replicas)
    target = Target.all_on(slot)
    steps = (
        msgspec.structs.replace(stages.started(slot, release, replicas, file), seconds=seconds),
        Step(Kind.PARITY, slot, f"{slot} is ready and says {release.version}", replicas=replicas),
        Step(Kind.SHIFT, slot, f"{release.version} on {slot} gets all users", target=target),
        Step(Kind.VERIFY, slot, "probes on the users' route see it", target=target),
        Step(Kind.DRAIN, bad.name, f"{bad.name} finishes what it has and gets no more", seconds=1),
        Step(Kind.WARM, bad.name, f"{bad.version} on {bad.name} stays up to be looked into"),
        Step(Kind.FINISH, slot, f"{release.version} on {slot} has all users"),
    )
    return Cold(release, steps, words)


def _before(now: Situation) -> Release | None:
    memory = now.memory
    for digest in reversed(memory.lives):
        if digest not in (now.active.digest, *memory.rejected) and digest in memory.known:
            return memory.known[digest]
    return None


def _refuse_shape(now: Situation, release: Release) -> None:
    level, works = now.memory.level, now.memory.ranges.get(release.digest)
    if level is None or works is None or works.min <= level <= works.max:
        return
    raise NeedsPerson(
        f"{release.version} works with schema levels {works.min} to {works.max}, but the database is at {level}: a "
        "contract step took its shape away, and no rollback passes that. Mend forward: "
        "`primetrade release deploy VERSION`"
    )
