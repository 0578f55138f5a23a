"""What sends users' requests to a slot: three routers behind one protocol, each saying what it can."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from scripts.release.errors import Unusable
from scripts.release.file import Settings
from scripts.release.route import Route, Target
from scripts.release.stages import AUDIENCE, SHADOW

APPLY_S = 20.0  # for what carries out a write inside the cluster


class Place(Protocol):
    """Where the routing object is."""

    @property
    def namespace(self) -> str: ...

    @property
    def app(self) -> str: ...

    @property
    def edge(self) -> str:
        """The address of users' requests; "" where it is to be found."""


class Router(Protocol):
    """One routing object in the cluster, the one truth about who is live.

    `capabilities`: "weights" (a share of the users), "audience", "mirror", "sticky", "preview-headers" (one address for
    both slots). What it lacks is refused: by `refusals` before anything happens, and by `write` with Unusable.
    """

    name: str
    capabilities: frozenset[str]

    def read(self, known: Target | None = None) -> Route:
        """The route; all on blue where none was ever written, `known` where an edit says none.

        Raises NeedsPerson for such an edit where that is not known either.
        """

    def write(self, target: Target, expected: str, run: str, fence: int) -> str:
        """Compare and swap: write only where the token is `expected`; the token after.

        Raises Fenced where a later run wrote; RouteMoved; Refused for a slot without ready pods that would get users.
        """

    def frame(self) -> None:
        """Make what the routing object refers to and nobody has made; after a slot came or went."""

    def unready(self, target: Target) -> str:
        """What should come before `target` is written, though its pods are ready, in words; "" where nothing should.

        Nothing that fails by itself keeps users where they are.
        """

    def settles_s(self) -> float:
        """Seconds in which the router's owner carries out what was written, or is ready for it, at the latest."""

    def missing(self, target: Target) -> str:
        """What keeps `target` from being in force, in words; "" once it is, as far as the router's owner says."""

    def applied(self, target: Target) -> bool:
        """Whether nothing is missing."""

    def edge(self) -> str:
        """The address of users' requests."""

    def preview(self, slot: str) -> tuple[str, Mapping[str, str]]:
        """The address and the headers that lead to `slot`, whoever has the users."""

    def refusals(self, settings: Settings) -> list[str]:
        """What of release.yaml it cannot do, or what in the cluster forbids it, a sentence for each."""


def needs(target: Target) -> frozenset[str]:
    """The capabilities that a target takes."""
    asked = {
        "weights": target.weights.sole is None,
        "audience": bool(target.first),
        "mirror": bool(target.mirror),
        "sticky": bool(target.sticky),
    }
    return frozenset(name for name, wanted in asked.items() if wanted)


def refuse(target: Target, reasons: Mapping[str, str]) -> None:
    """Raises Unusable for a target that needs what a router lacks."""
    found = [f"{name}: {reasons[name]}" for name in sorted(needs(target) & reasons.keys())]
    if found:
        raise Unusable(f"{target} cannot be routed: {'; '.join(found)}")


def lacking(settings: Settings, reasons: Mapping[str, str]) -> list[str]:
    """What release.yaml asks for and a router lacks, each with its key and the reason."""
    shares = [word for word in settings.steps if isinstance(word, int) and word < 100]
    asked: Iterable[tuple[str, str, bool]] = (
        ("weights", f"steps: {', '.join(f'{share}' for share in shares)}", bool(shares)),
        ("mirror", f"steps: {SHADOW}", SHADOW in settings.steps),
        ("audience", f"steps: {AUDIENCE}", AUDIENCE in settings.steps),
        ("sticky", "sticky", settings.sticky),
    )
    return [f"{key}: {reasons[name]}" for name, key, wanted in asked if wanted and name in reasons]
