"""The words of a release as plain data: releases, slots, requests and what came back."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from scripts.release.route import Route
from slo.compare import Counts

_TOKEN = re.compile(r"[-\w.!#$%&'*+^`|~]+", re.ASCII)
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


class Release(msgspec.Struct, frozen=True, omit_defaults=True):
    """An artefact and its configuration under a version; what a slot runs."""

    version: str
    command: tuple[str, ...]
    env: dict[str, str]
    image: str = ""  # NAME:TAG or NAME@DIGEST
    values: dict[str, Any] = {}  # of the slot chart: all that the release brings, so that it can be started again

    @property
    def digest(self) -> str:
        """The same for the same version, command, environment, image and values: 12 hex digits of their SHA-256."""
        return hashlib.sha256(msgspec.json.encode(self, order="deterministic")).hexdigest()[:12]


class Range(msgspec.Struct, frozen=True):
    """The schema levels a release works with, both ends included."""

    min: int
    max: int


UNKNOWN = "unknown"  # the digest of what nobody can name: equal to that of no release


class Slot(msgspec.Struct, frozen=True):
    """A slot as it is now."""

    name: str
    version: str = ""  # what it was started as; "" when nothing runs here, or nobody knows what does
    digest: str = ""
    says: str = ""  # the version the process itself answers; "" while it answers nothing
    running: bool = False
    ready: bool = False  # every replica is, as the router sees it
    serving: int = 0  # replicas that are: some of them may do, where the other slot is worse
    wanted: int = 0  # replicas that must be
    capacity: int = 0  # replicas that run; compared with the other slot's
    in_flight: int | None = 0  # requests that it has not answered yet; None where nobody can tell
    schema: Range | None = None
    spec: Release | None = None  # what it was started as, where the platform can tell
    log: str = ""  # where its last words stand


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

    def __post_init__(self) -> None:
        refuse_unsendable(self.headers)


def refuse_unsendable(headers: Mapping[str, str]) -> None:
    """Raises ValueError for a header that HTTP has no letters for (RFC 9110, sections 5.1 and 5.5)."""
    for name, value in headers.items():
        if not _TOKEN.fullmatch(name):
            raise ValueError(f"headers: {name!r} is no name of a header; give letters, digits and dashes")
        if not _VALUE.fullmatch(value):  # it may be a secret
            raise ValueError(f"headers: {name} is not one line of Latin-1, and no other can be sent; percent-encode it")


class Answer(msgspec.Struct, frozen=True):
    """What came back: status 0 when nothing did, with the reason as the body."""

    status: int
    slot: str
    body: str = ""
    content_type: str = ""


class Tally(msgspec.Struct, frozen=True):
    """Users' requests one slot answered since it exists; probes and analysis load on the preview route are apart."""

    requests: int = 0
    failed: int = 0
    slow: int | None = None  # ok answers over the latency threshold; None where the artefact does not say
    within: dict[float, int] | None = None  # ok answers by bucket bound in ms, cumulative; None likewise

    def since(self, before: Tally) -> Tally:
        """What came after `before`; slow is None when either does not know or the process started anew."""
        slow = None if self.slow is None or before.slow is None else self.slow - before.slow
        return Tally(
            requests=max(0, self.requests - before.requests),
            failed=max(0, self.failed - before.failed),
            slow=None if slow is None or slow < 0 else slow,
            within=None if slow is None or slow < 0 else _less(self.within, before.within),
        )


class Load(msgspec.Struct, frozen=True):
    """Bounded analysis load: requests per second over both slots together, for so many seconds."""

    profile: str
    rate: float
    seconds: float
    latency_ms: float
    seed: int


Sample = Mapping[str, Mapping[str, Counts]]  # route → slot → what it answered under analysis load


def _less(now: dict[float, int] | None, before: dict[float, int] | None) -> dict[float, int] | None:
    if now is None or before is None or now.keys() != before.keys():
        return None
    return {bound: count - before[bound] for bound, count in now.items()}


class Finding(msgspec.Struct, frozen=True):
    """Something that is not as it should be, and the command that mends it."""

    what: str
    mend: str
