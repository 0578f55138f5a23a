"""What people read of a plan, a status and a history: lines of text from plain data."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.release.cost import Cost, Extra, Priced
from scripts.release.doctor import Drift
from scripts.release.journal import Entry
from scripts.release.memory import Run
from scripts.release.run import utc
from scripts.release.status import Deadline, Line, Place, Status
from scripts.release.step import Kind, Stage

ANSWERS = {Stage.SHARES: "users' requests", Stage.SHADOW: "copied reads", Stage.AUDIENCE: "requests of its audience"}


def span(seconds: float) -> str:
    """A length of time in its largest unit that says enough: 95 s, 30 min, 24 h."""
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def plan_lines(cost: Cost) -> Iterator[str]:
    """A plan: its steps in order, and what it costs."""
    if cost.overdue:
        yield f"first  {cost.overdue}"
    for number, priced in enumerate(cost.steps, start=1):
        yield f"{number:>3}  {priced.step.kind:<10} {_time(priced):>9}  {priced.step.words}{_needs(priced)}"
    waits = f", plus {_several(cost.approvals, 'approval')}" if cost.approvals else ""
    yield f"about {span(cost.seconds)} at {cost.rate:,.0f} users' requests per second{waits}"
    yield from _extra(cost.extra)
    if cost.replaces:
        yield f"takes the slot of {cost.replaces}, which is warm: no instant rollback to it from then on"


def _time(priced: Priced) -> str:
    step = priced.step
    if step.kind in (Kind.APPROVAL, Kind.COMMAND):  # nobody knows how long these take
        return f"≤ {span(step.limit)}"
    return f"{priced.seconds:.0f} s"


def _needs(priced: Priced) -> str:
    step = priced.step
    if not step.requests:
        return ""
    whose = "of them" if step.kind is Kind.ANALYSIS else ANSWERS[step.stage]
    after = "never at this rate" if priced.feeding is None else span(priced.feeding)
    return f" (needs {step.requests:,} {whose}: {after})"


def _extra(extra: Extra) -> Iterator[str]:
    if not extra.replicas:
        yield "no capacity beside the slot with the users"
        return
    there = f" ({extra.there} there already)" if extra.there else ""
    beside = f"{_several(extra.replicas, 'replica')} beside the slot with the users{there}"
    if extra.seconds is None:
        yield f"{beside}, until `primetrade release promote` or `primetrade release abort`"
    else:
        yield f"{beside} for about {span(extra.seconds)}, then {extra.warm} kept warm for {span(extra.warm_seconds)}"


def _several(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def status_lines(found: Status, at: float) -> Iterator[str]:
    """A status at `at` (Unix seconds)."""
    yield from map(_slot, found.slots)
    if found.stage:
        yield f"stage  {found.stage}"
    if found.running:
        yield f"now    {found.running.verb} by {found.running.actor} since {found.running.since}"
    if found.current:
        yield f"step   {_step(found.current)}"
    for deadline in found.deadlines:
        yield f"until  {_deadline(deadline, at)}"
    if found.last and not found.running:
        run = found.last
        yield f"last   {run.verb} {run.version} by {run.actor} at {run.began}: {run.outcome or 'not ended'}"
    if found.unfinished:
        place = found.unfinished
        yield f"open   {place.verb} {place.version} by {place.actor}, at step {_step(place)}; `{place.mend}` goes on"
    if found.newest and (found.running or found.unfinished):
        yield f"wrote  {entry_line(found.newest)}"
    yield found.words
    if found.next:
        yield found.next


def status_line(found: Status) -> str:
    """A status on one line: the same as long as nothing changed."""
    words = [f"{each.slot} {each.role} {each.weight} % {each.version or '-'} {each.state}" for each in found.slots]
    if found.stage:
        words.append(found.stage)
    if found.running:
        words.append(f"{found.running.verb} by {found.running.actor}")
    if place := found.current or found.unfinished:
        words.append(f"{place.verb}: {place.step}, {place.number} of {place.of}")
    return " · ".join(words + ([found.drift] if found.drift else []))


def _slot(line: Line) -> str:
    words = f"{line.slot:<6} {line.role:<9} {line.weight:>3} %  {line.version or '-':<12} {line.state:<9}"
    levels = f"  schema {line.schema.min} to {line.schema.max}" if line.schema else ""
    return (words + (f"  {_several(line.replicas, 'replica')}" if line.replicas else "") + levels).rstrip()


def _step(place: Place) -> str:
    return f"{place.number} of {place.of}, {place.step}: {place.words}"


def _deadline(deadline: Deadline, at: float) -> str:
    when = f"{utc(deadline.until)[:19]}Z"
    if at < deadline.until:
        return f"{when}  {deadline.what}; {span(deadline.until - at)} left, then {deadline.then}"
    return f"{when}  {deadline.what}: overdue; {deadline.overdue}"


def run_lines(run: Run) -> Iterator[str]:
    """A run of a history."""
    why = f" ({run.reason})" if run.reason else ""
    yield f"{run.began}  {run.run}  {run.actor}  {run.verb} {run.version}{why}: {run.outcome or 'not ended'}"
    if run.words:
        yield f"    {run.words}"


def entry_line(entry: Entry) -> str:
    """A line of the journal."""
    what = " ".join(word for word in (entry.phase, entry.step, entry.slot, entry.outcome) if word)
    return f"{entry.time}  {what}" + (f": {entry.words}" if entry.words else "")


def drift_lines(found: Drift) -> Iterator[str]:
    """A finding of the doctor."""
    yield f"{found.where:<13} {found.what}"
    yield f"{'':<13} → {found.mend}"
