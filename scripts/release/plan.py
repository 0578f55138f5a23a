"""What a verb will do, in order, before anything changes: pure, from what was observed to steps.

`steps.py` knows how to carry each kind out. Every list can be carried out again from the start: what is done already
is seen to be done.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from scripts.release import stages
from scripts.release.errors import NeedsPerson, Refused, Unusable
from scripts.release.file import Word
from scripts.release.memory import Role
from scripts.release.route import Target
from scripts.release.situation import Phase, Situation
from scripts.release.slots import Release, Slot
from scripts.release.stages import AUDIENCE, SHADOW, Terms
from scripts.release.step import Kind, Step


class Wanted(msgspec.Struct, frozen=True):
    """What to deploy, and how far: through `words` (stages and percents), or only up to its analysis gate."""

    release: Release
    words: tuple[Word, ...]
    to_preview: bool = False


def plan_deploy(now: Situation, wanted: Wanted, terms: Terms) -> tuple[Step, ...]:
    """From a release to all users. Raises Refused or NeedsPerson.

    Where exactly this release has all users already, no more than a look at it.
    """
    release, file = wanted.release, terms.file
    _refuse_deploy(now, wanted)
    if now.active.running and now.active.digest == release.digest:
        return (_look(now),)
    slot = now.beside.name
    head = [Step(Kind.PREFLIGHT, slot, "the slots, the route and the schema range allow it")]
    if file.settings.schema.expand:
        head.append(Step(Kind.EXPAND, slot, f"database to level {file.settings.schema.max}", seconds=2))
    replaces = f" in place of {now.beside.version}" if now.beside.running else ""
    if now.role is Role.WARM:
        replaces += ", which is warm: from here on there is no instant rollback to it"
    replicas = stages.preview_replicas(now, file)
    head.append(stages.started(slot, release, replicas, file, replaces))
    way = stages.way(now, slot, release.version, terms)
    gates = stages.checks(way, replicas)
    if not now.active.running:  # nobody to be compared with
        live = Step(Kind.FINISH, slot, f"{release.version} on {slot} is live")
        return (*head, *gates[:2], *stages.switch(way, Target.all_on(slot)), live)
    if wanted.to_preview:
        return (*head, *gates, Step(Kind.FINISH, slot, f"{release.version} waits in preview; `promote` goes on"))
    return (*head, *gates, *stages.forward(way, wanted.words, replicas))


def plan_promote(now: Situation, terms: Terms, *, words: Sequence[Word], version: str = "") -> tuple[Step, ...]:
    """The rest of the way of the release under way, with the gates it has not passed.

    Raises Refused, also where a `version` is given and another is under way.
    """
    refuse_drift(now)
    if now.phase is Phase.BAKING:
        _refuse_other(now.active, version)
        return stages.bake(stages.way(now, now.active.name, now.active.version, terms))
    _refuse_unless_under_way(now)
    _refuse_other(now.beside, version)
    way = stages.way(now, now.beside.name, now.beside.version, terms)
    gate: tuple[Step, ...] = ()
    if now.memory.gated != now.beside.digest:
        gate = stages.checks(way, now.beside.capacity)
    here, rest = _place(now, words)
    if here is not None and words[-1] != here:
        gate = (*gate, stages.hold(way, here))
    return (*gate, *stages.forward(way, rest, now.beside.capacity, here))


def plan_shift(now: Situation, percent: int, terms: Terms) -> tuple[Step, ...]:
    """Weights moved by a person: no gate on the way, but none that failed or is missing before. Raises Refused."""
    if not 0 <= percent <= 100:
        raise Unusable(f"--to {percent}: give the percent of users that the new slot gets, 0 to 100")
    refuse_drift(now)
    if percent and now.refused:
        raise Refused(
            "a gate refused this release and it was not taken back: `primetrade release abort` does that, "
            "`primetrade release promote` runs its gates again"
        )
    if now.phase is Phase.BAKING and percent == 100:  # without the rest of its bake
        return stages.kept(stages.way(now, now.active.name, now.active.version, terms))
    _refuse_unless_under_way(now)
    way = stages.way(now, now.beside.name, now.beside.version, terms)
    if percent and now.memory.gated != now.beside.digest:
        raise Refused(
            f"{way.version} on {way.slot} has not passed its analysis gate: `primetrade release promote` runs it first"
        )
    route = now.observed.route.target
    grow = stages.scale(way) if percent and now.beside.capacity < way.capacity else ()
    steps = (*grow, *stages.switch(way, stages.share(way, percent, route.first, route.audience)))
    if percent < 100:
        return (*steps, Step(Kind.FINISH, way.slot, f"{way.slot} has {percent} % of the users"))
    return (*steps, *stages.kept(way))


def refuse_drift(now: Situation) -> None:
    """Raises NeedsPerson for a route edited by hand: what it means, only a person knows."""
    if now.drift:
        raise NeedsPerson(now.drift)


def _place(now: Situation, words: Sequence[Word]) -> tuple[Word | None, tuple[Word, ...]]:
    """The stage that the route shows, whose gate is asked again, and those behind it."""
    route = now.observed.route.target
    share = route.weights.of(now.beside.name)
    if share:
        return share, tuple(word for word in words if isinstance(word, int) and word > share)
    shown: dict[Word, str] = {AUDIENCE: route.first, SHADOW: route.mirror}
    for word, slot in shown.items():
        if slot == now.beside.name:
            behind = words[words.index(word) + 1 :] if word in words else [w for w in words if isinstance(w, int)]
            return word, tuple(behind)
    return None, tuple(words)


def _look(now: Situation) -> Step:
    live = now.active
    words = f"{live.version} on {live.name} has all users already: probes on their route see it, and nothing changes"
    return Step(Kind.VERIFY, live.name, words, target=now.observed.route.target)


def _refuse_deploy(now: Situation, wanted: Wanted) -> None:
    release = wanted.release
    refuse_drift(now)
    if now.phase is Phase.SHIFTING or (now.phase is Phase.BAKING and not now.alone):
        at = now.beside if now.phase is Phase.SHIFTING else now.active
        raise Refused(
            f"{at.version} on {at.name} is under way ({now.observed.route.target}): `primetrade release promote` goes "
            "on with it, `primetrade release rollback` takes it back; then deploy"
        )
    if now.phase is Phase.PREVIEW and now.beside.digest not in ("", release.digest):
        raise Refused(
            f"{now.beside.version} waits in preview on {now.beside.name}: `primetrade release promote` brings it to "
            "the users, `primetrade release abort` retires it; then deploy"
        )
    if not now.active.running and now.can_roll_back:
        raise NeedsPerson(
            f"{now.active.name} has all users and does not run: `primetrade release rollback` if {now.beside.name} is "
            "good, otherwise `primetrade release doctor` says how to start it again"
        )
    if not now.active.running and wanted.to_preview:
        raise Refused(
            "no user is served: this release has nobody to be compared with and cannot wait in preview; "
            f"`primetrade release deploy {release.version}` without `--until` makes it live"
        )


def _refuse_other(slot: Slot, version: str) -> None:
    """What was approved is what is promoted: another release may have come in its place meanwhile."""
    if version not in ("", slot.version):
        raise Refused(
            f"{slot.version} on {slot.name} is under way, not {version}: `primetrade release promote {slot.version}` "
            "goes on with it, `primetrade release abort` takes it back"
        )


def _refuse_unless_under_way(now: Situation) -> None:
    if now.phase is Phase.PREVIEW or (now.phase is Phase.SHIFTING and now.role is Role.PREVIEW):
        return
    if now.phase is Phase.SHIFTING:
        raise NeedsPerson(
            f"both slots have users ({now.observed.route.target}) and the journal does not say why: "
            f"`primetrade release abort` gives all of them to {now.active.name}"
        )
    live = f"{now.active.version} on {now.active.name} has all users" if now.active.running else "nothing is live"
    raise Refused(f"no release is under way ({live}): `primetrade release deploy VERSION` starts one")
