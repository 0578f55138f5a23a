"""How each kind of step is carried out: what it changes, and how it is seen to have happened.

`ACTS` change something: idempotent, with a precondition, done without interruption. `CHECKS` wait for the effect, or
judge; they raise GateFailed, GateOpen or ReleaseError, and return words for the journal.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

from scripts.release import levels
from scripts.release.errors import Fenced, ReleaseError, Unheard
from scripts.release.gates import table
from scripts.release.gates.verdict import GateFailed
from scripts.release.memory import BACK, remember
from scripts.release.probing import probed
from scripts.release.route import SLOTS, Target, other
from scripts.release.run import CutOver, Run
from scripts.release.slots import Observed, Release, Request, Slot, Tally
from scripts.release.step import Kind, Step

POLL_S = 0.1


class _Wait(NamedTuple):
    """How long a slot is waited for.

    `whole_s`: seconds after which any of its replicas will do; at once, where it has as many as the other slot.
    """

    limit: float
    key: str = "timeouts.ready"
    gone: str = "ended while starting"
    whole_s: float = math.inf


def act(run: Run, step: Step, release: Release | None) -> str:
    """Carry out the changing part of a step; what it has to say for the journal."""
    match step.kind:
        case Kind.EXPAND:
            assert release is not None
            return levels.expand(run, step, release)
        case Kind.DEPLOY:
            assert release is not None
            run.event("deploy", f"{release.version} on {step.slot}")
            run.platform.deploy(step.slot, release, step.replicas, run.fence)
        case Kind.SCALE:
            _scale(run, step)
        case Kind.SHIFT:
            _shift(run, step)
        case Kind.UNDRAIN:
            _undrain(run, step)
        case Kind.DRAIN:
            try:
                run.platform.drain(step.slot, on=True, fence=run.fence)
            except ReleaseError as exc:  # it has no users any more, so this hurts nobody
                return f"{step.slot} did not take the drain signal: {exc}"
        case Kind.RETIRE:
            run.platform.retire(step.slot, run.fence)
    return ""


def _undrain(run: Run, step: Step) -> None:
    """Replicas that did not hear it hold nobody up: those that take requests do, and the others are waited for next."""
    try:
        run.platform.drain(step.slot, on=False, fence=run.fence)
    except Fenced:
        raise
    except ReleaseError as exc:
        slot = run.observe().slots[step.slot]
        if not slot.serving and (isinstance(exc, Unheard) or not slot.running):
            raise GateFailed(str(exc)) from exc
        run.event("note", f"not all of {step.slot} takes requests again", str(exc))


def _scale(run: Run, step: Step) -> None:
    """On the way back, what cannot be started keeps nobody on the release that is worse."""
    try:
        run.platform.scale(step.slot, step.replicas, run.fence)
    except Fenced:
        raise
    except ReleaseError as exc:
        if run.verb not in BACK:
            raise
        run.event("note", f"{step.slot} does not grow to {step.replicas} replicas", str(exc))


def _shift(run: Run, step: Step) -> None:
    """Write the route; never in favour of a slot that cannot take it."""
    assert step.target is not None
    seen = run.observe()
    if run.verb not in BACK and step.target.has_users(step.slot):
        _refuse_unjudged(run, seen, step.slot)
    for name in SLOTS:
        if _gains(run, seen, step.target, name):
            _grown(run, name, seen)
            _still_ready(run, name)
    run.written = run.platform.now()
    if seen.route.target == step.target and seen.route.run == run.id:
        return
    run.moved = True
    run.token = run.platform.route(step.target, run.token, run.id, run.fence)


def _refuse_unjudged(run: Run, seen: Observed, slot: str) -> None:
    """What was planned while nobody was served passed no analysis: it takes no user from a slot that came up again."""
    live = seen.slots[other(slot)]
    answered = seen.route.target.sole == live.name and live.serving
    if answered and remember(run.platform.journal.read()).gated != run.release:
        raise GateFailed(
            f"{live.name} answers its users again, and {run.version} was compared with nobody: "
            f"`primetrade release deploy {run.version}` anew does that"
        )


def _grown(run: Run, name: str, seen: Observed) -> None:
    """As many replicas as the other slot has by now: an autoscaler may have added some since this was planned."""
    wanted, slot = seen.slots[other(name)].capacity, seen.slots[name]
    if run.verb not in BACK and seen.route.target.has_users(other(name)) and slot.ready and slot.capacity < wanted:
        run.platform.scale(name, wanted, run.fence)
        _wait_ready(run, name, _Wait(run.file.settings.timeouts.ready, gone="ended while growing"))


def _gains(run: Run, seen: Observed, has: Target, slot: str) -> bool:
    """Whether a slot gets users and is waited for.

    On the way back one that has some is not, since the other may be worse, unless only the other answers anybody.
    """
    had = seen.route.target
    if not had.has_users(slot):
        return has.has_users(slot)
    silent = not seen.slots[slot].serving and seen.slots[other(slot)].serving > 0
    return has.weights.of(slot) > had.weights.of(slot) and (run.verb not in BACK or silent)


def _ready(run: Run, step: Step, whole_s: float = math.inf) -> str:
    """All its replicas; on the way back what there is will do in the end, and before that after `whole_s`."""
    limit = step.limit or run.file.settings.timeouts.ready
    return _wait_ready(run, step.slot, _Wait(limit, whole_s=min(whole_s, limit) if run.verb in BACK else math.inf))


def _back(run: Run, step: Step) -> str:
    """Ready again; looked at behind its scaling where that comes next.

    One that has users is not waited for: it may have lost replicas, and the other slot is worse.
    """
    serves = run.observe().route.target.has_users(step.slot)
    return "" if serves or step.replicas else _ready(run, step, whole_s=run.file.settings.timeouts.verify)


def _still_ready(run: Run, name: str) -> None:
    """Nobody is sent to a slot that dipped since it was judged; on the way back what is left of it does."""
    whole_s = 0.0 if run.verb in BACK else math.inf
    limit = run.file.settings.timeouts.verify
    _wait_ready(run, name, _Wait(limit, "timeouts.verify", "is not running any more", whole_s))


def _wait_ready(run: Run, name: str, wait: _Wait) -> str:
    """Wait until the slot is ready; what keeps it from that is the reason of the refusal."""
    begun = run.platform.now()
    while not (slot := (slots := run.observe().slots)[name]).ready:
        if not slot.running:
            raise GateFailed(f"{name} {wait.gone}; its log, {slot.log}, says why")
        waited = run.platform.now() - begun
        as_many = slot.serving >= slots[other(name)].serving and math.isfinite(wait.whole_s)
        if slot.serving and (as_many or waited >= wait.whole_s):
            words = f"{slot.serving} of {slot.wanted} replicas of {name} are ready after {waited:.1f} s"
            if wait.whole_s:
                run.event("note", f"{words}: the way back goes on without the others", f"its log: {slot.log}")
            return words
        if waited > wait.limit:
            raise GateFailed(f"{name} did not get ready in {wait.limit:g} s ({wait.key}); its log: {slot.log}")
        run.platform.sleep(POLL_S)
    return f"ready after {run.platform.now() - begun:.1f} s"


def _parity(run: Run, step: Step) -> str:
    """Ready, the right version, the right schema, as many replicas as wanted, and reached by the preview route.

    On the way back the start has waited for what can be had.
    """
    _ready(run, step, whole_s=0.0)
    slots = _speaking(run, step)
    new = slots[step.slot]
    level = run.level
    works = new.schema or run.file.settings.schema.range
    if not levels.accepts(works, level):
        by = "" if new.schema else f" by {run.file.path.name} (schema.min, schema.max; it says none itself)"
        raise GateFailed(
            f"{new.version} works with schema levels {works.min} to {works.max}{by}, but the database is brought to "
            f"{level}"
        )
    if new.capacity < step.replicas and run.verb not in BACK:
        raise GateFailed(f"{new.name} runs {new.capacity} replicas, {step.replicas} are wanted; their log: {new.log}")
    probe = Request(path=run.file.settings.artefact.probes.traffic)
    begun = run.platform.now()
    while (answer := run.platform.ask(probe, step.slot)).status != probe.expect or answer.slot != step.slot:
        if run.platform.now() - begun > run.file.settings.timeouts.verify:
            raise GateFailed(
                f"the preview route to {step.slot} answers {probe.path} with {answer.status} from "
                f"{answer.slot or 'nobody'}: {answer.body[:200]}"
            )
        run.platform.sleep(POLL_S)
    return f"says {new.says}, replicas {new.capacity}"


def _speaking(run: Run, step: Step) -> Mapping[str, Slot]:
    """The slots, once this one says its version: no answer yet is no verdict, another version is one at once."""
    slots = levels.heard(run, step.slot)
    slot = slots[step.slot]
    if slot.says != slot.version:
        raise GateFailed(f"{slot.name} was started as {slot.version}, but says it is {slot.says or 'nothing'}")
    return slots


def _verify(run: Run, step: Step) -> str:
    """Probe the users' route until it shows the new target: done is what users see, not what was written."""
    target = step.target
    assert target is not None
    if target.mirror:
        return _copied(run, step)
    back = target.has_users(step.slot) and run.verb in BACK
    try:
        probes, first = probed(run, step)
    except GateFailed:
        if not back or run.observe().slots[step.slot].serving:
            raise
        _served(run, step)  # it may still start, and what an edge answers meanwhile names no slot
        probes, first = probed(run, step)
    if back:
        _served(run, step)
    elif target.has_users(step.slot):
        _still_ready(run, step.slot)
    slots: Mapping[str, Slot] = run.observe().slots
    silent = run.verb in BACK and not slots[step.slot].says  # one replica that hangs keeps nobody from going back
    if target.has_users(step.slot) and not silent:
        slots = _speaking(run, step)
    slot = slots[step.slot]
    run.cut_overs.append(CutOver(target.weights, run.written, first))
    share = "its audience" if target.first == step.slot and not target.weights.of(step.slot) else None
    share = share or f"{target.weights.of(step.slot)} %"
    run.event(_kind(run, step), f"{slot.version} → {share}", str(target), run.written)
    return f"seen by {probes} probes, {(run.cut_overs[-1].seen - run.written) * 1000:.0f} ms after the write"


