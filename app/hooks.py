"""What happens around every request on the traffic port: its turn, id, faults, headers, metrics, log line."""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from flask import Flask, Request, Response, request
from werkzeug.exceptions import HTTPException

from app import logs, queueing, security
from app.call import Call, current
from app.problems import CONTENT_TYPE, Problem
from app.runtime import Runtime

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

COPY = "HTTP_X_SHADOW"
REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,63}")

SLUGS = {
    400: "malformed-request",
    404: "not-found",
    405: "method-not-allowed",
    408: "body-timeout",
    413: "body-too-large",
    415: "unsupported-media-type",
}


def install(app: Flask, runtime: Runtime) -> None:
    """Hang the hooks into an application."""
    settings = runtime.settings
    trusted, copies = security.trust(settings.trusted_proxies), settings.edge_marks_copies

    def begin() -> Response | None:
        incoming: Request = request._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001  # the proxy's documented way to its object
        edge = trusted(incoming.remote_addr or "")
        client, request_id = _origin(incoming.environ, edge)
        current.set(Call(runtime, client, request_id, copy=edge and copies and COPY in incoming.environ))
        runtime.faults.apply()
        return security.preflight(incoming, settings.cors_origins)

    def finish(response: Response) -> Response:
        return _finish(request.environ, response)

    def refuse(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        call = Call(runtime, *_origin(environ, trusted=True))  # only the edge's word gets a request here
        call.route = queueing.ROUTE
        current.set(call)
        response = _finish(environ, queueing.refusal(call.request_id, settings.queue_limit))
        return response(environ, start_response)

    app.before_request(begin)
    app.after_request(finish)
    app.register_error_handler(Exception, answer_error)
    app.wsgi_app = queueing.shedding(app.wsgi_app, refuse, settings.queue_limit, trusted)  # type: ignore[method-assign,assignment]  # where Flask wants middleware


METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def answer_error(exc: Exception) -> Response:
    """Any exception as a problem; what we did not foresee is logged whole and shown as nothing but its request id."""
    request_id = current.get().request_id
    if isinstance(exc, Problem):
        problem = exc
    elif isinstance(exc, HTTPException) and (exc.code or 500) < 500:
        problem = Problem(SLUGS.get(exc.code or 500, "malformed-request"), headers=_allow(exc))
    else:
        # Flask wraps what a hook after the handler raises.
        cause = getattr(exc, "original_exception", None) or exc
        logs.event(logging.ERROR, "unhandled", exc_info=cause, request_id=request_id)
        problem = Problem("internal-error", "The request id names the entry in our log.")
    return Response(problem.body(request_id), problem.status, dict(problem.headers), content_type=CONTENT_TYPE)


def _allow(exc: HTTPException) -> dict[str, str]:
    allow = dict(exc.get_headers()).get("Allow")
    return {"Allow": allow} if allow else {}


def _finish(environ: WSGIEnvironment, response: Response) -> Response:
    """What every answer gets, and the account of it."""
    call = current.get()
    runtime = call.runtime
    response.headers.add("X-Request-Id", call.request_id)
    origin = environ.get("HTTP_ORIGIN")
    if origin is not None:
        security.allow_origin(response, origin, runtime.settings.cors_origins)
    seconds = time.monotonic() - call.started
    method = environ["REQUEST_METHOD"] if environ["REQUEST_METHOD"] in METHODS else "OTHER"
    runtime.metrics.observe(method, call.route, response.status_code, seconds)
    _log(call, method, response.status_code, seconds, environ[queueing.WAITED])
    return response


def _origin(environ: WSGIEnvironment, trusted: bool) -> tuple[str, str]:
    """The client's address and the request's id: the edge's word where the edge speaks, else our own."""
    client = environ.get("REMOTE_ADDR") or "unknown"
    if trusted:
        forwarded = environ.get("HTTP_X_FORWARDED_FOR")
        if forwarded:
            client = forwarded.rpartition(",")[2].strip() or client
        request_id = environ.get("HTTP_X_REQUEST_ID", "")
        if REQUEST_ID.fullmatch(request_id):
            return client, request_id
    return client, os.urandom(16).hex()


def _log(call: Call, method: str, status: int, seconds: float, waited_s: float) -> None:
    logs.event(
        logging.INFO,
        "request",
        slot=call.runtime.settings.slot,
        version=call.runtime.settings.app_version,
        method=method,
        route=call.route,
        status=status,
        ms=round(seconds * 1000, 2),
        queue_ms=round(waited_s * 1000, 2),
        user_id=call.user_id,
        client=call.client,
        request_id=call.request_id,
        database_ms=round(call.database_s * 1000, 2),
        cache_ms=round(call.cache_s * 1000, 2),
    )
