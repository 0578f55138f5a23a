"""The release engine: each verb is a plan, carried out step by step under the lock and written to the journal.

intent → act (idempotent, with a precondition) → seen → done. The route is the truth; what a killed run leaves is read
from the route and the journal by the next verb.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from scripts.release.carry import carry_out, look, told
from scripts.release.errors import NeedsPerson, Refused, Undecided
from scripts.release.file import ReleaseFile, Word
from scripts.release.journal import Holder
from scripts.release.judge import needs
from scripts.release.plan import Wanted, plan_deploy, plan_promote, plan_shift
from scripts.release.platform import Platform
from scripts.release.run import CutOver, OnEvent, Run, utc
from scripts.release.situation import Phase, Situation
from scripts.release.slots import Release
from scripts.release.stages import Terms
from scripts.release.status import next_command, stands
from scripts.release.step import Kind, Step
from scripts.release.supply import measured_rate, shortage
from scripts.release.wayback import plan_back

__all__ = ["Caller", "Done", "Options", "abort", "deploy", "look", "preview_plan", "promote", "rollback", "shift"]

OnPlan = Callable[[tuple[Step, ...]], object]
OnStep = Callable[[Step], object]


class Verb(NamedTuple):
    """What a command does: its plan, and the release it brings if it brings one."""

    name: str
    plan: Callable[[Situation, int], tuple[Step, ...]]  # with the run's fencing number
    release: Release | None = None


class Done(msgspec.Struct, frozen=True):
    """A verb that did what it was asked to."""

    run: str
    words: str
    cut_overs: tuple[CutOver, ...] = ()
    verdicts: tuple[str, ...] = ()


class Caller(msgspec.Struct, frozen=True):
    """Who runs a verb and why, and who hears of it."""

    actor: str
    reason: str = ""
    on_event: OnEvent = lambda at, kind, label, detail: None
    on_plan: OnPlan = lambda steps: None  # before anything changes
    on_step: OnStep = lambda step: None  # when it begins


class Options(msgspec.Struct, frozen=True):
    """How a version is deployed."""

    env: dict[str, str] = {}  # laid over the file's own
    to_preview: bool = False  # stop behind the analysis gate
    all_at_once: bool = False  # one step of 100 % instead of the file's


def deploy(platform: Platform, file: ReleaseFile, version: str, caller: Caller, options: Options = Options()) -> Done:  # noqa: B008 - frozen
    """Bring a version to the preview slot and, through its gates, to all users.

    Raises Reverted when a gate refuses it, Undecided when a gate cannot decide, Refused or NeedsPerson when it may
    not start, Locked, Interrupted.
    """
    return _run(platform, file, caller, _deployment(file, version, options))


def preview_plan(platform: Platform, file: ReleaseFile, version: str, options: Options) -> tuple[Step, ...]:
    """The steps that `deploy` would take now. Raises Refused or NeedsPerson where it would refuse to begin."""
    now = look(platform)
    return _deployment(file, version, options).plan(now, now.memory.fence + 1)


def promote(platform: Platform, file: ReleaseFile, caller: Caller, *, all_at_once: bool = False) -> Done:
    """Take the release under way through the rest of its gates to all users. Raises as `deploy`."""
    words = _words(file, all_at_once)
    verb = Verb("promote", lambda now, fence: plan_promote(now, _terms(file, fence), words=words))
    return _run(platform, file, caller, verb)


def shift(platform: Platform, file: ReleaseFile, percent: int, caller: Caller) -> Done:
    """Give the release under way `percent` of the users, by a person's decision. Raises as `deploy`."""
    verb = Verb("shift", lambda now, fence: plan_shift(now, percent, _terms(file, fence)))
    return _run(platform, file, caller, verb)


def abort(platform: Platform, file: ReleaseFile, caller: Caller) -> Done:
    """All users back to the active slot, and the release under way retired. Raises Refused when there is none."""

    def plan(now: Situation, fence: int) -> tuple[Step, ...]:
        if now.phase in (Phase.EMPTY, Phase.IDLE) and not now.drift:
            raise Refused(f"no release is under way: {stands(now)}. {next_command(now)}")
        return plan_back(now, retire=not now.drift)

    return _run(platform, file, caller, Verb("abort", plan))


