"""What the journal remembers beside the route, folded from its entries; pure."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

import msgspec

from scripts.release.journal import Entry
from scripts.release.route import Target
from scripts.release.slots import Range, Release
from scripts.release.step import Step

BACK = ("abort", "rollback", "revert")  # the verbs that move users to the slot they came from
SETTLED = ("done", "reverted", "refused")  # how a run ends that leaves nothing to go on with


class Role(StrEnum):
    """What the slot beside the active one is kept for."""

    PREVIEW = "preview"  # the next release
    WARM = "warm"  # the last active one, kept for instant rollback
    REJECTED = "rejected"  # a release that was taken back; kept only to be looked into


class Run(msgspec.Struct, frozen=True):
    """One command that changed something, or tried to."""

    run: str
    verb: str
    actor: str
    began: str  # ISO 8601, UTC
    version: str = ""
    reason: str = ""
    outcome: str = ""  # "" while it runs, or when it was killed
    words: str = ""
    ended: str = ""


class Open(msgspec.Struct, frozen=True):
    """A plan that was not carried out to its end, or is being carried out now."""

    run: str
    verb: str
    actor: str
    version: str
    release: str  # digest
    file: str  # digest of the release.yaml it was made with
    steps: tuple[Step, ...]
    spec: Release | None = None  # what a deploy brings
    done: int = 0  # steps seen done
    failed: str = ""  # why a gate refused the release, when its way back was not begun

    @property
    def left(self) -> tuple[Step, ...]:
        """The steps that were not seen done."""
        return self.steps[self.done :]


class Waiting(msgspec.Struct, frozen=True):
    """An approval point that a release stands at."""

    name: str
    release: str  # digest
    version: str
    until: float  # Unix seconds; then the release is taken back by whichever command comes next


class Watching(msgspec.Struct, frozen=True):
    """A gate that began to look at users' traffic, and has neither passed nor refused the release since."""

    gate: str  # "hold" or "bake"
    slot: str
    whose: str  # traffic: "50 %", "shadow", "audience", "all users"
    release: str  # digest
    version: str
    until: float  # Unix seconds; then it stops undecided, and with no run at work nobody watches

    def __str__(self) -> str:
        return f"{self.gate} of {self.version} on {self.slot} ({self.whose})"


class Memory(msgspec.Struct, frozen=True):
    """The journal, folded."""

    fence: int = 0
    routed: tuple[Target, ...] = ()  # what the route may show: the last write seen, and writes begun since
    back: bool = False  # the last of those writes leads back
    active: str = ""  # the last slot that had all users
    role: Role | None = None  # of the slot beside it
    gated: str = ""  # digest of the release whose gates before any user passed, while it is in preview
    refused: str = ""  # digest of the release that a gate refused, until it is taken back or passes
    replacing: str = ""  # digest of the release whose deploy onto the warm slot was begun and not seen done
    baking: bool = False  # the new slot has all users, and the bake has not ended well yet
    warm_until: float | None = None  # Unix seconds
    last: Run | None = None
    open: Open | None = None
    waiting: Waiting | None = None
    watching: Watching | None = None
    approved: tuple[tuple[str, str], ...] = ()  # (digest, approval point) of the release under way
    level: int | None = None  # of the database, as the last expand or contract left it
    known: dict[str, Release] = {}  # by digest: what can be started again
    ranges: dict[str, Range] = {}  # by digest: the database levels it works with
    starts: dict[str, float] = {}  # by digest: seconds it last took to get ready
    ran: dict[str, str] = {}  # slot → digest of what was last started there
    lives: tuple[str, ...] = ()  # digests that had all users, oldest first
    rejected: tuple[str, ...] = ()  # digests that were taken back
    began: float = 0.0  # of the last intent; Unix seconds

    def after(self, entry: Entry) -> Memory:
        """This memory and one entry more. What a run wrote after it had lost its lock counts for nothing."""
        if entry.fence < self.fence:
            return self
        memory = self._begun(entry.target) if entry.phase == "begin" and entry.target else self
        changes = {"open": _open(memory.open, entry), **_changes(memory, entry)}
        return msgspec.structs.replace(memory, fence=entry.fence, last=_run(memory.last, entry), **changes)

    def _begun(self, target: Target) -> Memory:
        """What a run found when it began: the route that the writes before it left, or the first one of all."""
        settled = settle(self, target)
        return settled if settled.routed else msgspec.structs.replace(settled, routed=(target,))


