"""What a run's processes tell one another, and what the master is told to begin with.

Over Locust's own connection between master and workers, as msgpack.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, Final, TypeVar

import msgspec

from loadtest.arrivals import schedule
from loadtest.launch import START_S, RunConfig
from loadtest.profile import changed
from loadtest.recording import Recording, Sample
from loadtest.tokens import Tokens

T = TypeVar("T")

# Message types. From a worker:
HERE: Final = "here"  # I can be told my share
READY: Final = "ready"  # I have it and can begin
BEGAN: Final = "began"
SECOND: Final = "second"
PART: Final = "part"  # my share of the recording
TROUBLE: Final = "trouble"  # why I cannot go on
# From the master:
SHARE: Final = "share"
BEGIN: Final = "begin"
END: Final = "end"  # before its time

SEEDS_APART: Final = 1_000_003


class Plan(msgspec.Struct, frozen=True):
    """A run, as its master is told."""

    config: RunConfig
    workers: int
    port: int = 5557
    gather_s: float = START_S  # for all workers to be there
    linger_s: float = 0.0  # after the last word, unless it is told to end: for whoever reads the log
    seeds: bool = False  # seed the database of $DATABASE_URL first, with tokens signed by $JWT_KEYS


class Hello(msgspec.Struct, frozen=True):
    """Who a worker is."""

    name: str
    node: str


class Share(msgspec.Struct, frozen=True):
    """One worker's share of a run."""

    config: RunConfig
    worker: int  # its number, from 0
    workers: int
    tokens: Tokens | None  # for our own journeys

    def arrivals(self) -> Iterator[float]:
        """Every `workers`-th arrival of the run: all shares together are the arrivals of a run by one process."""
        return islice(schedule(self.config.profile, self.config.seed), self.worker, None, self.workers)

    def own(self) -> RunConfig:
        """The run as this worker sees it: a random mix of its own, and no less than its share of what is in flight."""
        profile = self.config.profile
        own = changed(
            profile,
            rate=profile.rate / self.workers,
            logins_per_s=profile.logins_per_s / self.workers,
            max_in_flight=profile.max_in_flight // self.workers + 1,
        )
        return msgspec.structs.replace(
            self.config, profile=own, seed=self.config.seed + SEEDS_APART * self.worker, tokens_path=None
        )


class Part(msgspec.Struct, frozen=True):
    """What one worker recorded, with the seconds once more in a form that can be merged."""

    recording: Recording
    samples: tuple[Sample, ...]


def packed(content: object) -> dict[str, Any]:
    """As Locust carries it."""
    return {"content": msgspec.msgpack.encode(content)}


def unpacked(message: Any, kind: type[T]) -> T:
    """What a message of Locust's carries. Raises msgspec.DecodeError where it is no `kind`."""
    return msgspec.msgpack.decode(message.data["content"], type=kind)


def shares(config: RunConfig, workers: int, tokens: Tokens | None) -> Iterator[Share]:
    """The run dealt out; each seeded user belongs to one worker, so that it comes no oftener than in a run by one."""
    for worker in range(workers):
        own = tokens and msgspec.structs.replace(tokens, users=tokens.users[worker::workers])
        yield Share(config, worker, workers, own)
