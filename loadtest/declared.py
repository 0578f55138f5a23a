"""Journeys that a profile declares, for an API that is not ours."""

from __future__ import annotations

import random
from collections.abc import Sequence

import msgspec

from loadtest.profile import Journey
from loadtest.request import Check, Request, header_lines


class Declared:
    """Draws among the declared journeys by weight."""

    def __init__(self, journeys: Sequence[Journey], seed: int) -> None:
        self._requests = [to_request(journey) for journey in journeys]
        self._weights = [journey.weight for journey in journeys]
        self._random = random.Random(seed)  # noqa: S311 - a mix that can be repeated, not a secret

    def draw(self, *, warmup: bool) -> Request:
        """One of the journeys; the warm-up has the same mix."""
        return self._random.choices(self._requests, self._weights)[0]


def to_request(journey: Journey) -> Request:
    """The request that a journey stands for."""
    lines = header_lines(journey.headers)
    body = (journey.body or "").encode()
    if journey.json is not None:
        body = msgspec.json.encode(journey.json)
    given = {name.lower() for name in journey.headers}
    if (body or journey.method in {"POST", "PUT", "PATCH"}) and "content-length" not in given:
        lines += f"Content-Length: {len(body)}\r\n"
    if body and "content-type" not in given:
        kind = "application/json" if journey.json is not None else "text/plain; charset=utf-8"
        lines += f"Content-Type: {kind}\r\n"
    return Request(journey.name, journey.method, journey.path, lines, body, _check(journey))


def _check(journey: Journey) -> Check:
    expected = frozenset(journey.expect)
    needle = None if journey.contains is None else journey.contains.encode()

    def check(status: int, body: bytes) -> str | None:
        if status not in expected if expected else status >= 400:
            return f"status {status}"
        if needle is not None and needle not in body:
            return f"check: no {journey.contains!r} in the body"
        return None

    return check
