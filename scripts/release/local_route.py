"""The routing object in Envoy's words and in ours; pure."""

from __future__ import annotations

import hashlib

import msgspec

from scripts.local.envoy_config import Routes
from scripts.release.errors import Unusable
from scripts.release.memory import Memory
from scripts.release.route import Audience, Route, Target, Weights


def routes_of(target: Target, run: str, fence: int) -> Routes:
    """What Envoy is told, with the run and its number as a note. Raises Unusable."""
    try:
        return Routes(
            blue=target.weights.blue,
            green=target.weights.green,
            note={"run": run, "fence": str(fence)},
            first=target.first,
            headers=target.audience.headers,
            cookies=target.audience.cookies,
            mirror=target.mirror,
            sticky=target.sticky,
        )
    except ValueError as exc:
        raise Unusable(f"{target} cannot be routed: {exc}") from exc


def route_of(routes: Routes) -> Route:
    """What Envoy is told, read back."""
    fence = routes.note.get("fence", "0")
    target = Target(
        weights=Weights(routes.blue, routes.green),
        first=routes.first,
        audience=Audience(routes.headers, routes.cookies),
        mirror=routes.mirror,
        sticky=routes.sticky,
    )
    return Route(target, token_of(routes), routes.note.get("run", ""), int(fence) if fence.isdigit() else 0)


def remembered(memory: Memory) -> Routes | None:
    """The route as the journal last saw it. No run is named: a write that was begun may not have come to be."""
    return routes_of(memory.routed[0], "", memory.fence) if memory.routed else None


def token_of(routes: Routes) -> str:
    """Another one for every write."""
    return hashlib.sha256(msgspec.json.encode(routes, order="deterministic")).hexdigest()[:16]
