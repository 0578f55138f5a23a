"""What the engine asks of a place that runs two slots behind a router."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from scripts.release.journal import Holder, Journal
from scripts.release.route import Target
from scripts.release.slots import Answer, Finding, Load, Observed, Release, Request, Sample, Tally
from scripts.release.step import Step


class Platform(Protocol):
    """A place that runs two slots behind a router.

    Every act is idempotent and carries the run's fencing number; one lower than a number seen before raises Fenced and
    changes nothing. `deploy` and `retire` raise Refused for a slot that has users. Everything that talks to a process
    or a server has a time limit and raises ReleaseError with what to do.
    """

    name: str
    revive: str  # what starts a slot again that does not run, for a person

    @property
    def journal(self) -> Journal: ...

    def lock(self, holder: Holder) -> AbstractContextManager[int]:
        """Hold the platform for one run and yield its fencing number, higher than every earlier one. Raises Locked."""

    def holder(self) -> Holder | None:
        """Who holds the lock now."""

    def unlock(self) -> None:
        """Take the lock from its holder: whatever that run still writes raises Fenced. Raises NeedsPerson."""

    def observe(self) -> Observed: ...

    def refusal(self, steps: Sequence[Step]) -> str:
        """Why these steps cannot be carried out here, whatever happens; "" when they can. Asked before any of them."""

    def expand(self, command: Sequence[str], level: int, release: Release, fence: int) -> str:
        """Run the migration command of a release to its end, `level` as its SCHEMA_LEVEL, and return its last line."""

    def deploy(self, slot: str, release: Release, replicas: int, fence: int) -> None:
        """Make `slot` run `release` in so many replicas, not draining; does not wait until it is ready."""

    def scale(self, slot: str, replicas: int, fence: int) -> None:
        """Change how many replicas a slot has; does not wait until they are ready."""

    def route(self, target: Target, expected: str, run: str, fence: int) -> str:
        """Compare and swap: write only where the route's token is `expected`; the token after. Raises RouteMoved."""

    def drain(self, slot: str, on: bool, fence: int) -> None:
        """Tell every replica. Raises ReleaseError when one did not hear it; the others have."""

    def retire(self, slot: str, fence: int) -> None: ...

    def ask(self, request: Request, slot: str = "") -> Answer:
        """Send a request through the users' route, or to `slot` through the preview route."""

    def edge(self) -> str:
        """The address that users' requests go to; "" where nobody outside this process can send any."""

    def preview(self, slot: str) -> tuple[str, Mapping[str, str]]:
        """The address and the headers that lead a request to `slot`, whoever has the users; "" as with `edge`."""

    def tally(self) -> Mapping[str, Tally]:
        """Users' requests."""

    def arriving(self) -> float:
        """Users' requests per second, now."""

    def reads(self) -> Mapping[str, Tally]:
        """While reads are copied: users' reads of the slot that answers them, copies of the slot that gets these."""

    def analyse(self, load: Load) -> Sample:
        """Send `load` through the preview route, every second request to the other slot."""

    def diagnose(self) -> Sequence[Finding]:
        """What is wrong that only the platform can see."""

    def now(self) -> float:
        """Unix seconds."""

    def sleep(self, seconds: float) -> None: ...
