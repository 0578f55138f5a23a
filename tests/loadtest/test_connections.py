"""The short way through an answer says what the general parser says."""

from __future__ import annotations

import socket

import pytest
from geventhttpclient.response import HTTPSocketResponse
from hypothesis import given
from hypothesis import strategies as st

from loadtest.connections import plain_answer

names = st.sampled_from(["Date", "server", "x-request-id", "content-type", "x-content-length", "x-slots"])
headers = st.lists(st.tuples(names, st.from_regex(r"[a-z0-9 ;=/-]{0,20}", fullmatch=True)), max_size=6)


@given(
    status=st.sampled_from([200, 201, 404, 429, 503]),
    fields=headers,
    body=st.binary(max_size=200),
    slot=st.sampled_from(["", "blue", "green"]),
    at=st.integers(0, 6),
)
def test_a_plain_answer_is_read_as_the_general_parser_reads_it(
    status: int, fields: list[tuple[str, str]], body: bytes, slot: str, at: int
) -> None:
    """Status, slot and body, wherever the two headers stand among others, in either case."""
    lines = [f"{name}: {value}" for name, value in fields]
    lines[at:at] = [f"Content-Length: {len(body)}"] + ([f"X-Slot: {slot}"] if slot else [])
    data = "\r\n".join([f"HTTP/1.1 {status} Some Words", *lines, "", ""]).encode() + body
    found = plain_answer(data, "GET")
    assert found is not None
    ours, theirs = socket.socketpair()
    with ours, theirs:
        response = HTTPSocketResponse(theirs, pre_buffered=data)
        expected = (response.get_code(), response.get("x-slot") or "", response.read())
    assert expected == (found.status, found.slot, found.body)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Len",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\ntoo much",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"not HTTP at all\r\n\r\n",
    ],
)
def test_anything_but_a_plain_answer_is_left_to_the_general_parser(data: bytes) -> None:
    """Incomplete, ambiguous, closing, chunked, interim or old."""
    assert plain_answer(data, "GET") is None


def test_an_answer_to_head_is_left_to_the_general_parser() -> None:
    """Its length is of a body that does not come."""
    assert plain_answer(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "HEAD") is None
