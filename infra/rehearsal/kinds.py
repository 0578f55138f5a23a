"""Inputs against the SDK's own types, which Python itself never checks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pulumi.runtime.rpc import UNKNOWN

from infra.plan import sdk
from infra.plan.graph import Json

SIMPLE: Final[dict[object, tuple[type, ...]]] = {str: (str,), bool: (bool,), int: (int,), float: (int, float)}


def misfits(token: str, inputs: dict[str, Json]) -> Iterator[tuple[str, str]]:
    """Path and words for each input that the type does not have, or has with another kind."""
    known = sdk.properties(token)
    if known:
        yield from _fields(inputs, known, "")


def _fields(found: dict[str, Json], known: dict[str, object], path: str) -> Iterator[tuple[str, str]]:
    for key, each in found.items():
        where = f"{path}.{key}" if path else key
        if key in known:
            yield from _value(each, sdk.plain(known[key]), where)
        elif not key.startswith("__"):
            yield where, "the type has no such property"


def _value(found: Json, kind: object, path: str) -> Iterator[tuple[str, str]]:
    if found in (None, UNKNOWN):
        return
    if (of := sdk.element(kind)) is not None:
        yield from _list(found, sdk.plain(of), path)
    elif (leads_to := sdk.value(kind)) is not None or sdk.fields(kind) is not None:
        yield from _dict(found, kind, leads_to, path)
    elif kind in SIMPLE and (not isinstance(found, SIMPLE[kind]) or isinstance(found, bool) != (kind is bool)):
        yield path, f"{found!r} is no {getattr(kind, '__name__', kind)}"


def _list(found: Json, of: object, path: str) -> Iterator[tuple[str, str]]:
    if not isinstance(found, list):
        yield path, f"{found!r} is no list"
        return
    for at, each in enumerate(found):
        yield from _value(each, of, f"{path}[{at}]")


def _dict(found: Json, kind: object, leads_to: object, path: str) -> Iterator[tuple[str, str]]:
    if not isinstance(found, dict):
        yield path, f"{found!r} is no map"
    elif (fields := sdk.fields(kind)) is not None:
        yield from _fields(found, dict(fields), path)
    else:
        for key, each in found.items():
            yield from _value(each, sdk.plain(leads_to), f"{path}.{key}")
