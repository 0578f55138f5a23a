"""What every answer carries, and which origins a browser may call from."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from flask import Request, Response

if TYPE_CHECKING:
    from _typeshed import OptExcInfo
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

HEADERS = (
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("Strict-Transport-Security", "max-age=31536000; includeSubDomains"),
    ("Cache-Control", "no-store"),
)
SHARED = HEADERS[:-1]  # for an answer that says itself who may keep it
ALLOWED_METHODS = "GET, POST, PATCH, DELETE"
ALLOWED_HEADERS = "Authorization, Content-Type, If-Match"
EXPOSED_HEADERS = "ETag, Location, Retry-After, X-Request-Id"


def secured(application: WSGIApplication, slot: str) -> WSGIApplication:
    """The application with HEADERS on whatever it answers, and its slot: by that a release is seen to have come.

    An answer's own Cache-Control stands.

    Added beneath the framework: its header objects would check and copy them on each answer, for as long as they take
    to send.
    """
    whole, shared = (*HEADERS, ("X-Slot", slot)), (*SHARED, ("X-Slot", slot))

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        def start(
            status: str, headers: list[tuple[str, str]], exc_info: OptExcInfo | None = None
        ) -> Callable[[bytes], object]:
            headers.extend(shared if any(name == "Cache-Control" for name, _ in headers) else whole)
            return start_response(status, headers, exc_info)

        return application(environ, start)

    return answer


def allow_origin(response: Response, origin: str, allowed: Sequence[str]) -> None:
    """Add the CORS headers for an origin on the list; one that is not gets none, and its browser refuses."""
    response.headers.add("Vary", "Origin")
    if origin in allowed:
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Expose-Headers"] = EXPOSED_HEADERS


def preflight(request: Request, allowed: Sequence[str]) -> Response | None:
    """The answer to a CORS preflight; None for any other request."""
    if request.method != "OPTIONS" or "Access-Control-Request-Method" not in request.headers:
        return None
    response = Response(status=204)
    response.headers.pop("Content-Type", None)
    if request.headers.get("Origin", "") in allowed:
        response.headers["Access-Control-Allow-Methods"] = ALLOWED_METHODS
        response.headers["Access-Control-Allow-Headers"] = ALLOWED_HEADERS
        response.headers["Access-Control-Max-Age"] = "600"
    return response


def trust(proxies: Sequence[str]) -> Callable[[str], bool]:
    """Whether an address belongs to the edge. Raises ValueError for what is no address or network."""
    networks = [ipaddress.ip_network(proxy) for proxy in proxies]

    @lru_cache(maxsize=1024)
    def trusted(address: str) -> bool:
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in networks)

    return trusted
