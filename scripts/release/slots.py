"""The words of a release as plain data: weights, releases, slots, the route, requests and what came back."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import msgspec

from scripts.release.errors import Unusable
from slo.compare import Counts

SLOTS = ("blue", "green")


def other(slot: str) -> str:
    """The slot beside `slot`."""
    return SLOTS[1 - SLOTS.index(slot)]


class Weights(msgspec.Struct, frozen=True):
    """Shares of the users' requests in percent. Raises Unusable unless both are 0 to 100 and their sum is 100."""

    blue: int
    green: int

    def __post_init__(self) -> None:
        if not (0 <= self.blue <= 100 and self.blue + self.green == 100):
            raise Unusable(f"weights blue {self.blue}, green {self.green}: each is 0 to 100 and their sum must be 100")

    @classmethod
    def with_share(cls, slot: str, percent: int) -> Weights:
        """`percent` to `slot`, the rest to the other."""
        return cls(percent, 100 - percent) if slot == "blue" else cls(100 - percent, percent)

    def of(self, slot: str) -> int:
        """The percent that `slot` gets."""
        return self.blue if slot == "blue" else self.green

    @property
    def sole(self) -> str | None:
        """The slot that has all users, if one has."""
        return next((slot for slot in SLOTS if self.of(slot) == 100), None)

    def __str__(self) -> str:
        return f"blue {self.blue} %, green {self.green} %"


class Release(msgspec.Struct, frozen=True):
    """An artefact and its configuration under a version; what a slot runs."""

    version: str
    command: tuple[str, ...]
    env: dict[str, str]

    @property
    def digest(self) -> str:
        """The same for the same version, command and environment: 12 hex digits of their SHA-256."""
        return hashlib.sha256(msgspec.json.encode(self, order="deterministic")).hexdigest()[:12]


class Range(msgspec.Struct, frozen=True):
    """The schema levels a release works with, both ends included."""

    min: int
    max: int


class Slot(msgspec.Struct, frozen=True):
    """A slot as it is now."""

    name: str
    version: str = ""  # what it was started as; "" when nothing runs here
    digest: str = ""
    says: str = ""  # the version the process itself answers; "" while it answers nothing
    running: bool = False
    ready: bool = False
    capacity: int = 0  # in units of the platform; compared only with the other slot's
    in_flight: int = 0  # requests the edge waits for
    schema: Range | None = None
    log: str = ""  # where its last words stand


class Route(msgspec.Struct, frozen=True):
    """The routing object: the one truth about who is live."""

    weights: Weights
    token: str  # changes with every write, whoever writes: the precondition of the next write
    run: str = ""  # the run that wrote it; "" when no run did
    fence: int = 0


class Observed(msgspec.Struct, frozen=True):
    """Everything a plan starts from."""

    slots: dict[str, Slot]
    route: Route


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One request with the status its answer must have."""

    path: str
    method: str = "GET"
    expect: int = 200
    headers: dict[str, str] = {}
    body: str = ""


class Answer(msgspec.Struct, frozen=True):
    """What came back: status 0 when nothing did, with the reason as the body."""

    status: int
    slot: str
    body: str = ""


class Tally(msgspec.Struct, frozen=True):
    """Users' requests one slot answered since it exists; probes and analysis load on the preview route are apart."""

    requests: int = 0
    failed: int = 0
    slow: int | None = None  # ok answers over the latency threshold; None where the artefact does not say

    def since(self, before: Tally) -> Tally:
        """What came after `before`; slow is None when either does not know or the process started anew."""
        slow = None if self.slow is None or before.slow is None else self.slow - before.slow
        return Tally(
            requests=max(0, self.requests - before.requests),
            failed=max(0, self.failed - before.failed),
            slow=None if slow is None or slow < 0 else slow,
        )


class Load(msgspec.Struct, frozen=True):
    """Bounded analysis load: requests per second over both slots together, for so many seconds."""

    profile: str
    rate: float
    seconds: float
    latency_ms: float
    seed: int


Sample = Mapping[str, Mapping[str, Counts]]  # route → slot → what it answered under analysis load
