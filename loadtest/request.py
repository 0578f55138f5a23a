"""One request as journeys hand it to the dispatcher."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec

# What is wrong with an answer's status and body, as a failure's kind; None when nothing is.
Check = Callable[[int, bytes], str | None]


class Request(msgspec.Struct, frozen=True):
    """A request without its Host line: that, and an arm's headers, are the dispatcher's."""

    route: str  # "GET /tasks/{task_id}"
    method: str
    path: str
    headers: str  # whole header lines, each with its CRLF
    body: bytes
    check: Check


class Journeys(Protocol):
    """Where requests come from."""

    def draw(self, *, warmup: bool) -> Request:
        """The next request."""


def header_lines(headers: Mapping[str, str]) -> str:
    """Headers as they stand in a request."""
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items())


def wire(request: Request, lines: str) -> bytes:
    """The bytes to send; `lines` are the Host line and an arm's headers."""
    head = f"{request.method} {request.path} HTTP/1.1\r\n{lines}{request.headers}\r\n"
    return head.encode("latin-1") + request.body
