"""Two slots that run, and users who ask them: half of the requests on kept connections, half on new ones."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from scripts.release.errors import ReleaseError
from scripts.release.kubernetes.platform import Kubernetes
from scripts.release.kubernetes.router import Router
from scripts.release.route import Target, other
from scripts.release.slots import Observed

LIMIT_S = 5.0
# A foreign application: it says its slot, and when it began a request.
SERVER = """
import asyncio, os, time
async def serve(reader, writer):
    try:
        while await reader.readuntil(b"\\r\\n\\r\\n"):
            said = f"x-slot: {os.environ['SLOT']}\\r\\nx-begun: {time.time():.6f}\\r\\ncontent-length: 2\\r\\n\\r\\nok"
            writer.write(b"HTTP/1.1 200 OK\\r\\n" + said.encode())
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    writer.close()
async def main():
    async with await asyncio.start_server(serve, "", 8080, backlog=512) as server:
        await server.serve_forever()
asyncio.run(main())
"""


def slot_values(image: str, slot: str, replicas: int = 2) -> dict[str, Any]:
    """Values of the chart helm/slot for it."""
    repository, _, tag = image.partition(":")
    return {
        "slot": slot,
        "version": "1.0.0",
        "replicas": replicas,
        "image": {"repository": repository, "tag": tag},
        "command": ["python3", "-c", SERVER],
        "config": {"SLOT": "{{ .Values.slot }}"},
        "resources": {"requests": {"cpu": "20m", "memory": "32Mi"}, "limits": {"memory": "64Mi"}},
    }


class Seen(NamedTuple):
    """One request as its user saw it; times in Unix seconds."""

    sent: float
    kept: bool  # by somebody who keeps his connection
    slot: str  # "" for one that failed
    begun: float  # by the server's clock, which is this machine's
    said: str  # why it failed


class Users:
    """`rate` requests a second for `path`, uniformly; half of them on kept connections.

    `told`: the header by which the application says its slot; "": the answer itself is what is told apart.
    """

    def __init__(
        self,
        address: str,
        headers: dict[str, str] | None = None,
        rate: float = 300.0,
        told: str = "x-slot",
        path: str = "/",
    ) -> None:
        threads = 6  # of each kind
        parts = urlsplit(address)
        self.host, self.port = parts.hostname or "", parts.port or 80
        self.headers, self.told, self.path = headers or {}, told, path
        self.seen: list[Seen] = []
        self._pause, self._end = 2 * threads / rate, threading.Event()
        self._threads = [
            threading.Thread(target=self._ask, args=(number % 2 == 0, number / (2 * threads)), daemon=True)
            for number in range(2 * threads)
        ]

    def since(self, moment: float) -> list[Seen]:
        """What was sent from then on."""
        return [each for each in self.seen if each.sent >= moment]

    @property
    def failed(self) -> list[Seen]:
        return [each for each in self.seen if not each.slot]

    def _ask(self, kept: bool, phase: float) -> None:
        link: http.client.HTTPConnection | None = None
        due = time.monotonic() + phase * self._pause
        while not self._end.wait(max(0.0, due - time.monotonic())):
            due += self._pause
            sent = time.time()
            link = link or http.client.HTTPConnection(self.host, self.port, timeout=LIMIT_S)
            try:
                link.request("GET", self.path, headers=self.headers)
                answer = link.getresponse()
                said = answer.read()[:100]
                told = answer.getheader(self.told, "") if self.told else said.decode()
                slot = told if answer.status == 200 else ""
                words = "" if slot else f"{answer.status} {said!r}"
                self.seen.append(Seen(sent, kept, slot, float(answer.getheader("x-begun", "0")), words))
            except (OSError, http.client.HTTPException) as exc:
                self.seen.append(Seen(sent, kept, "", 0.0, repr(exc)))
                link.close()
                link = None
            if not kept and link:
                link.close()
                link = None
        if link:
            link.close()

    @contextmanager
    def at_work(self) -> Iterator[Users]:
        for thread in self._threads:
            thread.start()
        try:
            yield self
        finally:
            self._end.set()
            for thread in self._threads:
                thread.join(LIMIT_S + 1)


@contextmanager
def watched(platform: Kubernetes) -> Iterator[list[Observed]]:
    """What a bystander sees several times a second: the route, and then the slots."""
    found: list[Observed] = []
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.2):
            with suppress(ReleaseError):  # an API server that is away
                route = platform.router.read()
                found.append(Observed(platform.observe().slots, route))

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        over.set()
        thread.join(LIMIT_S + 1)


class Switch(NamedTuple):
    """Seconds from the start of a write of all users to the other slot, which takes `written`."""

    written: float
    new: float  # to the last request on a new connection that the old slot began
    kept: float  # and on a kept one
    quiet: float  # from then on nothing else was written


def switches(router: Router, users: Users, number: int, quiet: float = 2.5) -> list[Switch]:
    """Move all users back and forth, and watch the old slot for `quiet` seconds each time."""
    found = []
    for _ in range(number):
        route = router.read()
        assert route.target.sole
        began = time.time()
        router.write(Target.all_on(other(route.target.sole)), route.token, route.run, route.fence)
        written = time.time() - began
        time.sleep(quiet)
        seen = users.since(began - LIMIT_S)
        new, kept = (last_begun(seen, route.target.sole, kept, began) for kept in (False, True))
        found.append(Switch(written, new, kept, quiet))
    return found


def last_begun(seen: Sequence[Seen], slot: str, kept: bool, since: float) -> float:
    """Seconds from `since` to the last request that `slot` began; 0.0 for none."""
    return max((each.begun - since for each in seen if each.slot == slot and each.kept == kept), default=0.0)
