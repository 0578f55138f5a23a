"""How long a request waited at the edge before it was begun, and the refusal of one that waited too long.

The edge's queue is first in, first out. While more comes than can be answered, whatever is begun has waited nearly as
long as its client does, so that all work is done for clients who have gone. The time is therefore looked at before
anything else, beneath the framework: a refusal must cost a fraction of an answer.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from flask import Response

from app.problems import CONTENT_TYPE, unavailable

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

BEGAN = "HTTP_X_REQUEST_START"  # Unix seconds, by the edge's clock
WAITED = "app.waited_s"  # where the request's environment says it from here on
ROUTE = "late"  # in the metrics and the log: nobody looked which one it was for


def waited_s(environ: Mapping[str, Any], now: float) -> float:
    """Seconds since the request began at the edge; 0 when it does not say, or its clock is ahead of ours."""
    try:
        return max(0.0, now - float(environ[BEGAN]))
    except (KeyError, ValueError):
        return 0.0


def shedding(
    application: WSGIApplication, refuse: WSGIApplication, limit_s: float, trusted: Callable[[str], bool]
) -> WSGIApplication:
    """The application for requests that waited for no longer than the limit, `refuse` for the others."""

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        waited = waited_s(environ, time.time()) if trusted(environ.get("REMOTE_ADDR", "")) else 0.0
        environ[WAITED] = waited
        return (application if waited <= limit_s else refuse)(environ, start_response)

    return answer


def refusal(request_id: str, limit_s: float) -> Response:
    """503, to come again when those who wait now have been answered or refused."""
    problem = unavailable("overloaded", "", limit_s)
    return Response(problem.body(request_id), problem.status, problem.headers, content_type=CONTENT_TYPE)
