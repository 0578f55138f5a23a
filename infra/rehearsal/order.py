"""Whether things were made after what they need, and deleted before it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from infra.plan.graph import Graph
from infra.rehearsal.world import Call


def made_early(calls: Sequence[Call], graph: Graph) -> list[str]:
    """Words for each thing that was made before something that it needs."""
    return list(_wrong([call.name for call in calls if call.verb == "create" and not call.refused], graph))


def deleted_early(calls: Sequence[Call], graph: Graph) -> list[str]:
    """Words for each thing that was deleted while something that needs it was there."""
    return list(_wrong([call.name for call in reversed(calls) if call.verb == "delete" and not call.refused], graph))


def _wrong(names: Iterable[str], graph: Graph) -> Iterator[str]:
    place = {name: at for at, name in enumerate(names)}
    for each in graph.made:
        for needed in each.depends_on:
            if needed in place and each.name in place and place[needed] > place[each.name]:
                yield f"{each.name} needs {needed}, which was not there"
