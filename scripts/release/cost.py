"""What a plan takes: time, users' requests for its gates, and capacity beside the slot with the users; pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from scripts.release.deadlines import due
from scripts.release.file import ReleaseFile
from scripts.release.memory import Role
from scripts.release.situation import Phase, Situation
from scripts.release.step import Kind, Step
from scripts.release.supply import shortage, thinner
from slo.sequential import GROUPS


class Priced(msgspec.Struct, frozen=True):
    """A step and what it takes. Times are expected seconds; None where it could never be."""

    step: Step
    seconds: float
    feeding: float | None = 0.0  # until the gate has the requests it needs


class Extra(msgspec.Struct, frozen=True):
    """Replicas beside those of the slot with the users."""

    replicas: int = 0  # at most, while the release is under way
    seconds: float | None = 0.0  # None: until a person promotes or aborts it
    there: int = 0  # of them run already
    warm: int = 0  # afterwards, for instant rollback
    warm_seconds: float = 0.0


class Cost(msgspec.Struct, frozen=True):
    """What `primetrade release plan --json` prints."""

    rate: float  # users' requests per second
    overdue: str  # what comes before the steps, because its time is over; "" when nothing does
    steps: tuple[Priced, ...]
    seconds: float
    approvals: int  # points where a person is asked; the time that takes is not in `seconds`
    extra: Extra
    replaces: str  # the version whose slot is taken, and with it the instant rollback to it
    shortage: str  # why a gate could not decide; "" when all can


def cost(now: Situation, steps: Sequence[Step], rate: float, file: ReleaseFile, at: float) -> Cost:
    """What `steps` of a deploy take from `at` (Unix seconds) on, when users send `rate` requests per second."""
    overdue = due(now, at)
    priced = tuple(Priced(step, seconds_of(step, rate), feeding(step, rate)) for step in steps)
    brings = any(step.kind is Kind.DEPLOY for step in steps)
    return Cost(
        rate=rate,
        overdue=overdue.why if overdue else "",
        steps=priced,
        seconds=sum(each.seconds for each in priced),
        approvals=sum(step.kind is Kind.APPROVAL for step in steps),
        extra=_extra(now, priced, file),
        replaces=now.beside.version if brings and now.role is Role.WARM else "",
        shortage=shortage(steps, rate),
    )


def seconds_of(step: Step, rate: float) -> float:
    """Seconds a step is expected to take when users send `rate` requests per second."""
    waits = feeding(step, rate)
    if step.kind is Kind.ANALYSIS or waits is None:
        return step.seconds
    return max(step.seconds, waits)


def feeding(step: Step, rate: float) -> float | None:
    """Seconds until a gate has the requests it needs; None when none ever come."""
    if not step.requests:
        return 0.0
    arriving = step.sends if step.kind is Kind.ANALYSIS else rate * thinner(step) / 100
    if step.kind is Kind.HOLD:
        arriving = min(arriving, GROUPS)
    return step.requests / arriving if arriving else None


def _extra(now: Situation, priced: Sequence[Priced], file: ReleaseFile) -> Extra:
    """From the start of the new slot until it has all users it is the one beside, and then the old one is."""
    kinds = [each.step.kind for each in priced]
    if now.phase is Phase.EMPTY or Kind.DEPLOY not in kinds:
        return Extra()
    own = max(each.step.replicas for each in priced)
    keeps = Kind.WARM in kinds
    return Extra(
        replicas=max(own, now.active.capacity) if keeps else own,
        seconds=sum(each.seconds for each in priced[kinds.index(Kind.DEPLOY) :]) if keeps else None,
        there=now.beside.capacity if now.beside.running else 0,
        warm=now.active.capacity if keeps else 0,
        warm_seconds=float(file.settings.warm) if keeps else 0.0,
    )
