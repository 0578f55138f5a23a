"""What people read of a graph: a tree of its components, and what differs between two graphs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

import msgspec

from infra.plan.graph import STACK_TYPE, Graph, Json, Resource

ABSENT: Final = "absent"
LONGEST: Final = 100  # characters of a value that a line shows


def tree_lines(graph: Graph) -> Iterator[str]:
    """The stack, its components, and what is in each; marked are protected and retained resources."""
    yield f"{graph.project} on {graph.stack}"
    for root in graph.of(STACK_TYPE):
        yield from _below(graph, root.name, "")
    kinds = Counter(each.type.split(":")[1].partition("/")[0] for each in graph.made)
    yield f"{kinds.total()} resources: " + ", ".join(f"{kind} {number}" for kind, number in sorted(kinds.items()))
    yield f"exports: {', '.join(sorted(graph.exports)) or 'none'}"


def _below(graph: Graph, parent: str, indent: str) -> Iterator[str]:
    children = sorted(graph.below(parent), key=lambda each: (each.is_component, each.type, each.name))
    for each in children:
        last = each is children[-1]
        yield f"{indent}{'└─' if last else '├─'} {_kind(each)} {each.name}{_marks(each)}"
        yield from _below(graph, each.name, f"{indent}{'   ' if last else '│  '}")


def _kind(resource: Resource) -> str:
    package, _, rest = resource.type.partition(":")
    return rest.partition(":")[0] if package == "aws" else rest.rpartition(":")[2]


def _marks(resource: Resource) -> str:
    marks = [word for word, on in (("protected", resource.protect), ("retained", resource.retain)) if on]
    marks += [f"secret {path}" for path in resource.secrets]
    return f" ({', '.join(marks)})" if marks else ""


def difference_lines(before: Graph, after: Graph) -> Iterator[str]:
    """`+`, `-` and `~` for what is added, taken away and changed, each changed value on a line; none if all is same."""
    old, new = ({each.name: each for each in graph.resources} for graph in (before, after))
    for name in sorted(old.keys() | new.keys()):
        if name not in old:
            yield f"+ {_kind(new[name])} {name}"
        elif name not in new:
            yield f"- {_kind(old[name])} {name}{_marks(old[name])}"
        elif old[name] != new[name]:
            yield f"~ {_kind(new[name])} {name}{_marks(new[name])}"
            yield from _changes(msgspec.to_builtins(old[name]), msgspec.to_builtins(new[name]), "")
    for what in ("exports", "secret_exports"):
        if getattr(before, what) != getattr(after, what):
            yield f"~ {what}"
            yield from _changes(getattr(before, what), getattr(after, what), "")


def _changes(old: Json, new: Json, path: str) -> Iterator[str]:
    if old == new:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            yield from _changes(old.get(key, ABSENT), new.get(key, ABSENT), f"{path}.{key}" if path else key)
    else:
        yield f"    {path or 'all'}: {_shown(old)} → {_shown(new)}"


def _shown(value: Json) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
