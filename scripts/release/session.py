"""One verb under the lock: what is overdue first, then its plan, carried out and written down."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import msgspec

from scripts.release.carry import carry_out, look_within, told
from scripts.release.deadlines import due
from scripts.release.errors import NeedsPerson, Refused, Undecided, Unusable
from scripts.release.file import ReleaseFile
from scripts.release.gates.table import refuse_lacking
from scripts.release.gates.verdict import GateFailed
from scripts.release.journal import Holder
from scripts.release.memory import BACK
from scripts.release.notify import Event, Notifier, missing
from scripts.release.platform import Platform
from scripts.release.run import CutOver, OnEvent, Run, utc
from scripts.release.situation import Phase, Situation
from scripts.release.slots import Release
from scripts.release.status import next_command, stands
from scripts.release.step import Kind, Step
from scripts.release.steps import see
from scripts.release.supply import shortage

OnPlan = Callable[[tuple[Step, ...]], object]
OnStep = Callable[[Step], object]


class Plan(NamedTuple):
    """What a verb will do. `subject` is the version and digest it is about, where the situation does not say it."""

    steps: tuple[Step, ...]
    verb: str  # as the journal has it: going on with a run goes on under that run's verb
    release: Release | None = None  # what a deploy brings
    subject: tuple[str, str] | None = None
    words: str = ""  # for the journal
    approves: str = ""  # the approval point that this answers
    forced: bool = False  # it may begin whatever the users' traffic
    by_hand: bool = True  # not because something was overdue


Planner = Callable[[Situation, int], Plan]  # from the situation and the run's fencing number


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


def carry(platform: Platform, file: ReleaseFile, caller: Caller, name: str, planner: Planner) -> Done:
    """Hold the lock, do what is overdue, plan from what is there, carry the plan out; say how it ended.

    The way back is open whatever is overdue: a rollback still finds the warm slot whose time is over.
    """
    may_lack = name in (*BACK, "resume", "reap")  # these may have to bring users back
    if not may_lack and (lacks := missing(file.settings.notify, os.environ)):
        raise Unusable(f"{lacks[0]}. Nothing was changed")
    run_id = secrets.token_hex(4)
    holder = Holder(caller.actor, run_id, name, utc(platform.now()), os.getpid())
    with platform.lock(holder) as fence:
        run = Run(
            platform=platform,
            file=file,
            verb=name,
            id=run_id,
            fence=fence,
            actor=caller.actor,
            reason=caller.reason,
            on_event=caller.on_event,
            on_step=caller.on_step,
            token="",
        )
        with run.signals.caught(), _notified(run), told(run):
            now = _adopted(run)
            overdue = [] if name in BACK else _overdue(run, now)
            if overdue:
                now = look_within(run)
            if overdue and name == "resume" and now.memory.open is None:  # what was killed was what is overdue
                return Done(run_id, "; ".join(overdue))
            plan = planner(now, fence)
            if _changes_nothing(plan.steps):
                _seen(run, now, plan.steps)
                return Done(run_id, "; ".join(overdue) or f"nothing to do: {stands(now)}")
            refuse_lacking(file, plan.steps)
            if plan.verb not in BACK:
                refuse_unable(platform, plan.steps)
            caller.on_plan(plan.steps)
            if not plan.forced:
                _refuse_shortage(platform, plan.steps)
            _carry(run, now, plan)
            return Done(run_id, stands(look_within(run)), tuple(run.cut_overs), tuple(run.verdicts))


def _changes_nothing(steps: tuple[Step, ...]) -> bool:
    return all(step.kind is Kind.VERIFY for step in steps)


def _seen(run: Run, now: Situation, steps: tuple[Step, ...]) -> None:
    """Look only: nobody is brought back for what no run did, and what changes nothing is no history."""
    run.token = now.observed.route.token
    for step in steps:
        run.on_step(step)
        try:
            see(run, step)
        except GateFailed as exc:
            raise NeedsPerson(
                f"{stands(now)} by the route, and that is not what was seen: {exc}. Nothing was changed; "
                f"`primetrade release doctor` looks for the cause. {next_command(now)}"
            ) from exc


@contextmanager
def _notified(run: Run) -> Iterator[None]:
    """Tell the receivers, and wait a little for them in the end: what they did not take is said, and no more."""
    run.notifier = Notifier(run.file.settings.notify, os.environ)
    try:
        yield
    finally:
        run.signals.ignore()  # the run is over; ctrl-C ends no more than this
        for words in run.notifier.close():
            run.event("note", "not told", words)


def _carry(run: Run, now: Situation, plan: Plan) -> None:
    run.verb, run.token = plan.verb, now.observed.route.token
    run.version, run.release = plan.subject or _subject(now, plan.release)
    run.begun, run.written = True, run.platform.now()
    words = plan.words or " → ".join(step.kind for step in plan.steps)
    run.note("begin", words=words, plan=plan.steps, spec=plan.release, target=now.observed.route.target)
    run.tell(Event.STARTED, words, target=str(now.observed.route.target))
    if plan.approves:
        run.note("approve", name=plan.approves, words=run.reason)
    carry_out(run, plan.steps, plan.release)
    now = look_within(run)
    target = now.observed.route.target
    run.note("end", outcome="done", words=stands(now), target=target)
    if run.verb in BACK:
        event = Event.ROLLED_BACK if plan.by_hand and run.verb != "revert" else Event.REVERTED
        run.tell(event, stands(now), outcome="done", slot=now.active.name, target=str(target))
    elif run.verb != "reap" and target.sole and now.active.digest == run.release:
        run.tell(Event.PROMOTED, stands(now), outcome="done", slot=now.active.name, target=str(target))


def _overdue(run: Run, now: Situation) -> list[str]:
    """Carry out what is overdue, each as a run of its own in the journal."""
    said: list[str] = []
    verb, run_id = run.verb, run.id
    while (found := due(now, run.platform.now())) is not None:
        run.event("note", "overdue", found.why)
        run.id = f"{run_id}-{len(said) + 1}"
        _carry(run, now, Plan(found.steps, found.verb, words=found.why, forced=True, by_hand=False))
        said.append(found.why)
        now = look_within(run)
    run.verb, run.id, run.begun = verb, run_id, False
    return said


def _subject(now: Situation, release: Release | None) -> tuple[str, str]:
    """Version and digest that a run is about: those deployed, or those under way."""
    if release:
        return release.version, release.digest
    slot = now.active if now.phase in (Phase.BAKING, Phase.IDLE) else now.beside
    return slot.version, slot.digest


def _adopted(run: Run) -> Situation:
    """The situation; a routed slot that the journal knows nothing of is taken over as the active one."""
    now = look_within(run)
    if now.memory.routed or now.phase is Phase.EMPTY:
        return now
    target, slot = now.observed.route.target, now.active
    step = Step(Kind.SHIFT, slot.name, "found as it is", target=target)
    words = f"{slot.version} on {slot.name}: {target}, found without a journal"
    run.note("adopt", step, words=words, spec=slot.spec)
    return look_within(run)


def refuse_unable(platform: Platform, steps: tuple[Step, ...]) -> None:
    """No plan is begun that the platform cannot carry to its end. Raises Refused."""
    if words := platform.refusal(steps):
        raise Refused(f"{words}. Nothing was changed")


def _refuse_shortage(platform: Platform, steps: tuple[Step, ...]) -> None:
    """No gate is begun that the users' traffic cannot feed: it would only hold until its limit."""
    watches = any(step.kind in (Kind.HOLD, Kind.BAKE) for step in steps)
    if words := shortage(steps, platform.arriving() if watches else 0):
        raise Undecided(f"{words}. Nothing was changed")
