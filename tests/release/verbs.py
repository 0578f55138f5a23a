"""Commands as plain data, versions that do what their names say, and the twin on which both are tried."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from scripts.release import engine
from scripts.release.engine import Caller, Done, Options
from scripts.release.file import ReleaseFile
from scripts.release.slots import Range
from scripts.release.twin import Behaviour
from tests.release.faulty import Faulty

GOOD: Final = {
    "good-1": Behaviour(schema=Range(1, 3)),
    "good-2": Behaviour(schema=Range(1, 4), ready_s=5),
    "good-3": Behaviour(schema=Range(3, 5)),
}
BAD: Final = {
    "failing": Behaviour(failed=0.05),
    "slow": Behaviour(slow=0.2),
    "unready": Behaviour(ready_s=float("inf")),
    "crashing": Behaviour(crashes=True),
    "wrong": Behaviour(says="0.9"),
    "narrow": Behaviour(schema=Range(1, 2)),
    "broken": Behaviour(broken=("/cart",)),
}
LATE: Final = {"late-5": 5, "late-50": 50, "late-100": 100}  # version → percent of the users under which it turns bad
NEXT: Final = "next"  # a good one that nobody has seen yet
WIDE: Final = Behaviour(schema=Range(1, 9))


class Verb(NamedTuple):
    """A command with what it is given."""

    name: str
    version: str = ""
    percent: int = 0
    to_preview: bool = False
    all_at_once: bool = False


def deploys(*versions: str) -> list[Verb]:
    """Every way to deploy each of them."""
    ways = ((False, False), (True, False), (False, True))
    return [Verb("deploy", version, to_preview=to, all_at_once=once) for version in versions for to, once in ways]


OTHERS: Final = [
    *(Verb("shift", percent=percent) for percent in (0, 5, 50, 100)),
    *(Verb("promote", all_at_once=once) for once in (False, True)),
    *(Verb(name) for name in ("abort", "rollback", "resume", "approve", "reap")),
]


def service() -> Faulty:
    """A twin that knows the versions; nothing runs."""
    behaviours = {**GOOD, **BAD, **dict.fromkeys([*LATE, NEXT], WIDE)}
    return Faulty(behaviours=behaviours, turns=dict(LATE), audience=0.05)


def do(twin: Faulty, file: ReleaseFile, verb: Verb, caller: Caller) -> Done:
    """As the command line would."""
    match verb.name:
        case "deploy":
            options = Options(to_preview=verb.to_preview, all_at_once=verb.all_at_once)
            return engine.deploy(twin, file, verb.version, caller, options)
        case "promote":
            return engine.promote(twin, file, caller, all_at_once=verb.all_at_once)
        case "shift":
            return engine.shift(twin, file, verb.percent, caller)
    found = getattr(engine, verb.name)(twin, file, caller)
    assert isinstance(found, Done)
    return found


def named(words: str) -> list[Verb]:
    """The commands that a sentence names, in order."""
    found = re.findall(r"`primetrade release (\w+)(?: --to (\d+))?", words)
    return [Verb(name, version=NEXT, percent=int(percent or 0)) for name, percent in found]