def _served(run: Run, step: Step) -> None:
    """Wait until at least one replica of a slot that has got all users back serves them."""
    gone = "is not running any more"
    _wait_ready(run, step.slot, _Wait(run.file.settings.timeouts.ready, gone=gone, whole_s=0.0))


def see(run: Run, step: Step) -> None:
    """A target that needs no change: probes see it, and its slot says its version. Raises GateFailed."""
    probed(run, step)
    _speaking(run, step)


def _copied(run: Run, step: Step) -> str:
    """Read as a user until the slot answers a copy."""
    probe, begun = Request(path=run.file.settings.artefact.probes.traffic), run.platform.now()
    before = run.platform.reads().get(step.slot, Tally()).requests
    while run.platform.reads().get(step.slot, Tally()).requests <= before:
        run.platform.ask(probe)
        if run.platform.now() - begun > run.file.settings.timeouts.verify:
            raise GateFailed(f"no copy of a read was answered by {step.slot} (timeouts.verify)")
        run.platform.sleep(POLL_S)
    run.event("shift", f"{run.version} gets copies of reads", str(step.target), run.written)
    return "copies are answered"


def _kind(run: Run, step: Step) -> str:
    if run.verb in BACK:
        return "rollback"
    return "promote" if step.target and step.target.weights.of(step.slot) == 100 else "shift"


