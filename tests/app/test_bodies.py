"""Bodies: bounded, JSON, known fields only."""

from __future__ import annotations

from typing import Any

import pytest

from app.service import MAX_BODY
from tests.app.world import Api, Person


def send(
    api: Api, person: Person, data: bytes, content_type: str = "application/json", **options: Any
) -> tuple[int, str]:
    answer = api.call("POST", "/tasks", person, data=data, content_type=content_type, **options)
    return answer.status_code, answer.get_json()["type"].rpartition(":")[2]


def padded(size: int) -> bytes:
    return b'{"title": "t"' + b" " * (size - 14) + b"}"


def test_a_body_may_be_64_kib_and_not_a_byte_more(api: Api) -> None:
    person = api.person()
    assert api.call("POST", "/tasks", person, data=padded(MAX_BODY), content_type="application/json").status_code == 201
    assert send(api, person, padded(MAX_BODY + 1)) == (413, "body-too-large")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", (400, "malformed-body")),
        (b"{", (400, "malformed-body")),
        (b'{"title": "t"} x', (400, "malformed-body")),
        (b'{"title": "\xff"}', (400, "malformed-body")),
        (b'{"title": "\\ud800"}', (400, "malformed-body")),
        (b"[]", (422, "invalid-request")),
        (b"null", (422, "invalid-request")),
        (b"{}", (422, "invalid-request")),
        (b'{"title": "t", "title2": 1}', (422, "invalid-request")),
        (b'{"title": 1}', (422, "invalid-request")),
        (b'{"title": "t", "priority": 1e999}', (422, "invalid-request")),
        (b'{"title": "t", "priority": 3.5}', (422, "invalid-request")),
    ],
)
def test_what_is_not_the_struct_is_refused(api: Api, data: bytes, expected: tuple[int, str]) -> None:
    assert send(api, api.person(), data) == expected


@pytest.mark.parametrize(
    "deep", [b"[" * 30000, b'{"title":' * 5000, b'{"x":' + b"[" * 30000, b'{"title":' + b"[" * 30000]
)
def test_depth_never_reaches_the_stack(api: Api, deep: bytes) -> None:
    assert send(api, api.person(), deep)[0] in (400, 422)


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_only_json_is_read(api: Api, content_type: str) -> None:
    assert send(api, api.person(), padded(100), content_type) == (415, "unsupported-media-type")


def test_the_message_names_the_field(api: Api) -> None:
    answer = api.post("/tasks", {"title": "t", "priority": 9}, api.person())
    assert "$.priority" in answer.get_json()["detail"]
