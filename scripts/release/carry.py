"""Carrying out a plan: intent → act → seen → done for every step, the way back when a gate refuses, the last word."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from scripts.release import looking
from scripts.release.errors import Awaiting, Fenced, NeedsPerson, Refused, ReleaseError, Reverted, RouteMoved, Undecided
from scripts.release.gates.verdict import GateFailed, GateOpen
from scripts.release.levels import level_after
from scripts.release.memory import BACK, remember
from scripts.release.notify import Event
from scripts.release.platform import Platform
from scripts.release.route import Target
from scripts.release.run import Run
from scripts.release.signals import Stopped
from scripts.release.situation import Phase, Situation, situation
from scripts.release.slots import Release
from scripts.release.status import next_command, stands
from scripts.release.step import GATES, MUTATING, WATCHES, Kind, Step
from scripts.release.steps import CHECKS, act
from scripts.release.wayback import plan_back


def look(platform: Platform) -> Situation:
    """Where the service stands now; takes no lock."""
    return looking.look(platform).now


def look_within(run: Run) -> Situation:
    """The same within a run, which on the way back has some patience."""
    return situation(run.seen(), remember(run.platform.journal.read()))


def carry_out(run: Run, steps: tuple[Step, ...], release: Release | None) -> None:
    """Every step in order; a gate that refuses turns the run back, a gate that cannot decide ends it where it is."""
    step = steps[0]
    try:
        for step in steps:
            _one(run, step, release)
    except GateFailed as exc:
        with run.signals.held():  # users may be on a release known to be bad: the way back is gone to its end
            if run.verb in BACK:
                run.note("failed", step, outcome="fail", words=str(exc))
                raise NeedsPerson(f"{step.kind} of {step.slot}: {exc}. {_state(run)}") from exc
            _revert(run, step, str(exc))
    except Awaiting as exc:
        _wait(run, step)
        run.tell(Event.WAITING, str(exc), slot=step.slot)
        raise Awaiting(f"{exc}. {_state(run)}") from exc
    except GateOpen as exc:
        run.note("failed", step, outcome="inconclusive", words=str(exc))
        run.tell(Event.GATE_INCONCLUSIVE, str(exc), outcome="inconclusive", slot=step.slot)
        raise Undecided(f"the {step.kind} gate of {step.slot} cannot decide: {exc}. {_state(run)}") from exc


def _wait(run: Run, step: Step) -> None:
    """Write down that a person is asked, until when; asking again does not give more time."""
    earlier = remember(run.platform.journal.read()).waiting
    if earlier is None or (earlier.release, earlier.name) != (run.release, step.name):
        run.note("wait", step, name=step.name, until=run.platform.now() + step.limit, words=step.words)


def _watch_until(run: Run, step: Step) -> float:
    """Write down until when a gate watches users, before it does: Unix seconds.

    Whoever goes on with it before that time is over gets no more; later it is watched anew, since nobody did meanwhile.
    """
    now = run.platform.now()
    until = now + step.limit
    earlier = remember(run.platform.journal.read()).watching
    same = earlier and (earlier.gate, earlier.whose, earlier.release) == (step.kind, step.whose, run.release)
    if earlier and same and now < earlier.until:
        left = f"{min(earlier.until, until) - now:.0f} s of its limit are left"
        run.event("note", f"{step.kind} of {step.slot} goes on", f"{left}; what an earlier run saw is not counted")
        return min(earlier.until, until)
    run.note("watch", step, name=step.whose, until=until, words=step.words)
    return until


def _one(run: Run, step: Step, release: Release | None) -> None:
    run.on_step(step)
    said = ""
    if step.kind in WATCHES:
        run.until = _watch_until(run, step)
    if step.kind in MUTATING:
        with run.signals.held():
            run.note("intent", step, words=step.words)
            said = act(run, step, release)
    check = CHECKS.get(step.kind)
    words = (check(run, step) if check else "") or said or step.words
    level = level_after(run, step, said)
    schema = run.platform.observe().slots[step.slot].schema if step.kind is Kind.PARITY else None
    outcome = "pass" if step.kind in GATES else ""
    run.note("done", step, outcome=outcome, words=words, level=level, schema=schema)


def _revert(run: Run, step: Step, why: str) -> None:
    """Bring the users back, or leave them where they are, and retire the release. Always raises."""
    verb = run.verb
    try:
        run.note("failed", step, outcome="fail", words=why)
        run.tell(Event.GATE_FAILED, why, outcome="fail", slot=step.slot)
        run.verb = "revert"
        now = look_within(run)
        run.event("refused", f"{run.version} refused by {step.kind}", why)
        had_users = now.observed.route.target.has_users(step.slot)
        _refuse_alone(run, now, step.slot)
        steps = plan_back(now, retire=now.phase is not Phase.BAKING, refused=step.slot)
        run.note("turn", plan=steps, words=why)
        for back in steps:
            _one(run, back, None)
        now = look_within(run)
        stood = stands(now)
        run.tell(Event.REVERTED, why, outcome="reverted", slot=step.slot, target=str(now.observed.route.target))
    except Exception as exc:
        raise NeedsPerson(
            f"{run.version} was refused by {step.kind} of {step.slot} ({why}), and going back failed: {exc}. "
            f"{_state(run)}"
        ) from exc
    finally:
        run.verb = verb
    users = "no user reached it" if run.moved else "no user reached it and the route was not touched"
    users = "its users were brought back" if had_users else users
    raise Reverted(f"{run.version} was refused by {step.kind} of {step.slot}: {why}. {users}: {stood}")


def _refuse_alone(run: Run, now: Situation, slot: str) -> None:
    """A slot that got all users while no other one ran has none to give them to."""
    alone = now.active.name == slot and not now.beside.running
    if alone and now.active.digest == run.release and now.phase is not Phase.BAKING:
        raise NeedsPerson(f"it has all users and {now.beside.name} does not run, so there is nothing to go back to")


def _state(run: Run) -> str:
    try:
        now = look(run.platform)
    except Exception as exc:  # noqa: BLE001 - a second fault must not hide the first one
        return f"Where things stand cannot be seen: {exc}"
    return f"Now: {stands(now)}. {next_command(now)}"


_OUTCOMES: dict[type[ReleaseError], str] = {
    Reverted: "reverted",
    Awaiting: "awaiting approval",
    Undecided: "inconclusive",
    NeedsPerson: "needs a person",
    Refused: "refused",
}


_ENDS = {
    "interrupted": Event.INTERRUPTED,
    "terminated": Event.INTERRUPTED,
    "needs a person": Event.ERROR,
    "refused": Event.ERROR,
    "error": Event.ERROR,
}


@contextmanager
def told(run: Run) -> Iterator[None]:
    """Write how the run ended, and add to the message where things stand."""
    try:
        yield
    except Stopped as exc:
        run.signals.ignore()
        word = exc.ends.__name__.lower()
        words = f"{word} in {run.verb} {run.version}: nothing is half done. {_state(run)}"
        _ended(run, word, words)
        raise exc.ends(words) from None
    except Fenced:
        run.signals.ignore()
        raise
    except RouteMoved as exc:
        run.signals.ignore()  # a second ctrl-C must not hide what the first one left
        words = f"{exc}. This run stops and leaves it. {_state(run)}"
        _ended(run, "needs a person", words)
        raise NeedsPerson(words) from exc
    except ReleaseError as exc:
        run.signals.ignore()
        outcome = next((word for kind, word in _OUTCOMES.items() if isinstance(exc, kind)), "")
        if outcome or not run.begun:
            _ended(run, outcome, str(exc))
            raise
        words = f"{exc}. {_state(run)}"
        _ended(run, "error", words)
        raise ReleaseError(words) from exc
    except Exception as exc:
        run.signals.ignore()
        words = f"{run.verb} {run.version} met what it does not know, {type(exc).__name__}: {exc}. {_state(run)}"
        _ended(run, "error", words)
        run.event("note", "unexpected", "".join(traceback.format_exception(exc)))  # for who mends it
        raise ReleaseError(words) from exc


def _shown(run: Run) -> Target | None:
    with suppress(Exception):  # what cannot be seen is no reason to leave the run without an end
        return run.platform.observe().route.target
    return None


def _ended(run: Run, outcome: str, words: str) -> None:
    if run.begun and outcome in _ENDS:
        run.tell(_ENDS[outcome], words, outcome=outcome)
    if run.begun:  # what was refused before it began changed nothing, and is no history
        with suppress(ReleaseError):  # a full disk must not hide how the run ended
            run.note("end", outcome=outcome, words=words, target=_shown(run))
