"""YAML files read into msgspec structs; what is refused is named by file, line and key.

A struct states its own rules in `__post_init__` by `raise ValueError("KEY: what was found; what to do")`, KEY
being the path of the field below that struct ("target", "objectives[1].name"): the reader turns it into
`slo.yaml:21: objectives[0].target: what was found; what to do`. Declare structs with `forbid_unknown_fields=True`.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Final, TypeVar

import msgspec
import yaml
from msgspec import inspect

T = TypeVar("T")
Keys = tuple[str | int, ...]  # the way from the root: ("objectives", 0, "target")

_ANY: Final = "..."  # msgspec writes every key of a dict this way
_TOKEN = re.compile(r"\[(\d+)\]|\[(\.\.\.)\]|\.?([^.\[\]]+)")
_OWN_KEY = re.compile(r"([A-Za-z_][\w.\-\[\]]*): (.+)", re.DOTALL)
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_WORDS: Final = {
    "array": "a list",
    "bool": "true or false",
    "float": "a number",
    "int": "a whole number",
    "null": "nothing",
    "object": "a mapping",
    "str": "text",
}

DURATION_PATTERN: Final = r"^\d+(\.\d+)?(ms|s|m|h|d)$"


class YamlFileError(Exception):
    """A file that cannot be used; the message is `FILE:LINE: KEY: what was found; what to do`."""


class Duration(float):
    """Seconds, written in YAML with a unit: 250ms, 10s, 5m, 1h, 30d. Encode with `enc_hook=float`."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: object) -> Duration:
        """Read "10s"; raises ValueError for anything else, a number without a unit included."""
        if not isinstance(text, str) or not re.fullmatch(DURATION_PATTERN, text):
            raise ValueError(
                f"{text} is not a duration; write a number and its unit, such as 250ms, 10s, 5m, 1h or 30d"
            )
        number, unit = re.split(r"(?=[a-z])", text, maxsplit=1)
        return cls(float(number) * _UNITS[unit])


