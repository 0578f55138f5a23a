"""Objects that an API server is asked to make, of a rehearsal's world: none that it had before, none left behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Final, Protocol

from infra.errors import ConfigError
from infra.plan.graph import Graph, Json
from infra.rehearsal.cluster import RELEASE, title
from infra.rehearsal.world import Fault, Key, NotReadyError, RefusedError, Thing, World

GONE_S: Final = 60.0  # for an object to go, a namespace with all that is in it
PAUSE_S: Final = 0.5
Object = dict[str, Json]


class Server(Protocol):
    """An API server. Every call has a time limit and raises RefusedError for its no, or its silence."""

    where: str  # context and address

    def knows(self, found: Object) -> bool:
        """Whether it has that kind."""

    def uid(self, found: Object) -> str:
        """Of the object of that kind and name; empty where there is none."""

    def make(self, found: Object) -> str:
        """Make it new, never over another; gives its uid."""

    def apply(self, found: Object) -> None:
        """Lay it over what is there, server-side, as the rehearsal's field manager."""

    def delete(self, found: Object, uid: str) -> None:
        """Let go of it, if it is still the one of that uid."""


class Attached(World):
    """A world whose objects are made on an API server too, where it knows their kinds."""

    def __init__(self, server: Server, fault: Fault | None = None, number: int = 0) -> None:
        super().__init__(fault, number)
        self._server = server
        self._turn = threading.RLock()  # the server does one thing at a time
        self._closed = False
        self._uids: dict[Key, tuple[Object, str]] = {}  # of what is there
        self.asked: set[str] = set()  # titles

    def create(self, thing: Thing) -> None:
        """As the world, then on the server. Raises RefusedError; what is late is made all the same."""
        late = None
        try:
            super().create(thing)
        except NotReadyError as exc:
            late = exc
        try:
            self._make(thing)
        except RefusedError:
            del self.things[thing.key]
            raise
        if late:
            raise late

    def update(self, thing: Thing) -> None:
        """As the world, then on the server. Raises RefusedError."""
        super().update(thing)
        if thing.key in self._uids:
            self._server.apply(thing.inputs)

    def delete(self, key: Key) -> None:
        """As the world, then on the server, to its end. Raises RefusedError."""
        super().delete(key)
        with self._turn:
            if key in self._uids:
                self._remove(key)

    def close(self) -> None:
        """Let go of all that is still on the server, and take nothing more. Raises RefusedError for what stays."""
        with self._turn:
            self._closed, left = True, []
            for key in [*reversed(self._uids)]:
                try:
                    self._remove(key)
                except RefusedError as exc:
                    left.append(str(exc))
        if left:
            raise RefusedError("; ".join(left))

    def _make(self, thing: Thing) -> None:
        with self._turn:
            if self._closed or not plain(thing.type) or not self._server.knows(thing.inputs):
                return
            self._uids[thing.key] = thing.inputs, self._server.make(thing.inputs)
            self._server.apply(thing.inputs)
            self.asked.add(title(thing.inputs))

    def _remove(self, key: Key) -> None:
        found, uid = self._uids[key]
        self._server.delete(found, uid)
        until = time.monotonic() + GONE_S
        while self._server.uid(found) == uid:
            if time.monotonic() > until:
                raise RefusedError(f"{title(found)} is still there {GONE_S:.0f} s after it was deleted; who holds it?")
            time.sleep(PAUSE_S)
        del self._uids[key]


def plain(token: str) -> bool:
    """Whether it is an object rather than a chart."""
    return token.startswith("kubernetes:") and token != RELEASE


def objects(graph: Graph) -> Iterator[Object]:
    """The plan's objects."""
    return (each.inputs for each in graph.made if plain(each.type))


def refuse_existing(server: Server, graph: Graph) -> None:
    """Raises ConfigError if anything that the plan makes is on the server: it is somebody else's."""
    if found := [title(each) for each in objects(graph) if server.knows(each) and server.uid(each)]:
        raise ConfigError(
            f"{server.where} has {', '.join(found)} already, which a rehearsal would take over and delete: "
            "name another cluster with --kubeconfig, or none with --kubeconfig ''"
        )