def _changes(memory: Memory, entry: Entry) -> dict[str, object]:
    found: dict[str, object] = {}
    match entry.phase, entry.step:
        case "adopt", _ if entry.target:
            found = _adopted(memory, entry, entry.target)
        case "begin", _:
            found = _begun(memory, entry)
        case "intent", "shift" if entry.target:
            ran = memory.ran if entry.verb in BACK else {**memory.ran, entry.slot: entry.release}
            found = {"routed": (*memory.routed, entry.target), "back": entry.verb in BACK, "ran": ran}
        case "intent", "deploy":
            found = _deploying(memory, entry)
        case "failed", _:
            found = _failed(memory, entry)
        case "watch", _ if entry.until is not None:
            words = entry.step, entry.slot, entry.name, entry.release, entry.version
            found = {"watching": Watching(*words, entry.until)}
        case "wait", _ if entry.until is not None:
            found = {"waiting": Waiting(entry.name, entry.release, entry.version, entry.until)}
        case "approve", _:
            found = {"waiting": None, "approved": (*memory.approved, (entry.release, entry.name))}
        case "done", _:
            found = _done(memory, entry)
    return found


def _failed(memory: Memory, entry: Entry) -> dict[str, object]:
    if entry.level is not None:  # a migration that ended elsewhere
        return {"level": max(memory.level or 0, entry.level)}
    if entry.outcome == "fail" and entry.verb not in BACK:
        return {"gated": "", "refused": entry.release, "watching": None}
    return {}


def _begun(memory: Memory, entry: Entry) -> dict[str, object]:
    found: dict[str, object] = {}
    if entry.step == "contract" and entry.level is not None:  # once begun, its shape may be gone
        found["level"] = max(memory.level or 0, entry.level)
    if entry.verb in (*BACK, "shift"):  # these answer an approval that is waited for
        found["waiting"] = None
    if entry.spec:
        found["known"] = {**memory.known, entry.release: entry.spec}
    return found


def _adopted(memory: Memory, entry: Entry, target: Target) -> dict[str, object]:
    found: dict[str, object] = {"routed": (target,), "active": target.sole or "", **_UNKNOWN}
    if entry.spec and target.sole:
        found["known"] = {**memory.known, entry.spec.digest: entry.spec}
        found["ran"] = {**memory.ran, target.sole: entry.spec.digest}
        found["lives"] = (*memory.lives, entry.spec.digest)
    return found


def _deploying(memory: Memory, entry: Entry) -> dict[str, object]:
    over_warm = memory.role is Role.WARM or memory.replacing
    ends_bake: dict[str, object] = {} if entry.verb in BACK else {"baking": False}  # what brings another release
    return {
        **ends_bake,
        "role": Role.PREVIEW,
        "gated": "",
        "refused": "",
        "replacing": entry.release if over_warm else "",
        "waiting": None,
        "watching": None,
        "approved": (),
        "began": entry.at,
    }


def _done(memory: Memory, entry: Entry) -> dict[str, object]:
    found: dict[str, object] = {}
    match entry.step:
        case "expand" | "contract" if entry.level is not None:
            found = {"level": max(memory.level or 0, entry.level)}
        case "deploy":
            starts = {**memory.starts, entry.release: entry.at - memory.began} if memory.began else memory.starts
            ran = {**memory.ran, entry.slot: entry.release}
            found = {"replacing": "", "warm_until": None, "starts": starts, "ran": ran}
        case "parity" if entry.schema:
            found = {"ranges": {**memory.ranges, entry.release: entry.schema}}
        case "shift" if entry.target:
            found = _shifted(memory, entry.target, back=entry.verb in BACK)
        case "analysis" if entry.outcome == "pass":
            found = {"gated": entry.release, "refused": ""}
        case "hold" | "bake" if entry.outcome == "pass":
            found = {"refused": "" if entry.step == "bake" else memory.refused, "watching": None}
        case "finish":
            found = _finished(memory, entry)
        case "warm":
            found = {"warm_until": entry.until}
        case "retire":
            found = {"role": None, **_NOTHING_UNDER_WAY}
    return found


