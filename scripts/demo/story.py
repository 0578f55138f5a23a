"""The story the demo tells: what happens to the system under load, and what must be true after each act."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

import msgspec

from scripts.release import engine
from scripts.release.errors import Interrupted, ReleaseError, Reverted
from scripts.release.file import ReleaseFile
from scripts.release.memory import Role
from scripts.release.platform import Platform
from scripts.release.run import CutOver

GOOD, BAD = "1.1.0", "1.2.0"
# Its answers are right and late: smoke tests pass, and only a comparison under load finds out.
BAD_ENV = {"FAULTS_ENABLED": "1", "FAULT_LATENCY_MS": "250"}
PAUSE_S = 2.0  # between acts, so that the charts show each one apart


class End(Enum):
    """How an act must end."""

    DONE = "done"
    STUCK = "stuck"
    REFUSED = "refused by its gate, before any user reached it"
    BROUGHT_BACK = "taken back by the engine after it had all users"


class Act(msgspec.Struct, frozen=True):
    """One thing a release engineer does."""

    title: str
    end: End
    live: str  # the version that must have all users afterwards
    play: Callable[[Platform, ReleaseFile, engine.Caller], engine.Done]


class Played(msgspec.Struct, frozen=True):
    """What came of an act."""

    title: str
    began: float  # Unix seconds
    ended: float
    as_told: bool
    words: str
    refused_slot: str = ""  # where a refused release ran
    left_slot: str = ""  # where a release runs that had all users until they were brought back
    cut_overs: tuple[CutOver, ...] = ()


def acts(first: str) -> tuple[Act, ...]:
    """A good release in steps, taken back, brought in again, and a bad one; `first` is the version that is live."""
    return (
        Act(f"{GOOD} comes in, step by step", End.DONE, GOOD, lambda p, f, c: engine.deploy(p, f, GOOD, c)),
        Act(f"{GOOD} is rolled back at once", End.DONE, first, engine.rollback),
        Act(f"{GOOD} comes in again, all at once", End.DONE, GOOD, _again),
        Act(f"{BAD} is 250 ms slower; its gate must refuse it", End.REFUSED, GOOD, _bad),
    )


def _again(platform: Platform, file: ReleaseFile, caller: engine.Caller) -> engine.Done:
    return engine.deploy(platform, file, GOOD, caller, engine.Options(all_at_once=True))


def _bad(platform: Platform, file: ReleaseFile, caller: engine.Caller) -> engine.Done:
    return engine.deploy(platform, file, BAD, caller, engine.Options(env=BAD_ENV))


def play(act: Act, platform: Platform, file: ReleaseFile, caller: engine.Caller) -> Played:
    """Play one act and look whether the system is as told. Raises Interrupted."""
    began = platform.now()
    cut_overs: tuple[CutOver, ...] = ()
    try:
        done = act.play(platform, file, caller)
        end, words, cut_overs = End.DONE, done.words, done.cut_overs
    except Interrupted:
        raise
    except Reverted as exc:
        end, words = End.REFUSED, str(exc)
    except ReleaseError as exc:
        end, words = End.STUCK, str(exc)
    now = engine.look(platform)
    if end is End.REFUSED and now.role is Role.REJECTED:  # only what had all users is kept to be looked into
        end = End.BROUGHT_BACK
    live = now.active.version == act.live and now.observed.route.weights.of(now.active.name) == 100
    as_told = end is act.end and live
    if not as_told:
        words = f"should have been {act.end.value}, with {act.live} live; but {end.value}: {words}"
    return Played(
        title=act.title,
        began=began,
        ended=platform.now(),
        as_told=as_told,
        words=words,
        refused_slot=now.beside.name if end is End.REFUSED else "",
        left_slot=now.beside.name if end is End.BROUGHT_BACK else "",
        cut_overs=cut_overs,
    )
