"""What the generated SDK knows of a type: the names and kinds of its properties.

`pulumi._types` is no public API: all that we use of it is in this file, and tests/infra/test_monitor.py fails loudly
where a new SDK speaks otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib import import_module
from typing import Any, Final, cast, get_args, get_origin

from pulumi import _types
from pulumi.runtime import rpc

from infra.plan.graph import Json

DEPTH: Final = 3  # of what a resource says of itself: a list of structs of texts


@cache
def properties(token: str) -> dict[str, object]:
    """The kinds of a type's properties, by the name they have on the wire; none for a type that no SDK here has."""
    package, module, _ = token.split(":")
    found: Any = rpc.get_resource_module(package, module, "")  # of a generated SDK
    if found is None:
        return {}
    return dict(_types.resource_types(getattr(import_module(found.mod_info["fqn"]), found.mod_info["classes"][token])))


def plain(kind: object) -> object:
    """A kind without its None."""
    return cast("object", _types.unwrap_optional_type(cast("type", kind)))


def fields(kind: object) -> dict[str, type] | None:
    """The kinds of a structure's fields, as `properties`; None for what is no structure."""
    return _types.output_type_types(kind) if isinstance(kind, type) and _types.is_output_type(kind) else None


def element(kind: object) -> object:
    """What a list is of; None for what is no list."""
    return get_args(kind)[0] if get_origin(kind) is Sequence else None


def value(kind: object) -> object:
    """What a map leads to; None for what is no map."""
    return get_args(kind)[1] if get_origin(kind) in (Mapping, dict) else None


def filled(kind: object, path: str, leaf: Callable[[object, str], Json], depth: int = DEPTH) -> Json:
    """A value of that kind: `leaf(kind, path)` wherever it has neither fields nor elements; lists have one element."""
    inner = plain(kind)
    if depth and (of := element(inner)):
        return [filled(of, f"{path}[0]", leaf, depth - 1)]
    if depth and (of_fields := fields(inner)) is not None:
        return {key: filled(each, f"{path}.{key}", leaf, depth - 1) for key, each in of_fields.items()}
    return leaf(inner, path)