def _finished(memory: Memory, entry: Entry) -> dict[str, object]:
    if entry.verb != "abort" or memory.role is not Role.PREVIEW:
        return {"baking": False, "watching": None}
    # Given up before it was there: a warm slot that it meant to take stays as warm as it was.
    role, kept = (Role.WARM, memory.warm_until) if memory.replacing else (None, None)
    return {**_NOTHING_UNDER_WAY, "role": role, "warm_until": kept, "baking": False}


_UNKNOWN: dict[str, object] = {"role": None, "baking": False, "watching": None}
_NOTHING_UNDER_WAY: dict[str, object] = {
    "gated": "",
    "refused": "",
    "replacing": "",
    "warm_until": None,
    "waiting": None,
    "watching": None,
    "approved": (),
}


def settle(memory: Memory, target: Target) -> Memory:
    """With the last write begun taken as done where the route shows it: a run killed in between could not say so."""
    if len(memory.routed) < 2 or target != memory.routed[-1] or target == memory.routed[0]:
        return memory
    return msgspec.structs.replace(memory, **_shifted(memory, target, back=memory.back))


def _shifted(memory: Memory, target: Target, *, back: bool) -> dict[str, object]:
    sole = target.sole
    found: dict[str, object] = {"routed": (target,), "active": sole or memory.active, "watching": None}
    if sole and (digest := memory.ran.get(sole)) and memory.lives[-1:] != (digest,):
        found["lives"] = (*memory.lives, digest)
    if sole and back and sole == memory.active and memory.role is Role.WARM:
        pass  # a route edited by hand is put right: what was warm is warm still
    elif sole and back:
        found |= {"role": Role.REJECTED, **_NOTHING_UNDER_WAY, "baking": False}
        bad = next((memory.ran[slot] for slot in memory.ran if slot != sole), "")
        found["rejected"] = (*memory.rejected, bad) if bad and bad not in memory.rejected else memory.rejected
    elif sole and not memory.active:  # the first release
        found |= {"role": None, **_NOTHING_UNDER_WAY}
    elif sole and sole != memory.active:
        found |= {"role": Role.WARM, **_NOTHING_UNDER_WAY, "baking": True}
        found["rejected"] = tuple(each for each in memory.rejected if each != memory.ran.get(sole))
    return found


def _open(found: Open | None, entry: Entry) -> Open | None:
    match entry.phase:
        case "begin" if entry.plan:
            return Open(
                run=entry.run,
                verb=entry.verb,
                actor=entry.actor,
                version=entry.version,
                release=entry.release,
                file=entry.file,
                steps=entry.plan,
                spec=entry.spec,
            )
        case "turn" if found:
            return msgspec.structs.replace(found, verb=entry.verb, steps=entry.plan, done=0, failed="")
        case "failed" if found and entry.outcome == "fail" and entry.verb not in BACK:
            return msgspec.structs.replace(found, failed=entry.words)
        case "done" if found and found.run == entry.run and found.left and found.left[0].kind == entry.step:
            return msgspec.structs.replace(found, done=found.done + 1)
        case "end" if found and found.run == entry.run and entry.outcome in SETTLED:
            return None
    return found


def _run(run: Run | None, entry: Entry) -> Run | None:
    if entry.phase == "begin":
        return Run(entry.run, entry.verb, entry.actor, entry.time, entry.version, entry.reason)
    if run is None or entry.phase != "end" or entry.run != run.run:
        return run
    return msgspec.structs.replace(run, outcome=entry.outcome, words=entry.words, ended=entry.time)


def remember(entries: Iterable[Entry]) -> Memory:
    """The memory of a whole journal, oldest entry first."""
    memory = Memory()
    for entry in entries:
        memory = memory.after(entry)
    return memory


def runs(entries: Iterable[Entry]) -> list[Run]:
    """Every run of a journal, oldest first."""
    found: dict[str, Run] = {}
    for entry in entries:
        if run := _run(found.get(entry.run), entry):
            found[entry.run] = run
    return list(found.values())
