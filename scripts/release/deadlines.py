"""What is overdue; pure.

Deadlines are absolute and stand in the journal; whichever command runs next carries them out. Nobody carries out that
of a gate which watches users, since time passes no gate and takes no release back: it is said, with what comes next.
"""

from __future__ import annotations

import msgspec

from scripts.release.errors import NeedsPerson
from scripts.release.memory import Role, Watching
from scripts.release.situation import Phase, Situation
from scripts.release.step import Kind, Step
from scripts.release.wayback import plan_back


class Due(msgspec.Struct, frozen=True):
    """Something whose time is over: the verb that its steps are written down under, and why."""

    verb: str
    why: str
    steps: tuple[Step, ...]


def due(now: Situation, at: float) -> Due | None:
    """The first thing that is overdue at `at` (Unix seconds).

    Nothing is over a route edited by hand, nor what cannot be carried out: it would keep every verb from its own work.
    """
    if now.drift:
        return None
    memory = now.memory
    if (why := unapproved(now, at)) and not closed(now):
        return Due("abort", why, plan_back(now, retire=True))
    kept = now.role in (Role.WARM, Role.REJECTED) and now.phase is Phase.IDLE and now.active.running
    idle = memory.open is None or memory.open.verb == "reap"
    if kept and idle and memory.warm_until is not None and at >= memory.warm_until:
        slot = now.beside
        words = f"{slot.version} on {slot.name} is stopped: the time to go back to it is over"
        finish = Step(Kind.FINISH, now.active.name, f"{now.active.version} on {now.active.name} is live")
        return Due("reap", words, (Step(Kind.RETIRE, slot.name, words, seconds=1), finish))
    return None


def unapproved(now: Situation, at: float) -> str:
    """Whose approval did not come in time; "" where none is overdue at `at` (Unix seconds)."""
    waiting = now.memory.waiting
    if waiting is None or at < waiting.until or now.phase not in (Phase.PREVIEW, Phase.SHIFTING):
        return ""
    return f"nobody approved {waiting.version} for {waiting.name} in time"


def closed(now: Situation) -> str:
    """Why what nobody approved cannot be taken back, and what leads on; "" where it can."""
    try:
        plan_back(now, retire=True)
    except NeedsPerson as exc:
        return str(exc)
    return ""


def watched(now: Situation) -> Watching | None:
    """The gate that users are under, whether anybody watches or not."""
    return None if now.drift or now.phase in (Phase.EMPTY, Phase.IDLE) else now.memory.watching


def watch_again(now: Situation) -> str:
    """What comes next where a gate's time is over and no run is at work."""
    on = "`primetrade release resume`" if now.memory.open else "`primetrade release promote`"
    back = "`primetrade release rollback`" if now.can_roll_back else "`primetrade release abort`"
    return f"{on} watches anew, {back} takes it back"
