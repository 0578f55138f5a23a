"""What the engine asks of a place that runs two slots behind a router."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from scripts.release.journal import Holder, Journal
from scripts.release.slots import Answer, Load, Observed, Release, Request, Sample, Tally, Weights


class Platform(Protocol):
    """A place that runs two slots behind a router.

    Every act is idempotent. `deploy` and `retire` raise Refused for a slot that has users. Everything that talks to
    a process or a server has a time limit and raises ReleaseError with what to do.
    """

    name: str

    @property
    def journal(self) -> Journal: ...

    def lock(self, holder: Holder) -> AbstractContextManager[int]:
        """Hold the platform for one run and yield its fencing number, higher than every earlier one. Raises Locked."""

    def holder(self) -> Holder | None:
        """Who holds the lock now."""

    def observe(self) -> Observed: ...

    def expand(self, command: Sequence[str]) -> str:
        """Run the migration command to its end and return its last line."""

    def deploy(self, slot: str, release: Release) -> None:
        """Make `slot` run `release`, not draining; does not wait until it is ready."""

    def route(self, weights: Weights, expected: str, run: str, fence: int) -> str:
        """Compare and swap: write only where the route's token is `expected`; the token after. Raises RouteMoved."""

    def drain(self, slot: str, on: bool) -> None: ...

    def retire(self, slot: str) -> None: ...

    def ask(self, request: Request, slot: str = "") -> Answer:
        """Send a request through the users' route, or to `slot` through the preview route."""

    def tally(self) -> Mapping[str, Tally]: ...

    def analyse(self, load: Load) -> Sample:
        """Send `load` through the preview route, every second request to the other slot."""

    def now(self) -> float:
        """Unix seconds."""

    def sleep(self, seconds: float) -> None: ...
