"""The pieces a plan is made of: the stages that bring a release to its users, each with the gate behind it; pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import msgspec

from scripts.release.file import ReleaseFile, Word
from scripts.release.route import Audience, Target, Weights, other
from scripts.release.situation import Situation
from scripts.release.slots import Release
from scripts.release.step import Kind, Stage, Step

SHADOW: Final = "shadow"
AUDIENCE: Final = "audience"


class Needs(msgspec.Struct, frozen=True):
    """Requests of the judged slot that each gate needs when nothing fails."""

    analysis: int
    hold: int
    bake: int


class Terms(msgspec.Struct, frozen=True):
    """What every plan of a run starts from, beside the situation."""

    file: ReleaseFile
    needs: Needs
    fence: int  # of the run that will carry it out


class Way(msgspec.Struct, frozen=True):
    """What the stages of one release have in common."""

    slot: str
    old: str
    version: str
    file: ReleaseFile
    needs: Needs
    route: Target  # as it is before
    sticky: str  # a cookie name that no earlier release used; "" where users need not keep a slot
    capacity: int  # replicas that a slot with users must have


def way(now: Situation, slot: str, version: str, terms: Terms) -> Way:
    """The way of `version` on `slot`; a shift under way keeps its cookie."""
    route, settings = now.observed.route.target, terms.file.settings
    fresh = f"slot-{terms.fence}" if settings.sticky else ""
    capacity = max(now.observed.slots[other(slot)].capacity, settings.artefact.replicas)
    return Way(slot, other(slot), version, terms.file, terms.needs, route, route.sticky or fresh, capacity)


def preview_replicas(now: Situation, file: ReleaseFile) -> int:
    """How many replicas a release starts with: all where it has nobody to wait behind."""
    full = max(now.active.capacity if now.active.running else 0, file.settings.artefact.replicas)
    if not now.active.running:
        return full
    return math.ceil(full * file.settings.preview.capacity / 100)


def checks(way: Way, replicas: int) -> tuple[Step, ...]:
    """Everything asked of a release before any user reaches it."""
    slot, gates = way.slot, way.file.settings.gates
    steps = [
        Step(Kind.PARITY, slot, f"{slot} is ready in {_replicas(replicas)} and says {way.version}", replicas=replicas),
        Step(Kind.SMOKE, slot, f"{len(gates.smoke)} requests on the preview route"),
    ]
    if gates.comparison:
        asked = f"{len(gates.comparison.requests)} requests to both slots, {gates.comparison.repeat} times"
        steps.append(Step(Kind.COMPARISON, slot, f"{asked}: status, latency and body must agree", seconds=1))
    steps += commands(way, "preview")
    load = gates.analysis
    words = f"load {load.profile} at {load.rate:g}/s on the preview route, half to each slot, then judged"
    steps.append(
        Step(Kind.ANALYSIS, slot, words, seconds=float(load.duration), requests=way.needs.analysis, sends=load.rate / 2)
    )
    return tuple(steps)


def commands(way: Way, at: str) -> tuple[Step, ...]:
    """The external gates of one point."""
    return tuple(
        Step(Kind.COMMAND, way.slot, f"{each.name}: {' '.join(each.run)}", limit=float(each.limit), name=each.name)
        for each in way.file.settings.gates.commands
        if each.at == at
    )


def forward(way: Way, words: Sequence[Word], grown: int, here: Word | None = None) -> tuple[Step, ...]:
    """From where the release stands, with `grown` replicas, through `words` to all users, and its bake."""
    steps: list[Step] = []
    small, asked = grown < way.capacity, _rank(here)
    first = way.route.first if way.route.first == way.slot else ""
    for word in words:
        steps += approvals(way, asked, word)
        asked = _rank(word)
        if small:
            steps += scale(way)
            small = False
        if word == AUDIENCE:
            first = way.slot
        steps += stage(way, word, first)
    return (*steps, *bake(way))


def stage(way: Way, word: Word, first: str) -> tuple[Step, ...]:
    """One move of the route, and the gate behind it."""
    if word == SHADOW:
        target = msgspec.structs.replace(Target.all_on(way.old), mirror=way.slot)
        return (*switch(way, target, f"{way.version} on {way.slot} gets a copy of every read"), hold(way, word))
    whom = way.file.settings.audience
    named = Audience(whom.headers, whom.cookies) if whom else way.route.audience
    audience = named if first else Audience()
    if word == AUDIENCE:
        target = msgspec.structs.replace(Target.all_on(way.old), first=way.slot, audience=named)
        return (*switch(way, target, f"{way.version} on {way.slot} gets its audience"), hold(way, word))
    assert isinstance(word, int)
    if word == 100:
        return switch(way, Target.all_on(way.slot), f"{way.version} on {way.slot} gets all users")
    return (*switch(way, share(way, word, first, audience)), hold(way, word))


def share(way: Way, percent: int, first: str, audience: Audience) -> Target:
    """Some of the users, and the audience where it has come already."""
    if percent in (0, 100):
        return Target.all_on(way.slot if percent else way.old)
    return Target(Weights.with_share(way.slot, percent), first, audience, sticky=way.sticky)


def switch(way: Way, target: Target, words: str = "") -> tuple[Step, ...]:
    """A write of the route, and the probes that see it."""
    words = words or f"{way.version} on {way.slot} gets {target.weights.of(way.slot)} % of the users"
    return (
        Step(Kind.SHIFT, way.slot, words, target=target),
        Step(Kind.VERIFY, way.slot, "probes on the users' route see it", target=target),
    )


def hold(way: Way, word: Word) -> Step:
    """The gate behind a stage."""
    window, stage, share = way.file.settings.hold, Stage.SHARES, 100.0
    words = f"{way.slot} is judged by its users against the other slot"
    if word == SHADOW:
        stage, share = Stage.SHADOW, way.file.settings.shadow.share
        words = f"{way.slot} is judged by its answers to copied reads against {way.old}"
    elif word == AUDIENCE:
        whom = way.file.settings.audience
        stage, share = Stage.AUDIENCE, whom.share if whom else 100.0
        words = f"{way.slot} is judged by its audience against the other slot"
    else:
        assert isinstance(word, int)
        share = word
    return Step(
        Kind.HOLD,
        way.slot,
        words,
        seconds=float(window.duration),
        requests=way.needs.hold,
        share=share,
        limit=float(window.limit),
        stage=stage,
    )


def approvals(way: Way, asked: int, word: Word) -> tuple[Step, ...]:
    """The persons who are asked before a stage: none is passed by who leaves stages out."""
    asks = way.file.settings.approvals
    points = [point for point in asks.before if asked < _rank(point) <= _rank(word)] if asks else []
    return tuple(_approval(way, point) for point in sorted(points, key=_rank))


def _approval(way: Way, point: Word) -> Step:
    asks = way.file.settings.approvals
    assert asks
    name = f"{point} %" if isinstance(point, int) else point
    words = f"a person approves {way.version} for {name}"
    return Step(Kind.APPROVAL, way.slot, words, limit=float(asks.limit), name=name)


def _rank(word: Word | None) -> int:
    """The order of stages: shadow, audience, then the percents."""
    if isinstance(word, int):
        return word
    return {None: -2, SHADOW: -1, AUDIENCE: 0}[word]


def scale(way: Way) -> tuple[Step, ...]:
    """Full capacity before users come."""
    full = f"{way.slot} grows to {_replicas(way.capacity)} before users come"
    limit = float(way.file.settings.timeouts.ready)
    return (
        Step(Kind.SCALE, way.slot, full, seconds=3, replicas=way.capacity, limit=limit),
        Step(Kind.PARITY, way.slot, f"all of {way.slot} is ready", replicas=way.capacity),
    )


def bake(way: Way) -> tuple[Step, ...]:
    """The old slot drained, the new one watched, and kept."""
    baking = way.file.settings.bake
    words = f"{way.slot} is watched with all users; a failure brings {way.old} back"
    watched = Step(
        Kind.BAKE, way.slot, words, seconds=float(baking.duration), requests=way.needs.bake, limit=float(baking.limit)
    )
    drained, *rest = kept(way)
    return (drained, watched, *commands(way, "bake"), *rest)


def kept(way: Way) -> tuple[Step, ...]:
    """The old slot drained and warm: the end of every way forward."""
    minutes = way.file.settings.warm / 60
    return (
        Step(Kind.DRAIN, way.old, f"{way.old} finishes what it has and gets no more", seconds=1),
        Step(Kind.WARM, way.old, f"{way.old} stays up for instant rollback, {minutes:g} min or until the next deploy"),
        Step(Kind.FINISH, way.slot, f"{way.version} on {way.slot} is live"),
    )


def started(slot: str, release: Release, replicas: int, file: ReleaseFile, words: str = "") -> Step:
    """A release put into a slot."""
    words = f"{release.version} on {slot}" + (f" in {_replicas(replicas)}" if replicas > 1 else "") + words
    return Step(Kind.DEPLOY, slot, words, seconds=3, limit=float(file.settings.timeouts.ready), replicas=replicas)


def _replicas(number: int) -> str:
    return f"{number} replica{'' if number == 1 else 's'}"
