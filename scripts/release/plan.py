"""What a verb will do, in order, before anything changes: pure, from what was observed to steps.

A step is data; `steps.py` knows how to carry each kind out. Every list can be carried out again from the start: what
is done already is seen to be done.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from scripts.release.errors import NeedsPerson, Refused, Unusable
from scripts.release.file import ReleaseFile
from scripts.release.memory import Role
from scripts.release.situation import Phase, Situation
from scripts.release.slots import Release, Weights


class Kind(StrEnum):
    """The kinds of step."""

    PREFLIGHT = "preflight"
    EXPAND = "expand"
    DEPLOY = "deploy"
    PARITY = "parity"
    SMOKE = "smoke"
    ANALYSIS = "analysis"
    SHIFT = "shift"
    VERIFY = "verify"
    HOLD = "hold"
    UNDRAIN = "undrain"
    DRAIN = "drain"
    BAKE = "bake"
    WARM = "warm"
    RETIRE = "retire"
    FINISH = "finish"


MUTATING = frozenset(
    {Kind.EXPAND, Kind.DEPLOY, Kind.SHIFT, Kind.UNDRAIN, Kind.DRAIN, Kind.WARM, Kind.RETIRE}
)  # written to the journal before and after


class Step(msgspec.Struct, frozen=True):
    """One step. `slot` is whom it is about, or whom it judges."""

    kind: Kind
    slot: str
    words: str
    weights: Weights | None = None
    seconds: float = 0.0  # expected
    requests: int = 0  # users' (for analysis: its own) requests the judged slot must answer
    share: int = 100  # percent of the users the judged slot has meanwhile
    sends: float = 0.0  # requests per second that the step itself sends to the judged slot
    limit: float = 0.0  # seconds a gate may wait for its requests


class Needs(msgspec.Struct, frozen=True):
    """Requests of the judged slot that each gate needs when nothing fails."""

    analysis: int
    hold: int
    bake: int


class Wanted(msgspec.Struct, frozen=True):
    """What to deploy, and how far: through `steps` (percent of the users), or only up to its analysis gate."""

    release: Release
    steps: tuple[int, ...]
    to_preview: bool = False


def plan_deploy(now: Situation, wanted: Wanted, file: ReleaseFile, needs: Needs) -> tuple[Step, ...]:
    """From a release to all users. Raises Refused or NeedsPerson.

    Empty when exactly this release has all users already.
    """
    release = wanted.release
    refuse_drift(now)
    if now.phase in (Phase.SHIFTING, Phase.BAKING):
        at = now.beside if now.phase is Phase.SHIFTING else now.active
        raise Refused(
            f"{at.version} on {at.name} is under way ({now.observed.route.weights}): `primetrade release promote` goes "
            "on with it, `primetrade release rollback` takes it back; then deploy"
        )
    if now.phase is Phase.PREVIEW and now.beside.digest not in ("", release.digest):
        raise Refused(
            f"{now.beside.version} waits in preview on {now.beside.name}: `primetrade release promote` brings it to "
            "the users, `primetrade release abort` retires it; then deploy"
        )
    if now.phase is not Phase.EMPTY and not now.active.running:
        raise NeedsPerson(
            f"{now.active.name} has all users and does not run: `primetrade release rollback` if {now.beside.name} is "
            "good, otherwise `primetrade local up` starts it again"
        )
    if now.active.running and now.active.digest == release.digest:
        return ()
    if now.phase is Phase.EMPTY and wanted.to_preview:
        raise Refused(
            "nothing runs yet: the first release has nobody to be compared with and cannot wait in preview; "
            f"`primetrade release deploy {release.version}` without `--until` makes it live"
        )
    slot = now.beside.name
    head = [Step(Kind.PREFLIGHT, slot, "the slots, the route and the schema range allow it")]
    if file.settings.schema.expand:
        head.append(Step(Kind.EXPAND, slot, f"database to level {file.settings.schema.max}", seconds=2))
    replaces = f" in place of {now.beside.version}" if now.beside.running else ""
    if now.role is Role.WARM:
        replaces += ", which is warm: from here on there is no instant rollback to it"
    head += [
        Step(
            Kind.DEPLOY, slot, f"{release.version} on {slot}{replaces}", seconds=3, limit=file.settings.timeouts.ready
        ),
        Step(Kind.PARITY, slot, f"{slot} is ready, says {release.version}, and is as big as the active slot"),
        Step(Kind.SMOKE, slot, f"{len(file.settings.gates.smoke)} requests on the preview route"),
    ]
    if now.phase is Phase.EMPTY:
        return (*head, *_switch(slot, 100, release.version), Step(Kind.FINISH, slot, "the first release is live"))
    head.append(_analysis(slot, file, needs))
    if wanted.to_preview:
        return (*head, Step(Kind.FINISH, slot, f"{release.version} waits in preview; `promote` goes on"))
    return (*head, *_forward(now, release.version, file, needs, wanted.steps))


def plan_promote(now: Situation, file: ReleaseFile, needs: Needs, *, steps: tuple[int, ...]) -> tuple[Step, ...]:
    """The rest of the way of the release under way, with the gates it has not passed. Raises Refused."""
    refuse_drift(now)
    if now.phase is Phase.BAKING:
        return _settle(now.active.name, now.beside.name, now.active.version, file, needs)
    _refuse_unless_under_way(now)
    slot, version = now.beside.name, now.beside.version
    gate: list[Step] = []
    if now.memory.gated != now.beside.digest:
        gate = [
            Step(Kind.PARITY, slot, f"{slot} is ready, says {version}, and is as big as the active slot"),
            Step(Kind.SMOKE, slot, f"{len(file.settings.gates.smoke)} requests on the preview route"),
            _analysis(slot, file, needs),
        ]
    share = now.observed.route.weights.of(slot)
    if 0 < share < 100 and share != steps[-1]:
        gate.append(_hold(slot, share, file, needs))
    return (*gate, *_forward(now, version, file, needs, tuple(s for s in steps if s > share)))


def plan_shift(now: Situation, percent: int, file: ReleaseFile) -> tuple[Step, ...]:
    """Weights moved by a person: no gate on the way, but none that failed or is missing before. Raises Refused."""
    if not 0 <= percent <= 100:
        raise Unusable(f"--to {percent}: give the percent of users that the new slot gets, 0 to 100")
    refuse_drift(now)
    if percent and now.refused:
        raise Refused(
            "a gate refused this release and it was not taken back: `primetrade release abort` does that, "
            "`primetrade release promote` runs its gates again"
        )
    slot, version = now.beside.name, now.beside.version
    if now.phase is Phase.BAKING and percent == 100:  # without the rest of its bake
        return _after_switch(now.active.name, now.beside.name, now.active.version, file)
    _refuse_unless_under_way(now)
    if percent and now.memory.gated != now.beside.digest:
        raise Refused(
            f"{version} on {slot} has not passed its analysis gate: `primetrade release promote` runs it first"
        )
    steps = _switch(slot, percent, version)
    if percent < 100:
        return (*steps, Step(Kind.FINISH, slot, f"{slot} has {percent} % of the users"))
    return (*steps, *_after_switch(slot, now.active.name, version, file))


def plan_back(now: Situation, *, retire: bool, to_warm: bool = False) -> tuple[Step, ...]:
    """All users to the slot they came from, no gate on the way; the other one drained, and retired if asked.

    `to_warm`: where both slots have users, the one kept warm is the good one, not the one that was live last.
    A route edited by hand is overwritten: at three in the morning the way back must be open. Raises NeedsPerson
    where there is no way back.
    """
    good, bad = (now.beside, now.active) if _came_from_beside(now, to_warm) else (now.active, now.beside)
    steps: list[Step] = []
    moves = now.observed.route.weights.of(good.name) != 100
    if moves:
        if not good.running:
            raise NeedsPerson(
                f"{good.name} does not run, so there is no slot to go back to ({bad.name} serves {bad.version}): "
                f"`primetrade release deploy {good.version or 'VERSION'}` starts it anew"
            )
        steps += [
            Step(Kind.UNDRAIN, good.name, f"{good.name} takes requests again"),
            *_switch(good.name, 100, good.version),
        ]
    if bad.running and (moves or not retire):
        steps.append(Step(Kind.DRAIN, bad.name, f"{bad.name} finishes what it has and gets no more", seconds=1))
    if retire:
        steps.append(Step(Kind.RETIRE, bad.name, f"{bad.version} on {bad.name} is stopped", seconds=1))
    return (*steps, Step(Kind.FINISH, good.name, f"{good.version or 'nothing'} on {good.name} has all users"))


def _came_from_beside(now: Situation, to_warm: bool) -> bool:
    """Whether the slot that is not the active one is the one to go back to."""
    if now.phase is Phase.SHIFTING:
        return to_warm and now.role is Role.WARM
    if now.phase in (Phase.PREVIEW, Phase.EMPTY):
        return False
    return now.phase is Phase.BAKING or now.role is Role.WARM or now.memory.active == now.beside.name


def refuse_drift(now: Situation) -> None:
    """Raises NeedsPerson for a route edited by hand: what it means, only a person knows."""
    if now.drift:
        raise NeedsPerson(now.drift)


def _refuse_unless_under_way(now: Situation) -> None:
    if now.phase is Phase.PREVIEW or (now.phase is Phase.SHIFTING and now.role is Role.PREVIEW):
        return
    if now.phase is Phase.SHIFTING:
        raise NeedsPerson(
            f"both slots have users ({now.observed.route.weights}) and the journal does not say why: "
            f"`primetrade release abort` gives all of them to {now.active.name}"
        )
    live = f"{now.active.version} on {now.active.name} has all users" if now.active.running else "nothing is live"
    raise Refused(f"no release is under way ({live}): `primetrade release deploy VERSION` starts one")


def _forward(now: Situation, version: str, file: ReleaseFile, needs: Needs, steps: tuple[int, ...]) -> tuple[Step, ...]:
    slot = now.beside.name
    way: list[Step] = []
    for percent in steps:
        way += _switch(slot, percent, version)
        if percent < 100:
            way.append(_hold(slot, percent, file, needs))
    return (*way, *_settle(slot, now.active.name, version, file, needs))


def _switch(slot: str, percent: int, version: str) -> tuple[Step, ...]:
    weights = Weights.with_share(slot, percent)
    return (
        Step(Kind.SHIFT, slot, f"{version} on {slot} gets {percent} % of the users", weights=weights),
        Step(Kind.VERIFY, slot, "probes on the users' route see it", weights=weights),
    )


def _hold(slot: str, percent: int, file: ReleaseFile, needs: Needs) -> Step:
    hold = file.settings.hold
    words = f"{slot} is judged by its users against the other slot"
    return Step(Kind.HOLD, slot, words, seconds=hold.duration, requests=needs.hold, share=percent, limit=hold.limit)


def _analysis(slot: str, file: ReleaseFile, needs: Needs) -> Step:
    analysis = file.settings.gates.analysis
    words = f"load {analysis.profile} at {analysis.rate:g}/s on the preview route, half to each slot, then judged"
    return Step(Kind.ANALYSIS, slot, words, seconds=analysis.duration, requests=needs.analysis, sends=analysis.rate / 2)


def _settle(slot: str, old: str, version: str, file: ReleaseFile, needs: Needs) -> tuple[Step, ...]:
    bake = file.settings.bake
    words = f"{slot} is watched with all users; a failure brings {old} back"
    return (
        Step(Kind.DRAIN, old, f"{old} finishes what it has and gets no more", seconds=1),
        Step(Kind.BAKE, slot, words, seconds=bake.duration, requests=needs.bake, limit=bake.limit),
        *_after_switch(slot, old, version, file)[1:],
    )


def _after_switch(slot: str, old: str, version: str, file: ReleaseFile) -> tuple[Step, ...]:
    minutes = file.settings.warm / 60
    return (
        Step(Kind.DRAIN, old, f"{old} finishes what it has and gets no more", seconds=1),
        Step(Kind.WARM, old, f"{old} stays up for instant rollback: at least {minutes:g} min; until the next deploy"),
        Step(Kind.FINISH, slot, f"{version} on {slot} is live"),
    )
