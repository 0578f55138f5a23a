"""The release engine: each verb is a plan, carried out step by step under the lock and written to the journal.

intent → act (idempotent, with a precondition) → seen → done. The route is the truth; what a killed run leaves is read
from the route and the journal by the next verb.
"""

from __future__ import annotations

import msgspec

from scripts.release.carry import look
from scripts.release.cold import plan_cold
from scripts.release.errors import Refused
from scripts.release.file import ReleaseFile, Word
from scripts.release.gates.table import refuse_lacking
from scripts.release.judge import needs
from scripts.release.memory import Role
from scripts.release.plan import Wanted, plan_deploy, plan_promote, plan_shift
from scripts.release.platform import Platform
from scripts.release.recovery import approve, reap, resume, unlock
from scripts.release.session import Caller, Done, Plan, Planner, carry, refuse_unable
from scripts.release.situation import Phase, Situation
from scripts.release.stages import Terms
from scripts.release.status import next_command, stands
from scripts.release.step import Kind, Step
from scripts.release.wayback import plan_back

__all__ = [
    "Caller",
    "Done",
    "Options",
    "abort",
    "approve",
    "deploy",
    "look",
    "preview_plan",
    "promote",
    "reap",
    "resume",
    "rollback",
    "shift",
    "unlock",
]


class Options(msgspec.Struct, frozen=True):
    """How a version is deployed."""

    env: dict[str, str] = {}  # laid over the file's own
    to_preview: bool = False  # stop behind the analysis gate
    all_at_once: bool = False  # one step of 100 % instead of the file's
    image: str = ""  # instead of the file's


def deploy(platform: Platform, file: ReleaseFile, version: str, caller: Caller, options: Options = Options()) -> Done:  # noqa: B008 - frozen
    """Bring a version to the preview slot and, through its gates, to all users.

    Raises Reverted when a gate refuses it, Undecided when a gate cannot decide, Awaiting at an approval point, Refused
    or NeedsPerson when it may not start, Locked, Interrupted.
    """
    return carry(platform, file, caller, "deploy", _deployment(file, version, options))


def preview_plan(platform: Platform, file: ReleaseFile, version: str, options: Options) -> tuple[Step, ...]:
    """The steps that `deploy` would take now. Raises Refused, NeedsPerson or Unusable where it would not begin."""
    now = look(platform)
    steps = _deployment(file, version, options)(now, now.memory.fence + 1).steps
    refuse_lacking(file, steps)
    refuse_unable(platform, steps)
    return steps


def promote(
    platform: Platform, file: ReleaseFile, caller: Caller, *, version: str = "", all_at_once: bool = False
) -> Done:
    """Take the release under way, if it is of `version`, through the rest of its gates to all users.

    Raises as `deploy`.
    """
    words = _words(file, all_at_once)

    def plan(now: Situation, fence: int) -> Plan:
        return Plan(plan_promote(now, _terms(file, fence), words=words, version=version), "promote")

    return carry(platform, file, caller, "promote", plan)


def shift(platform: Platform, file: ReleaseFile, percent: int, caller: Caller) -> Done:
    """Give the release under way `percent` of the users, by a person's decision. Raises as `deploy`."""

    def plan(now: Situation, fence: int) -> Plan:
        return Plan(plan_shift(now, percent, _terms(file, fence)), "shift")

    return carry(platform, file, caller, "shift", plan)


def abort(platform: Platform, file: ReleaseFile, caller: Caller) -> Done:
    """All users back to the active slot, and the release under way retired. Raises Refused when there is none."""

    def plan(now: Situation, fence: int) -> Plan:
        if now.phase in (Phase.EMPTY, Phase.IDLE) and not now.drift:
            return Plan(_given_up(now), "abort")
        return Plan(plan_back(now, retire=not now.drift), "abort")

    return carry(platform, file, caller, "abort", plan)


def rollback(platform: Platform, file: ReleaseFile, caller: Caller) -> Done:
    """All users back to the slot that had them before, at once and without gates.

    Where that slot is gone the last version is started again first: a cold rollback, which says how long it will
    take. Raises NeedsPerson where there is nothing to go back to.
    """

    def plan(now: Situation, fence: int) -> Plan:
        if now.can_roll_back:
            return Plan(plan_back(now, retire=False, to_warm=True), "rollback")
        _refuse_preview(now)
        cold = plan_cold(now, file)
        caller.on_event(platform.now(), "note", "cold rollback", cold.words)
        return Plan(cold.steps, "rollback", cold.release, words=cold.words)

    return carry(platform, file, caller, "rollback", plan)


def _refuse_preview(now: Situation) -> None:
    """A rollback in preview would take back the good version that is live: nobody is on the new one yet."""
    if now.phase is Phase.PREVIEW and not (now.memory.open and now.memory.open.verb == "rollback"):
        raise Refused(
            f"no user is on {now.beside.version}, which waits on {now.beside.name}: `primetrade release abort` takes "
            f"it away; then `primetrade release rollback` takes {now.active.version} back"
        )


def _given_up(now: Situation) -> tuple[Step, ...]:
    """What is left of a release that was killed before it was there; the warm slot is not touched."""
    if now.memory.open is None:
        raise Refused(f"no release is under way: {stands(now)}. {next_command(now)}")
    finish = Step(Kind.FINISH, now.active.name, f"{now.memory.open.verb} {now.memory.open.version} is given up")
    slot = now.beside
    if slot.running and slot.digest == now.memory.open.release and now.role not in (Role.WARM, Role.REJECTED):
        return (Step(Kind.RETIRE, slot.name, f"{slot.version} on {slot.name} is stopped", seconds=1), finish)
    return (finish,)


def _deployment(file: ReleaseFile, version: str, options: Options) -> Planner:
    release = file.release(version, options.env, options.image)
    wanted = Wanted(release, _words(file, options.all_at_once), options.to_preview)

    def plan(now: Situation, fence: int) -> Plan:
        return Plan(plan_deploy(now, wanted, _terms(file, fence)), "deploy", release)

    return plan


def _terms(file: ReleaseFile, fence: int) -> Terms:
    return Terms(file, needs(file), fence)


def _words(file: ReleaseFile, all_at_once: bool) -> tuple[Word, ...]:
    return (100,) if all_at_once else file.settings.steps
