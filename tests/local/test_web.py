"""An exchange with a process of ours ends in its time, whatever answers."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from socket import create_server, socket

import pytest

from scripts.local import web
from scripts.local.errors import ProbeError
from scripts.local.web import exchange

LIMIT_S = 1.0
CLOSES = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n"


@contextmanager
def answering(
    *pieces: bytes, pause_s: float = 0.0, again: bool = False, heard: list[bytes] | None = None
) -> Iterator[int]:
    """The port of a server that takes one connection, answers in these pieces, and then closes it.

    `again`: it sends the last piece until nobody listens any more. `heard`: what came.
    """
    heard = [] if heard is None else heard

    def answer(peer: socket) -> None:
        with suppress(OSError):
            for piece in pieces:
                peer.sendall(piece)
            while again and not over.wait(pause_s):
                peer.sendall(pieces[-1])

    def serve() -> None:
        peer, _ = server.accept()
        with peer:
            heard.append(peer.recv(10_000))
            answer(peer)

    over = threading.Event()
    with create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            over.set()
            thread.join()


TRICKLES = {
    "its head": (b"HTTP/1.1 200 OK\r\nx-long: ", b"x"),
    "a body that ends with the connection": (CLOSES, b"x"),
    "a body of known length": (b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n", b"x"),
    "a body in chunks": (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
}


@pytest.mark.parametrize("pieces", TRICKLES.values(), ids=TRICKLES.keys())
def test_an_answer_that_trickles_is_none(pieces: tuple[bytes, ...]) -> None:
    """A byte every now and then keeps a socket's own time limit from ever being over."""
    with answering(*pieces, pause_s=0.1, again=True) as port:
        begun = time.monotonic()
        with pytest.raises(ProbeError, match="no answer within 1 s"):
            exchange(port, "/version", LIMIT_S)
        assert time.monotonic() - begun < 10 * LIMIT_S


def test_an_answer_without_end_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "LARGEST", 100_000)
    with answering(CLOSES, b"x" * 50_000, again=True) as port, pytest.raises(ProbeError, match="over 100,000 bytes"):
        exchange(port, "/metrics", 30)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf", "broke off"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\nhalf", "no answer"),
        (b"nonsense\r\n\r\n", "no answer"),
        (b"", "no answer"),
    ],
    ids=["cut short", "cut short in a chunk", "not HTTP", "nothing"],
)
def test_half_an_answer_is_none(answer: bytes, says: str) -> None:
    with answering(answer) as port, pytest.raises(ProbeError, match=says):
        exchange(port, "/version", 30)


def test_a_whole_answer_is_status_and_body() -> None:
    with answering(b"HTTP/1.1 503 no\r\ncontent-length: 4\r\n\r\nlate") as port:
        assert exchange(port, "/readyz", 30) == (503, b"late")
    with answering(CLOSES, b"to the", b" end") as port:
        assert exchange(port, "/readyz", 30) == (200, b"to the end")


def test_a_path_may_have_any_letters() -> None:
    heard: list[bytes] = []
    with answering(CLOSES, heard=heard) as port:
        assert exchange(port, "/größe 1?a=b%20c", 30) == (200, b"")
    assert heard[0].startswith(b"GET /gr%C3%B6%C3%9Fe%201?a=b%20c HTTP/1.1\r\n")
