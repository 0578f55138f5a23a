"""Inputs against the schemas that AWS publishes of its resources, as cfn-lint ships them.

They know enums, patterns, bounds, and the engine versions and classes that each region has. CloudFormation's names and
Pulumi's differ in case everywhere and in words here and there: infra/rehearsal/types.py has the words. An input without
a counterpart is not judged, and `unjudged` says so.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from jsonschema import Draft7Validator, ValidationError
from jsonschema.validators import extend
from pulumi.runtime.rpc import UNKNOWN

from infra.plan.graph import Json
from infra.rehearsal.types import TYPES, Published

LEAVES: Final = (  # what is asked; not what needs every word to be translated, nor types, which the SDK has
    "const",
    "enum",
    "enumCaseInsensitive",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "maxItems",
    "maxLength",
    "maximum",
    "minItems",
    "minLength",
    "minimum",
    "pattern",
)
IGNORED: Final = ("region", "tags", "tagsAll")  # said in another way, or elsewhere
FIRST: Final = "us-east-1"  # in every file that speaks of regions
Schema = Mapping[str, Any]


def _whatever_case(validator: object, allowed: Sequence[str], found: Json, schema: Schema) -> Iterator[ValidationError]:
    """A keyword of cfn-lint's own."""
    if isinstance(found, str) and found.casefold() not in map(str.casefold, allowed):
        yield ValidationError(f"{found!r} is not one of {list(allowed)}")


Asked: Final = extend(Draft7Validator, {"enumCaseInsensitive": _whatever_case})


def complaints(token: str, inputs: dict[str, Json], region: str) -> Iterator[tuple[str, str]]:
    """Path and words for each input that AWS's schemas refuse."""
    schema = of(token, region)
    if schema is None:
        return
    kind = TYPES[token.split(":")[1]]
    translated = _translated(inputs, _of_inputs(schema, kind), schema, kind.names)
    translated = {kind.inside: translated} if kind.inside else translated
    added = [each for name in (kind.name, *kind.like) for each in extensions(name, region)]
    for each in (schema, *added):
        for error in Asked(each).iter_errors(translated):
            if error.validator in LEAVES and error.instance != UNKNOWN:
                yield ".".join(map(str, error.absolute_path)), _short(error.message)


def settled(token: str, key: str, region: str) -> bool:
    """Whether this input can only be given at creation: another value makes another resource."""
    schema = of(token, region)
    if schema is None:
        return False
    kind = TYPES[token.split(":")[1]]
    name = _name(key, _of_inputs(schema, kind), kind.names)
    path = "/".join(each for each in ("/properties", kind.inside, name) if each)
    return name is not None and path in schema.get("createOnlyProperties", ())


def unjudged(token: str, inputs: Mapping[str, Json], region: str) -> list[str]:
    """The inputs that no schema speaks of; all of them where AWS publishes none for the type."""
    schema = of(token, region)
    asked = [key for key in inputs if key not in IGNORED]
    if schema is None:
        return asked
    kind = TYPES[token.split(":")[1]]
    return [key for key in asked if _name(key, _of_inputs(schema, kind), kind.names) is None]


def of(token: str, region: str) -> Schema | None:
    """The schema of a type in a region, None where there is none."""
    known = TYPES.get(token.split(":")[1])
    digest = _providers(region).get(known.name) if known else None
    return _read("resources", f"{digest}.json") if digest else None


@cache
def extensions(name: str, region: str) -> tuple[Schema, ...]:
    """What cfn-lint adds to a schema from AWS's own price list and services, for a region."""
    folder = _data() / "extensions" / name.lower().replace("::", "_")
    found = {path.stem: _read("extensions", folder.name, path.name) for path in sorted(folder.glob("*.json"))}
    here = {stem: each.get(region, {}) if FIRST in each else each for stem, each in found.items()}
    return tuple(_of_property(stem, each, name, region) if "enum" in each else each for stem, each in here.items())


def _of_property(stem: str, allowed: Schema, name: str, region: str) -> Schema:
    """A list of values, in a file that names its property, as a schema of the whole resource."""
    schema = _read("resources", f"{_providers(region)[name]}.json")
    key = _name(stem.removesuffix("_enum"), schema, {})
    return {"properties": {key: allowed}} if key else {}


@cache
def _providers(region: str) -> Schema:
    return _read("providers", f"{region}.json")


@cache
def _read(*path: str) -> Schema:
    found: Schema = json.loads((_data().joinpath(*path)).read_text())
    return found


@cache
def _data() -> Path:
    # Beside cfn-lint's code, which is not imported: it takes seconds and is not needed.
    spec = find_spec("cfnlint")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return Path(spec.submodule_search_locations[0]) / "data" / "schemas"


def _translated(found: Json, schema: Schema, root: Schema, names: Mapping[str, str]) -> Json:
    """A value with CloudFormation's names for what it knows, and without the rest."""
    schema = _resolved(schema, root)
    if isinstance(found, list):
        return [_translated(each, schema.get("items", {}), root, names) for each in found]
    if not isinstance(found, dict) or "properties" not in schema:
        return found
    known = {key: name for key in found if key not in IGNORED and (name := _name(key, schema, names))}
    return {name: _translated(found[key], schema["properties"][name], root, names) for key, name in known.items()}


def _of_inputs(schema: Schema, kind: Published) -> Schema:
    """The part of a schema that has Pulumi's inputs."""
    return _resolved(schema["properties"][kind.inside], schema) if kind.inside else schema


def _resolved(schema: Schema, root: Schema) -> Schema:
    reference = schema.get("$ref", "")
    return root["definitions"].get(reference.rpartition("/")[2], {}) if reference else schema


def _name(key: str, schema: Schema, names: Mapping[str, str]) -> str | None:
    """CloudFormation's name of an input."""
    wanted = names.get(key, key).casefold()
    return next((name for name in schema["properties"] if name.casefold() == wanted), None)


def _short(words: str) -> str:
    return words if len(words) < 200 else f"{words[:99]} … {words[-99:]}"
