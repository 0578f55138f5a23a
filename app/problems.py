"""Errors as `application/problem+json` (RFC 9457): one exception, one table of stable slugs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType

import msgspec

CONTENT_TYPE = "application/problem+json"

# slug: (status, title). A slug never changes its meaning; clients may switch on it.
CATALOGUE: Mapping[str, tuple[int, str]] = MappingProxyType(
    {
        "overloaded": (503, "The request waited too long for its turn"),
        "malformed-body": (400, "The body is not valid JSON"),
        "malformed-request": (400, "The request cannot be read"),
        "invalid-cursor": (400, "The cursor does not belong to this list"),
        "not-authenticated": (401, "A valid access token is needed"),
        "wrong-credentials": (401, "E-mail or password is wrong"),
        "forbidden": (403, "This is not allowed to you"),
        "not-found": (404, "There is nothing here"),
        "method-not-allowed": (405, "This path does not know the method"),
        "body-timeout": (408, "The body did not arrive in time"),
        "email-taken": (409, "An account with this e-mail exists"),
        "username-taken": (409, "The user name is taken"),
        "version-mismatch": (412, "The task has changed since it was read"),
        "body-too-large": (413, "The body is too large"),
        "unsupported-media-type": (415, "The body must be application/json"),
        "invalid-request": (422, "A field is missing, unknown or out of range"),
        "unknown-assignee": (422, "There is no such user"),
        "rate-limited": (429, "Too many requests"),
        "login-busy": (429, "Too many logins at once"),
        "internal-error": (500, "Something failed on our side"),
        "fault-injected": (500, "A fault switch is on"),
        "database-unavailable": (503, "The database cannot be reached"),
        "database-busy": (503, "The database did not answer in time"),
        "deadline-exceeded": (504, "The request took too long"),
    }
)


class ProblemDetails(msgspec.Struct, frozen=True, rename={"kind": "type"}):
    """The body of every error answer."""

    kind: str
    title: str
    status: int
    detail: str
    request_id: str


class Problem(Exception):  # noqa: N818  # the RFC's word
    """Ends the request with the answer its slug stands for. `headers` are added to that answer."""

    def __init__(self, slug: str, detail: str = "", headers: Mapping[str, str] = MappingProxyType({})) -> None:
        self.slug = slug
        self.status, self.title = CATALOGUE[slug]
        self.detail = detail or self.title
        self.headers = headers
        super().__init__(f"{slug}: {self.detail}")

    def body(self, request_id: str) -> bytes:
        """The answer's body."""
        kind = f"urn:primetrade:problem:{self.slug}"
        return msgspec.json.encode(ProblemDetails(kind, self.title, self.status, self.detail, request_id))


def unavailable(slug: str, detail: str, retry_after_s: float = 1.0) -> Problem:
    """A problem that passes by itself: says when to come again (whole seconds, at least one)."""
    return Problem(slug, detail, {"Retry-After": str(math.ceil(max(retry_after_s, 1.0)))})


def rate_limited(wait_s: float) -> Problem:
    """429, with the seconds until the next permit."""
    return Problem("rate-limited", headers={"Retry-After": str(math.ceil(max(wait_s, 1.0)))})
