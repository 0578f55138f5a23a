"""Clients that are in the middle of something when the route moves: each begins one round after the other."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader
from socket import create_connection
from typing import Final, NamedTuple

from scripts.local.state import State

PIECES: Final = 15  # of a long answer, ten a second


class Round(NamedTuple):
    """One answer, or what was sent together; Unix seconds."""

    began: float
    ended: float
    wrong: str  # "" when all came as it should


Flow = Callable[[State], str]  # one round: what was wrong


def connect(state: State) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", state.edge_port, timeout=20)


def long_answer(state: State) -> str:
    """An answer in chunks that takes a second and a half."""
    connection = connect(state)
    connection.request("GET", "/long")
    answer = connection.getresponse()
    body = answer.read().split()
    connection.close()
    whole = [str(number).encode() for number in range(PIECES)]
    return "" if (answer.status, body) == (200, whole) else f"{answer.status}: {body}"


def upload(state: State) -> str:
    """A body sent in chunks over a second."""

    def pieces() -> Iterator[bytes]:
        for _ in range(10):
            yield b"x" * 1000
            time.sleep(0.1)

    connection = connect(state)
    connection.request("POST", "/upload", body=pieces(), encode_chunked=True, headers={"transfer-encoding": "chunked"})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    good = answer.status == 200 and json.loads(body) == {"length": 10_000}
    return "" if good else f"{answer.status}: {body!r}"


def pipelined(state: State) -> str:
    """Three requests at a time on one connection, none of which waits for an answer, forty times."""
    with create_connection(("127.0.0.1", state.edge_port), timeout=20) as connection, connection.makefile("rb") as read:
        for number in range(40):
            paths = [f"/{number}/{each}" for each in "abc"]
            connection.sendall(b"".join(f"GET {path} HTTP/1.1\r\nhost: shop\r\n\r\n".encode() for path in paths))
            found = [_answer(read) for _ in paths]
            if found != [(200, path) for path in paths]:
                return f"{paths}: {found}"
            time.sleep(0.01)
    return ""


def _answer(read: BufferedReader) -> tuple[int, str]:
    """Status, and the path that the slot saw."""
    status, length = int(read.readline().split()[1]), 0
    while line := read.readline().strip().lower():
        if line.startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    body = read.read(length)
    with suppress(ValueError):
        return status, str(json.loads(body)["path"])
    return status, repr(body)


@contextmanager
def flowing(state: State, flow: Flow, clients: int) -> Iterator[list[Round]]:
    """So many clients, each a bit later than the one before, until the block ends."""
    rounds: list[Round] = []
    over = threading.Event()

    def client(number: int) -> None:
        time.sleep(number * 0.3)
        while not over.is_set():
            began = time.time()
            try:
                wrong = flow(state)
            except (OSError, ValueError, IndexError, http.client.HTTPException) as exc:
                wrong = f"{type(exc).__name__}: {exc}"
            rounds.append(Round(began, time.time(), wrong))

    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield rounds
    finally:
        over.set()
        for thread in threads:
            thread.join()