def _drained(run: Run, step: Step) -> str:
    """Wait for the requests in flight; the limit passing is said, not refused: nothing new arrives there."""
    begun, limit = run.platform.now(), run.file.settings.timeouts.drain
    while (slot := run.observe().slots[step.slot]).running and slot.in_flight:
        if run.platform.now() - begun > limit:
            return f"{slot.in_flight} requests still in flight after {limit:g} s (timeouts.drain)"
        run.platform.sleep(POLL_S)
    if slot.running and slot.in_flight is None:
        return f"{slot.name} does not say what it has in flight: what it has begun ends in its own time"
    return f"nothing in flight after {run.platform.now() - begun:.1f} s"


def _retired(run: Run, step: Step) -> str:
    slot = run.observe().slots[step.slot]
    if slot.running:
        raise ReleaseError(f"{slot.name} still runs {slot.version} after it was stopped; its log: {slot.log}")
    return ""


def _shifted(run: Run, step: Step) -> str:
    target = run.observe().route.target
    if target != step.target:
        raise ReleaseError(f"the route says {target} after {step.target} was written: see `primetrade release doctor`")
    return ""


CHECKS: dict[Kind, Callable[[Run, Step], str]] = {
    **dict.fromkeys(table.GATES, table.judge),
    Kind.PREFLIGHT: levels.preflight,
    Kind.DEPLOY: _ready,
    Kind.SCALE: _ready,
    Kind.PARITY: _parity,
    Kind.SHIFT: _shifted,
    Kind.VERIFY: _verify,
    Kind.UNDRAIN: _back,
    Kind.DRAIN: _drained,
    Kind.RETIRE: _retired,
}
