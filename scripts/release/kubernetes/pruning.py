"""What a journal of limited size may forget: whole old runs, and only such as nothing hangs on any more; pure.

A run may go where the memory of the journal is the same without it. Old releases are an exception, because every
release would be kept otherwise: known are those that run, that are under way, and the last ones that had all users and
were not taken back, which a cold rollback may start again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, TypeVar

import msgspec

from scripts.release.journal import Entry
from scripts.release.memory import Memory, remember

RECENT: Final = 5  # runs, and versions to go back to, that are always kept
T = TypeVar("T")


def forgettable(entries: Sequence[Entry], sizes: Sequence[int], surplus: int) -> frozenset[int]:
    """Positions of entries to drop, of at least `surplus` bytes together where so many can go. `sizes`: of each."""
    runs: dict[str, set[int]] = {}
    for position, entry in enumerate(entries):
        runs.setdefault(entry.run, set()).add(position)
    waiting = list(runs.values())[:-RECENT]
    kept, dropped = essential(remember(entries)), frozenset[int]()
    while waiting and (left := surplus - sum(sizes[position] for position in dropped)) > 0:
        batch: list[set[int]] = []
        while waiting and left > 0:
            batch.append(waiting.pop(0))
            left -= sum(sizes[position] for position in batch[-1])
        dropped |= _without(entries, dropped, batch, kept)
    return dropped


def _without(entries: Sequence[Entry], dropped: frozenset[int], runs: list[set[int]], kept: Memory) -> frozenset[int]:
    """Of these runs, the positions of those that may go beside what is dropped already."""
    gone = frozenset().union(*runs)
    without = (entry for position, entry in enumerate(entries) if position not in dropped | gone)
    if essential(remember(without)) == kept:
        return gone
    if len(runs) == 1:
        return frozenset()
    half = len(runs) // 2
    first = _without(entries, dropped, runs[:half], kept)
    return first | _without(entries, dropped | first, runs[half:], kept)


def essential(memory: Memory) -> Memory:
    """The memory without the old releases that nothing comes back to."""
    back = [digest for digest in _newest_first(memory.lives) if digest not in memory.rejected][:RECENT]
    under_way = [memory.gated, memory.refused, memory.replacing, *(digest for digest, _ in memory.approved)]
    under_way += [found.release for found in (memory.open, memory.waiting) if found]
    needed = {*back, *memory.lives[-1:], *memory.ran.values(), *under_way}
    return msgspec.structs.replace(
        memory,
        known=_only(memory.known, needed),
        ranges=_only(memory.ranges, needed),
        starts=_only(memory.starts, needed),
        lives=(*reversed(back), *memory.lives[-1:]),
        rejected=tuple(sorted(needed.intersection(memory.rejected))),
    )


def _newest_first(digests: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(reversed(tuple(digests))))


def _only(table: dict[str, T], digests: set[str]) -> dict[str, T]:
    return {digest: value for digest, value in table.items() if digest in digests}
