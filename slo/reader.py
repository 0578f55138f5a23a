"""Reads `slo.yaml`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from slo import yamlfile
from slo.objective import Objective, RouteObjective, Targets
from slo.yamlfile import YamlFileError as SloFileError

__all__ = ["SloFileError", "read_targets"]


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file as it is written; its version says how the rest is to be read."""

    version: Literal[1]
    service: str
    traffic_floor: int
    objectives: tuple[Objective, ...]
    routes: tuple[RouteObjective, ...] = ()
    excluded_routes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.service.strip():
            raise ValueError("service: is empty; name the service these targets are for")
        if self.traffic_floor < 1:
            raise ValueError(f"traffic_floor: {self.traffic_floor} is no floor; write 1 or more requests")
        if not self.objectives:
            raise ValueError("objectives: is empty, so nothing would be judged; add one")
        _refuse_twins("objectives", "name", [o.name for o in self.objectives])
        _refuse_twins("routes", "route", [r.route for r in self.routes])
        for n, route in enumerate(self.excluded_routes):
            if not route.startswith("/"):
                raise ValueError(f"excluded_routes[{n}]: {route!r} is not a path; start it with /")


def _refuse_twins(key: str, field: str, names: list[str]) -> None:
    for n, name in enumerate(names):
        if (first := names.index(name)) < n:
            raise ValueError(f"{key}[{n}].{field}: {name} stands at {key}[{first}] already; keep one of the two")


def read_targets(path: str | Path) -> Targets:
    """Read the targets; raises SloFileError naming file, line and key of the first thing it refuses."""
    file = yamlfile.load(path, _File)
    return Targets(file.service, file.objectives, file.routes, file.excluded_routes, file.traffic_floor)
