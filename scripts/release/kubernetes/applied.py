"""Whether a write whose reply was lost has been done: what it asked for is there; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_EMPTY: tuple[object, ...] = (None, "", 0, False, [], {})  # the server leaves these out
_SERVERS = ("resourceVersion", "managedFields", "generation", "creationTimestamp", "uid")


def contains(found: Any, wanted: Any) -> bool:
    """Whether all that is `wanted` stands in `found`, which may hold more; lists must be as long."""
    if isinstance(wanted, Mapping):
        if not isinstance(found, Mapping):
            return not wanted
        fields = ((key, value) for key, value in wanted.items() if key not in _SERVERS)
        return all(contains(found.get(key), value) for key, value in fields)
    if isinstance(wanted, list) and wanted:
        return (
            isinstance(found, list)
            and len(found) == len(wanted)
            and all(contains(one, other) for one, other in zip(found, wanted, strict=True))
        )
    return bool(found == wanted) or (found in _EMPTY and wanted in _EMPTY)


def patched(found: Any, ops: Sequence[Mapping[str, Any]]) -> bool:
    """Whether an object shows what the operations of a JSON Patch (RFC 6902) leave behind; `test` leaves nothing."""
    changes = [op for op in ops if op["op"] != "test"]
    return bool(changes) and all(_shows(found, op) for op in changes)


def _shows(found: Any, op: Mapping[str, Any]) -> bool:
    *way, last = (part.replace("~1", "/").replace("~0", "~") for part in op["path"].split("/")[1:])
    for part in way:
        found = _at(found, part)
    value = _at(found, last)
    return value is None if op["op"] == "remove" else contains(value, op["value"])


def _at(found: Any, part: str) -> Any:
    if isinstance(found, Mapping):
        return found.get(part)
    if isinstance(found, list) and part.isdigit() and int(part) < len(found):
        return found[int(part)]
    return None
