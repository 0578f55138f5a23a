"""Verbs for what others left behind: a killed run, an approval that is waited for, deadlines, a lock that is stuck."""

from __future__ import annotations

import os
import secrets

from scripts.release.carry import look
from scripts.release.errors import Refused, ReleaseError
from scripts.release.file import ReleaseFile
from scripts.release.journal import Entry, Holder
from scripts.release.memory import BACK, Open
from scripts.release.plan import refuse_drift
from scripts.release.platform import Platform
from scripts.release.run import utc
from scripts.release.session import Caller, Done, Plan, carry
from scripts.release.situation import Phase, Situation
from scripts.release.status import next_command, stands
from scripts.release.step import Kind, Step
from scripts.release.wayback import plan_back


def resume(platform: Platform, file: ReleaseFile, caller: Caller) -> Done:
    """Go on with the last run that was not carried to its end, from the route and the journal alone.

    A release that a gate refused is taken back; otherwise the first step not seen done is the next. Raises Refused
    when there is nothing to go on with, NeedsPerson when the route was edited since, and as the run's own verb.
    """

    def plan(now: Situation, fence: int) -> Plan:
        return _rest(now, file, _unfinished(now))

    return carry(platform, file, caller, "resume", plan)


def approve(platform: Platform, file: ReleaseFile, caller: Caller) -> Done:
    """Record the approval that is waited for, and go on. Raises Refused when none is, and as `deploy`."""

    def plan(now: Situation, fence: int) -> Plan:
        waiting = now.memory.waiting
        if waiting is None:
            raise Refused(f"nothing waits for an approval: {stands(now)}. {next_command(now)}")
        # Recorded whatever the traffic: whether it feeds the gates is seen behind that.
        return _rest(now, file, _unfinished(now))._replace(approves=waiting.name, forced=True)

    return carry(platform, file, caller, "approve", plan)


def reap(platform: Platform, file: ReleaseFile, caller: Caller) -> Done:
    """Carry out what is overdue: stop a slot whose warm window is over, take back what nobody approved in time."""
    return carry(platform, file, caller, "reap", lambda now, fence: Plan((), "reap"))


def unlock(platform: Platform, caller: Caller, *, force: bool) -> str:
    """Take the lock from a run that will not give it back, and say what comes next.

    Whatever that run still writes is refused by its fencing number. Raises Refused without `force` or a reason, or
    when nobody holds the lock; NeedsPerson where the platform cannot take it away; Locked where it was taken away and
    another run was faster to take it than this one to write that down.
    """
    holder = platform.holder()
    if holder is None:
        raise Refused("nobody holds the release lock: there is nothing to unlock. See `primetrade release status`")
    who = f"{holder.actor} holds it since {holder.since} ({holder.verb}, run {holder.run}, process {holder.pid})"
    if not (force and caller.reason):
        raise Refused(
            f"{who}. If that process is alive, end it: it stops between two acts. If it hangs, `primetrade release "
            "unlock --force --reason WHY` takes the lock from it, and whatever it still writes is refused"
        )
    platform.unlock()
    words = f"the lock was taken from run {holder.run} ({holder.verb} by {holder.actor})"
    try:
        _written_down(platform, caller, holder, words)
    except ReleaseError as exc:
        raise type(exc)(f"{words}, and that is not in the journal: {exc}") from exc
    try:
        return f"{words}. {next_command(look(platform))}"
    except ReleaseError as exc:
        return f"{words}. Where things stand cannot be seen: {exc}"


def _written_down(platform: Platform, caller: Caller, holder: Holder, words: str) -> None:
    run_id, at = secrets.token_hex(4), platform.now()
    with platform.lock(Holder(caller.actor, run_id, "unlock", utc(at), os.getpid())) as fence:
        begun = Entry(at, utc(at), run_id, fence, "unlock", caller.actor, "begin", caller.reason, version=holder.run)
        platform.journal.append(begun)
        ended = Entry(at, utc(at), run_id, fence, "unlock", caller.actor, "end", outcome="done", words=words)
        platform.journal.append(ended)


def _unfinished(now: Situation) -> Open:
    if now.memory.open is None:
        raise Refused(f"every run was carried to its end, there is nothing to go on with: {stands(now)}")
    return now.memory.open


def _rest(now: Situation, file: ReleaseFile, found: Open) -> Plan:
    refuse_drift(now)
    subject, words = (found.version, found.release), f"goes on with run {found.run} ({found.verb} by {found.actor})"
    if found.failed:
        words = f"takes {found.version} back, which was refused in run {found.run}: {found.failed}"
        back = plan_back(now, retire=now.phase is not Phase.BAKING)
        return Plan(back, "revert", subject=subject, words=words, forced=True)
    if found.verb not in BACK and file.digest != found.file:
        raise Refused(
            f"run {found.run} began with a release.yaml of digest {found.file}, this one has {file.digest}: restore "
            "that file, or plan anew from where things stand with `primetrade release promote`, or take the release "
            "back with `primetrade release abort`"
        )
    steps = found.left or (Step(Kind.FINISH, now.active.name, stands(now)),)
    return Plan(steps, found.verb, found.spec, subject, words, forced=found.verb in BACK)
