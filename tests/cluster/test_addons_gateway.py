"""The Gateway leads requests by weight and by header, and a change of weights fails none."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Self

import pytest
import urllib3

from tests.cluster.sandbox import Object, Sandbox, eventually, sandbox

pytestmark = pytest.mark.cluster

HOST = "addons-gateway.test"
PARENT = {"name": "edge", "namespace": "envoy-gateway-system"}


@pytest.fixture(scope="module")
def slots(cluster: Path) -> Iterator[Sandbox]:
    """Two slots that answer with their names, behind the Gateway `edge`."""
    with sandbox(cluster, "addons-gateway") as place:
        for slot in ("blue", "green"):
            place.apply(place.server(slot), place.service(slot))
        for slot in ("blue", "green"):
            place.ready(slot)
        place.apply(route(100, 0))
        yield place


@pytest.fixture(scope="module")
def edge(slots: Sandbox) -> str:
    """The Gateway's address, once it leads to the slots."""
    gateway = slots.kubectl.get("gateway", "edge", "--namespace=envoy-gateway-system")
    address = str(gateway["status"]["addresses"][0]["value"])
    with urllib3.PoolManager() as http:
        eventually(lambda: http.request("GET", f"http://{address}", headers={"Host": HOST}).status == 200)
    return address


def route(blue: int, green: int) -> Object:
    backends = [{"name": name, "port": 80, "weight": weight} for name, weight in (("blue", blue), ("green", green))]
    header = {"headers": [{"name": "x-route-slot", "value": "green"}]}
    rules = [{"matches": [header], "backendRefs": [{"name": "green", "port": 80}]}, {"backendRefs": backends}]
    spec = {"parentRefs": [PARENT], "hostnames": [HOST], "rules": rules}
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "slots"},
        "spec": spec,
    }


class Users:
    """Requests one after the other until it is left: every other one on a connection of its own."""

    def __init__(self, address: str) -> None:
        self.answers: list[tuple[float, str]] = []
        self._url = f"http://{address}/"
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(keep,)) for keep in (True, False)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def hear(self, slots: set[str]) -> bool:
        """Whether the last answers are those of these slots."""
        return {answer for _, answer in self.answers[-50:]} == slots

    def _ask(self, keep: bool) -> None:
        headers = {"Host": HOST, "Connection": "keep-alive" if keep else "close"}
        with urllib3.PoolManager(retries=False, timeout=5) as http:
            while not self._over.wait(0.005):
                self.answers.append((time.monotonic(), _answer(http, self._url, headers)))


def _answer(http: urllib3.PoolManager, url: str, headers: dict[str, str]) -> str:
    try:
        reply = http.request("GET", url, headers=headers)
    except urllib3.exceptions.HTTPError as exc:
        return repr(exc)
    return reply.data.decode() if reply.status == 200 else f"HTTP {reply.status}"


def test_header(slots: Sandbox, edge: str) -> None:
    """A request that names a slot reaches it, whatever the weights."""
    slots.apply(route(100, 0))
    with urllib3.PoolManager() as http:
        named = [
            http.request("GET", f"http://{edge}", headers={"Host": HOST, "x-route-slot": "green"}) for _ in "12345"
        ]
    assert {b"green"} == {reply.data for reply in named}


def test_weights(slots: Sandbox, edge: str) -> None:
    """Users are shared as the weights say; from 0 to 100 and back no request fails."""
    shares: list[Counter[str]] = []
    with Users(edge) as users:
        for weights in ((100, 0), (75, 25), (0, 100), (100, 0), (0, 100)):
            slots.apply(route(*weights))
            wanted = {slot for slot, weight in zip(("blue", "green"), weights, strict=True) if weight}
            eventually(partial(users.hear, wanted))
            since = time.monotonic()
            time.sleep(2.0)
            shares.append(Counter(answer for when, answer in users.answers if when > since))
    assert {"blue", "green"} == {answer for _, answer in users.answers}
    first, quarter, *others = shares
    assert {"blue"} == set(first)
    assert 0.15 < quarter["green"] / quarter.total() < 0.35
    assert [{"green"}, {"blue"}, {"green"}] == [set(share) for share in others]