def rollback(platform: Platform, file: ReleaseFile, caller: Caller) -> Done:
    """All users back to the slot that had them before, at once and without gates. Raises NeedsPerson without one."""

    def plan(now: Situation, fence: int) -> tuple[Step, ...]:
        if not now.can_roll_back:
            raise NeedsPerson(
                f"there is no warm slot to roll back to: {stands(now)}. `primetrade release deploy VERSION` brings an "
                "earlier version back through its gates"
                + ("; `primetrade release abort` retires the preview" if now.phase is Phase.PREVIEW else "")
            )
        return plan_back(now, retire=False, to_warm=True)

    return _run(platform, file, caller, Verb("rollback", plan))


def _deployment(file: ReleaseFile, version: str, options: Options) -> Verb:
    release = file.release(version, options.env)
    wanted = Wanted(release, _words(file, options.all_at_once), options.to_preview)
    return Verb("deploy", lambda now, fence: plan_deploy(now, wanted, _terms(file, fence)), release)


def _terms(file: ReleaseFile, fence: int) -> Terms:
    return Terms(file, needs(file), fence)


def _words(file: ReleaseFile, all_at_once: bool) -> tuple[Word, ...]:
    return (100,) if all_at_once else file.settings.steps


def _run(platform: Platform, file: ReleaseFile, caller: Caller, verb: Verb) -> Done:
    """Hold the lock, plan from what is there, carry the plan out; whatever happens, say how it ended."""
    run_id = secrets.token_hex(4)
    holder = Holder(caller.actor, run_id, verb.name, utc(platform.now()), os.getpid())
    with platform.lock(holder) as fence:
        run = Run(
            platform=platform,
            file=file,
            verb=verb.name,
            id=run_id,
            fence=fence,
            actor=caller.actor,
            reason=caller.reason,
            on_event=caller.on_event,
            on_step=caller.on_step,
            token="",
        )
        with run.signals.caught(), told(run):
            now = _adopted(run)
            steps = verb.plan(now, fence)
            if not steps:
                return Done(run_id, f"nothing to do: {stands(now)}")
            caller.on_plan(steps)
            _refuse_shortage(platform, steps)
            run.token = now.observed.route.token
            run.version, run.release = _subject(now, verb.release)
            run.begun = True
            run.note("begin", words=" → ".join(step.kind for step in steps), plan=steps, spec=verb.release)
            carry_out(run, steps, verb.release)
            now = look(platform)
            words = stands(now)
            run.note("end", outcome="done", words=words, target=now.observed.route.target)
            return Done(run_id, words, tuple(run.cut_overs), tuple(run.verdicts))


def _subject(now: Situation, release: Release | None) -> tuple[str, str]:
    """Version and digest that a run is about: those deployed, or those under way."""
    if release:
        return release.version, release.digest
    slot = now.active if now.phase in (Phase.BAKING, Phase.IDLE) else now.beside
    return slot.version, slot.digest


def _adopted(run: Run) -> Situation:
    """The situation; a routed slot that the journal knows nothing of is taken over as the active one."""
    now = look(run.platform)
    if now.memory.routed or now.phase is Phase.EMPTY:
        return now
    target = now.observed.route.target
    step = Step(Kind.SHIFT, now.active.name, "found as it is", target=target)
    run.note("adopt", step, words=f"{now.active.version} on {now.active.name}: {target}, found without a journal")
    return look(run.platform)


def _refuse_shortage(platform: Platform, steps: tuple[Step, ...]) -> None:
    """No gate is begun that the users' traffic cannot feed: it would only hold until its limit."""
    watches = any(step.kind in (Kind.HOLD, Kind.BAKE) for step in steps)
    if words := shortage(steps, measured_rate(platform) if watches else 0):
        raise Undecided(f"{words}. Nothing was changed")
