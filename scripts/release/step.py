"""A step of a plan: plain data, so that a plan can be printed, journaled and gone on with by another process."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from scripts.release.route import Target


class Kind(StrEnum):
    """The kinds of step."""

    PREFLIGHT = "preflight"
    EXPAND = "expand"
    DEPLOY = "deploy"
    PARITY = "parity"
    SMOKE = "smoke"
    ANALYSIS = "analysis"
    COMPARISON = "comparison"
    COMMAND = "command"
    APPROVAL = "approval"
    SCALE = "scale"
    SHIFT = "shift"
    VERIFY = "verify"
    HOLD = "hold"
    UNDRAIN = "undrain"
    DRAIN = "drain"
    BAKE = "bake"
    WARM = "warm"
    RETIRE = "retire"
    FINISH = "finish"


# Written to the journal before and after.
MUTATING = frozenset(
    {Kind.EXPAND, Kind.DEPLOY, Kind.SCALE, Kind.SHIFT, Kind.UNDRAIN, Kind.DRAIN, Kind.WARM, Kind.RETIRE}
)
# Judge users' traffic, for as long as they need.
WATCHES = frozenset({Kind.HOLD, Kind.BAKE})
# Can refuse a release.
GATES = frozenset({Kind.SMOKE, Kind.ANALYSIS, Kind.COMPARISON, Kind.COMMAND, Kind.HOLD, Kind.BAKE, Kind.APPROVAL})


class Stage(StrEnum):
    """Whose traffic a hold judges."""

    SHARES = "shares"  # users', on both slots
    SHADOW = "shadow"  # copies of users' reads
    AUDIENCE = "audience"  # users who were singled out


class Step(msgspec.Struct, frozen=True, omit_defaults=True):
    """One step. `slot` is whom it is about, or whom it judges."""

    kind: Kind
    slot: str
    words: str
    target: Target | None = None
    seconds: float = 0.0  # expected
    requests: int = 0  # users' (for analysis: its own) requests the judged slot must answer
    share: float = 100  # percent of the users' requests that the judged slot gets meanwhile, or a copy of
    sends: float = 0.0  # requests per second that the step itself sends to the judged slot
    limit: float = 0.0  # seconds: a gate may wait for its requests, an approval for its person
    stage: Stage = Stage.SHARES  # of a hold
    name: str = ""  # of an external command, or of an approval point
    replicas: int = 0  # of a deploy or scale

    @property
    def whose(self) -> str:
        """Whose traffic a gate looks at."""
        if self.kind is Kind.BAKE:
            return "all users"
        return f"{self.share:g} %" if self.stage is Stage.SHARES else str(self.stage)
