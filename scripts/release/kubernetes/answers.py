# ruff: noqa: N818 - named for what the server says, as the status codes are
"""What an API server answers, and the error that a refusal is; pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from scripts.release.errors import ReleaseError

Object = dict[str, Any]

_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


class Conflict(ReleaseError):
    """The object was changed since it was read, or is there already (409)."""


class Unprocessable(ReleaseError):
    """A `test` of a JSON Patch failed, or a field is not valid (422)."""


class Forbidden(ReleaseError):
    """The Role, a quota or a policy refuses it (403)."""


class Missing(ReleaseError):
    """What should be changed is not there (404)."""


class Unreachable(ReleaseError):
    """The API server did not answer within the patience; a write may have been done or not."""


class Reply(NamedTuple):
    """An answer as it came."""

    status: int
    headers: Mapping[str, str]
    data: bytes


def refusal(reply: Reply, method: str, path: str) -> ReleaseError:
    """The error that an answer is."""
    words = f"{method} {path}: {words_of(reply)}"
    match reply.status:
        case 403:
            return Forbidden(f"{_lacking(method, path)}: {words}" if " cannot " in words else words)
        case 404:
            return Missing(f"{words}. Somebody deleted it, or the namespace or resource type is not there")
        case 409:
            return Conflict(words)
        case 422:
            return Unprocessable(f"{words}. Somebody changed what it tests, or a field of it is not valid")
    return ReleaseError(f"the API server refuses {words}")


def _lacking(method: str, path: str) -> str:
    """The right that a Role must grant for this request."""
    parts = path.partition("?")[0].strip("/").split("/")[1:]
    parts = parts[1:] if path.startswith("/api/") else parts[2:]
    place = ""
    if parts[0] == "namespaces" and len(parts) > 2:
        place, parts = f" in the namespace {parts[1]}", parts[2:]
    verb = _VERBS.get(method, "get" if len(parts) > 1 else "list")
    return f"the Role lacks `{verb} {'/'.join(parts[0:3:2])}`{place}, which an administrator grants (see helm/router)"


def status_of(reply: Reply) -> Object:
    """The Status object that the server explains itself with; empty for other answers."""
    try:
        found = msgspec.json.decode(reply.data)
    except msgspec.DecodeError:
        return {}
    return found if isinstance(found, dict) and found.get("kind") == "Status" else {}


def words_of(reply: Reply) -> str:
    """Why, in the server's words."""
    said = status_of(reply).get("message") or reply.data[:200].decode(errors="replace").strip()
    return f"{said or 'no words'} ({reply.status})"


def retry_after(reply: Reply) -> float:
    """Seconds that the server wants to be left alone; 0 where it does not say."""
    said = reply.headers.get("retry-after", "")
    return float(said) if said.isdigit() else 0.0  # the API server sends seconds, never a date
