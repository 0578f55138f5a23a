"""What the journal remembers beside the route, folded from its entries; pure."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

import msgspec

from scripts.release.journal import Entry
from scripts.release.route import Target

BACK = ("abort", "rollback", "revert")  # the verbs that move users to the slot they came from


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


class Memory(msgspec.Struct, frozen=True):
    """The journal, folded."""

    fence: int = 0
    routed: tuple[Target, ...] = ()  # what the route may show: the last write seen, and writes begun since
    back: bool = False  # the last of those writes leads back
    active: str = ""  # the last slot that had all users
    role: Role | None = None  # of the slot beside it
    gated: str = ""  # digest of the release whose analysis gate passed, while it is in preview
    refused: str = ""  # digest of the release that a gate refused, until it is taken back or passes
    replacing: str = ""  # digest of the release whose deploy onto the warm slot was begun and not seen done
    baking: bool = False  # the new slot has all users, and the bake has not ended well yet
    warm_until: float | None = None  # Unix seconds
    last: Run | None = None

    def after(self, entry: Entry) -> Memory:
        """This memory and one entry more."""
        return msgspec.structs.replace(
            self, fence=max(self.fence, entry.fence), last=_run(self.last, entry), **_changes(self, entry)
        )


def _changes(memory: Memory, entry: Entry) -> dict[str, object]:
    match entry.phase, entry.step:
        case "adopt", _ if entry.target:
            return {"routed": (entry.target,), "active": entry.target.sole or "", "role": None, "baking": False}
        case "intent", "shift" if entry.target:
            return {"routed": (*memory.routed, entry.target), "back": entry.verb in BACK}
        case "intent", "deploy":
            over_warm = memory.role is Role.WARM or memory.replacing
            replacing = entry.release if over_warm else ""
            return {"role": Role.PREVIEW, "gated": "", "refused": "", "replacing": replacing}
        case "failed", _ if entry.outcome == "fail" and entry.verb not in BACK:
            return {"gated": "", "refused": entry.release}
        case "done", _:
            return _done(memory, entry)
    return {}


def _done(memory: Memory, entry: Entry) -> dict[str, object]:
    found: dict[str, object] = {}
    match entry.step:
        case "deploy":
            found = {"replacing": "", "warm_until": None}
        case "shift" if entry.target:
            found = _shifted(memory, entry.target, back=entry.verb in BACK)
        case "analysis" if entry.outcome == "pass":
            found = {"gated": entry.release, "refused": ""}
        case "bake" if entry.outcome == "pass":
            found = {"refused": ""}
        case "finish":
            found = {"baking": False}
        case "warm":
            found = {"warm_until": entry.until}
        case "retire":
            found = {"role": None, **_NOTHING_UNDER_WAY}
    return found


_NOTHING_UNDER_WAY: dict[str, object] = {"gated": "", "refused": "", "replacing": "", "warm_until": None}


def settle(memory: Memory, target: Target) -> Memory:
    """With the last write begun taken as done where the route shows it: a run killed in between could not say so."""
    if len(memory.routed) < 2 or target != memory.routed[-1] or target == memory.routed[0]:
        return memory
    return msgspec.structs.replace(memory, **_shifted(memory, target, back=memory.back))


def _shifted(memory: Memory, target: Target, *, back: bool) -> dict[str, object]:
    sole = target.sole
    found: dict[str, object] = {"routed": (target,), "active": sole or memory.active}
    if sole and back:
        found |= {"role": Role.REJECTED, **_NOTHING_UNDER_WAY, "baking": False}
    elif sole and memory.active and sole != memory.active:
        found |= {"role": Role.WARM, **_NOTHING_UNDER_WAY, "baking": True}
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