class _Loader(yaml.SafeLoader):
    """YAML without what a settings file does not need: aliases, dates, infinite numbers, keys given twice."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]  # the stubs leave it untyped
            raise yaml.MarkedYAMLError(None, None, "aliases are not read here; write the value out", event.start_mark)
        return super().compose_node(parent, index)

    def compose_mapping_node(self, anchor: str | None) -> yaml.MappingNode:  # type: ignore[override]  # stubs are wrong
        node = super().compose_mapping_node(anchor)  # type: ignore[arg-type]  # stubs are wrong
        seen: dict[str, int] = {}
        for key, _ in node.value:
            if key.tag != "tag:yaml.org,2002:str":
                raise yaml.MarkedYAMLError(None, None, f"key {_shown(key)} is not text; quote it", key.start_mark)
            if key.value in seen:
                problem = f"key {key.value} stands in line {seen[key.value]} already; keep one of the two"
                raise yaml.MarkedYAMLError(None, None, problem, key.start_mark)
            seen[key.value] = key.start_mark.line + 1
        return node

    def construct_finite(self, node: yaml.ScalarNode) -> float:
        value = self.construct_yaml_float(node)
        if not math.isfinite(value):
            raise yaml.MarkedYAMLError(None, None, f"{node.value} is not a finite number", node.start_mark)
        return value

    def construct_text(self, node: yaml.ScalarNode) -> str:
        return str(node.value)


_Loader.add_constructor("tag:yaml.org,2002:float", _Loader.construct_finite)
_Loader.add_constructor("tag:yaml.org,2002:timestamp", _Loader.construct_text)


def load(path: str | Path, type: type[T]) -> T:  # noqa: A002 - the name msgspec gives it
    """Read `path` as one YAML document of `type`. Raises YamlFileError as `read` and `parse`."""
    return parse(read(path), path, type)


def read(path: str | Path) -> bytes:
    """The bytes of a file. Raises YamlFileError where it cannot be read."""
    try:
        return Path(path).read_bytes()
    except OSError as exc:
        raise YamlFileError(f"{path}: cannot be read: {exc.strerror}; give the path of a readable file") from exc


def parse(raw: bytes, path: str | Path, type: type[T]) -> T:  # noqa: A002 - as above
    """One YAML document of `type`; `path` is what messages call it.

    Raises YamlFileError, with file, line and key, for an empty text, bad YAML, keys unknown, missing or given twice,
    wrong types, and every ValueError of the structs' own rules.
    """
    try:
        loader = _Loader(raw)
        try:
            root = loader.get_single_node()
            data = None if root is None else loader.construct_document(root)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as exc:
        line = "" if exc.problem_mark is None else f"{exc.problem_mark.line + 1}:"
        said = ", ".join(part for part in (exc.context, exc.problem) if part)
        raise YamlFileError(f"{path}:{line} {said}") from exc
    except (yaml.YAMLError, ValueError, RecursionError) as exc:
        first = (str(exc) or "nested too deeply").splitlines()[0]
        raise YamlFileError(f"{path}: not a YAML text: {first}") from exc
    if root is None:
        raise YamlFileError(f"{path}:1: the file is empty; {_known(inspect.type_info(type), ())}")
    try:
        return _convert(data, type)
    except msgspec.ValidationError as exc:
        raise YamlFileError(f"{path}:{_explain(exc, data, root, type)}") from exc


def _convert(data: object, kind: type[T]) -> T:
    return msgspec.convert(data, kind, dec_hook=decode)


def decode(kind: type, value: object) -> object:
    """The `dec_hook` of msgspec for values written here: durations."""
    if kind is Duration:
        return Duration.parse(value)
    raise NotImplementedError(f"no reader for {kind}")


def _explain(exc: msgspec.ValidationError, data: object, root: yaml.Node, kind: type) -> str:
    """`LINE: KEY: words` of a refusal by msgspec."""
    problem, keys = _split(exc)
    keys = _named(keys, data, data, kind, str(exc))
    own = isinstance(exc.__cause__, ValueError) and _OWN_KEY.fullmatch(problem)
    if own:
        keys, problem = keys + _tokens(own[1]), own[2]
    if unknown := re.fullmatch(r"Object contains unknown field `(.*)`", problem):
        problem = f"unknown key; {_known(inspect.type_info(kind), keys)}"
        keys = (*keys, unknown[1])
    elif missing := re.fullmatch(r"Object missing required field `(.*)`", problem):
        keys = (*keys, missing[1])
        problem = "is missing; add it"
    elif exc.__cause__ is None:
        problem = re.sub(r"`(.*?)`", lambda m: " or ".join(_WORDS.get(w, w) for w in m[1].split(" | ")), problem)
        problem = problem[0].lower() + problem[1:]
        if enum := _known(inspect.type_info(kind), keys):
            problem = f"{problem}; {enum}"
    line, found = _locate(root, keys)
    if exc.__cause__ is None and isinstance(found, yaml.ScalarNode) and found.value not in problem:
        problem += f", found {_shown(found)}"
    where = re.sub(r"\.?\[", "[", ".".join(f"[{k}]" if isinstance(k, int) else k for k in keys))
    return f"{line}: {where}: {problem}" if where else f"{line}: {problem}"


def _split(exc: msgspec.ValidationError) -> tuple[str, Keys]:
    problem, _, path = str(exc).rpartition(" - at ")
    return (problem, _tokens(path.strip("`").rpartition("$")[2])) if problem else (str(exc), ())


def _tokens(path: str) -> Keys:
    return tuple(int(m[1]) if m[1] else m[2] or m[3] for m in _TOKEN.finditer(path))


def _named(keys: Keys, data: object, here: object, kind: type, said: str) -> Keys:
    """`keys` with every "[...]" replaced by the first key of that mapping which alone brings the same refusal."""
    for at, key in enumerate(keys):
        if key == _ANY and isinstance(here, dict):
            entries = dict(here)
            for name, value in entries.items():
                here.clear()
                here[name] = value
                try:
                    _convert(data, kind)
                except msgspec.ValidationError as exc:
                    if str(exc) == said:
                        return (*keys[:at], name, *_named(keys[at + 1 :], data, value, kind, said))
                finally:
                    here.clear()
                    here.update(entries)
        elif isinstance(here, (dict, list)):
            here = here[key]  # type: ignore[index]  # msgspec walked this way a moment ago
    return keys


def _locate(root: yaml.Node, keys: Keys) -> tuple[int, yaml.Node | None]:
    """The line of the last of `keys` that stands in the file, and the node there if it is the last of all."""
    node, mark = root, root.start_mark
    for key in keys:
        if isinstance(node, yaml.MappingNode):
            entry = next(((k.start_mark, v) for k, v in node.value if k.value == key), None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
            entry = (node.value[key].start_mark, node.value[key])
        else:
            entry = None
        if entry is None:
            return mark.line + 1, None
        mark, node = entry
    return mark.line + 1, node


def _known(info: inspect.Type, keys: Keys) -> str:
    """What may stand at `keys`: the keys of a struct or the values of a choice; "" for anything else."""
    found = _flat(info)
    for key in keys:
        found = [t for f in found for t in _below(f, key)]
    fields = [f.encode_name for t in found if isinstance(t, inspect.StructType) for f in t.fields]
    values = [str(v) for t in found if isinstance(t, inspect.LiteralType) for v in t.values]
    values += [str(v.value) for t in found if isinstance(t, inspect.EnumType) for v in t.cls]
    if values:
        return f"one of {', '.join(values)} is expected"
    return f"the keys known here are {', '.join(fields)}" if fields else ""


def _flat(info: inspect.Type) -> list[inspect.Type]:
    if isinstance(info, inspect.UnionType):
        return [t for member in info.types for t in _flat(member)]
    return _flat(info.type) if isinstance(info, inspect.Metadata) else [info]


def _below(info: inspect.Type, key: str | int) -> list[inspect.Type]:
    match info:
        case inspect.StructType(fields=fields):
            return [t for f in fields if f.encode_name == key for t in _flat(f.type)]
        case inspect.DictType(value_type=value):
            return _flat(value)
        case inspect.ListType(item_type=item) | inspect.VarTupleType(item_type=item):
            return _flat(item)
    return []


def _shown(node: yaml.Node) -> str:
    text = node.value if isinstance(node, yaml.ScalarNode) else "a list or a mapping"
    return repr(text if len(text) <= 40 else text[:39] + "…")
