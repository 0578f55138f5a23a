"""The Kubernetes API as plain JSON, over everything that may happen on the way.

What is refused is an error with the server's words; what is not answered is asked again until the patience is over,
which outlasts a restart of the API server. A write whose reply was lost is looked up before it is repeated, so that
each write needs a precondition of its own: a name (`create`), a resourceVersion (`replace`), a `test` (`json_patch`).
"""

from __future__ import annotations

import copy
import math
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple
from urllib.parse import urlencode

import msgspec
import urllib3

from scripts.release.errors import ReleaseError
from scripts.release.kubernetes.answers import (
    Conflict,
    Forbidden,
    Missing,
    Object,
    Reply,
    Unprocessable,
    Unreachable,
    refusal,
    retry_after,
    status_of,
    words_of,
)
from scripts.release.kubernetes.applied import contains, patched
from scripts.release.kubernetes.connection import Connection, connect

__all__ = ["Api", "Conflict", "Forbidden", "Missing", "Object", "Reply", "Unprocessable", "Unreachable"]

CONNECT_S = 3.0
READ_S = 10.0
FIRST_S = 5.0  # for a server that has never answered: its address is wrong, or it is not up
PATIENCE_S = 45.0  # for one that has: an API server that is restarted is back within half a minute
_PAUSE_S, _LONGEST_S = 0.05, 1.0
_AGAIN = (429, 500, 502, 503, 504)
_JSON = "application/json"


class _Request(NamedTuple):
    method: str
    path: str
    content: bytes | None
    headers: Mapping[str, str]
    read: float  # seconds


@dataclass
class _Shared:
    """What every view of `within` has in common."""

    link: Connection
    answered: bool = False
    away: bool = False  # an answer was lost, and the server has not said since that it is ready
    ahead: float = 0.0  # seconds of the server's clock (Unix) over our own one of `_clock`


_Look = Callable[[float], Reply | None]  # asks to a moment on the monotonic clock


class _Lost(Exception):  # noqa: N818 - never leaves this module
    """No answer; `sent` where the server may have acted all the same."""

    def __init__(self, why: str, *, sent: bool) -> None:
        super().__init__(why)
        self.sent = sent


class Api:
    """An API server. Paths are the API's own, such as `/api/v1/namespaces/shop/configmaps/shop-rollout`.

    Every call may raise Unreachable, Forbidden, and ReleaseError for what the server refuses otherwise. Threads may
    share one.
    """

    def __init__(self, link: Callable[[], Connection], patience: float = PATIENCE_S) -> None:
        self._connect = link
        self._shared = _Shared(link())
        self.patience = patience
        self.kubeconfig = ""  # where it was named: what else asks this server must be told the same
        self._gave_up = False  # once waited for in vain, the server is not waited for as long again

    @classmethod
    def connect(cls, context: str = "", kubeconfig: str = "") -> Api:
        """By a kubeconfig (else KUBECONFIG, else the home's), or by a pod's own account; sends nothing yet.

        Raises Unusable where no server can be found that way.
        """
        made = cls(lambda: connect(context, kubeconfig))
        made.kubeconfig = kubeconfig
        return made

    @property
    def host(self) -> str:
        """The server's address."""
        return self._shared.link.host

    def within(self, seconds: float) -> Api:
        """The same server with another patience: for what is not worth waiting for."""
        view = copy.copy(self)
        view.patience = seconds
        return view

    def now(self) -> float:
        """The server's time, Unix seconds, to about a second; asks for it where it has never answered."""
        if not self._shared.answered:
            self._ask(_request("GET", "/version"))
        return self._shared.ahead + _clock()

    def get(self, path: str) -> Object | None:
        """The object, or None where there is none."""
        request = _request("GET", path)
        reply = self._ask(request)
        return None if reply.status == 404 else _object(reply, request)

    def list(self, path: str, labels: str = "", fields: str = "") -> list[Object]:
        """The objects of a collection that the selectors match."""
        query = urlencode({name: text for name, text in (("labelSelector", labels), ("fieldSelector", fields)) if text})
        request = _request("GET", f"{path}?{query}" if query else path)
        found: list[Object] = _object(self._ask(request), request)["items"]
        return found

    def create(self, path: str, body: Object, manager: str = "") -> Object:
        """Make an object in the collection `path`. Raises Conflict where one of that name is there already."""
        at = f"{path}/{body['metadata']['name']}"
        return self._write(_request("POST", _managed(path, manager), body), at, lambda found: contains(found, body))

    def apply(self, path: str, body: Object, manager: str) -> Object:
        """Lay `body` over the object server-side. Raises Conflict over a field that another manager has set."""
        request = _request("PATCH", _managed(path, manager), body, "application/apply-patch+yaml")
        return self._write(request, path, lambda found: contains(found, body))

    def replace(self, path: str, body: Object) -> Object:
        """Put `body` where the object still has its resourceVersion. Raises Conflict where not, Missing."""
        return self._write(_request("PUT", path, body), path, lambda found: contains(found, body))

    def json_patch(self, path: str, ops: Sequence[Mapping[str, Any]]) -> Object:
        """Apply a JSON Patch. Raises Unprocessable or Conflict where a `test` fails, Missing."""
        request = _request("PATCH", path, ops, "application/json-patch+json")
        return self._write(request, path, lambda found: patched(found, ops))

    def merge_patch(self, path: str, body: Object) -> Object:
        """Lay `body` over the object. Raises Missing, and Conflict where it names another resourceVersion."""
        request = _request("PATCH", path, body, "application/merge-patch+json")
        return self._write(request, path, lambda found: contains(found, body))

    def delete(self, path: str, options: Object | None = None) -> None:
        """Delete the object, where there is one. `options`: a DeleteOptions. Raises Conflict by its preconditions."""
        request = _request("DELETE", path, options)
        reply = self._ask(request)
        if reply.status != 404:
            _object(reply, request)

    def proxy(
        self,
        path: str,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        timeout: float = READ_S,  # seconds, for each silence
    ) -> Reply:
        """What stands behind a `.../proxy/...` path answers, whatever its status; sent once.

        Status 503 where the server cannot reach it. Raises Forbidden where the Role lacks the right to ask.
        """
        request = _Request(method, path, body or None, headers or {}, timeout)
        try:
            reply = self._send(request)
        except _Lost as exc:
            raise Unreachable(f"{self.host}: no answer to {method} {path}: {exc}") from exc
        if reply.status == 403 and status_of(reply):
            raise refusal(reply, method, path)
        return reply

    def text(self, path: str) -> str | None:
        """What is not an object, such as a pod's log; None where there is none."""
        reply = self._ask(_request("GET", path))
        if reply.status == 404:
            return None
        if reply.status >= 400:
            raise refusal(reply, "GET", path)
        return reply.data.decode(errors="replace")

    def _write(self, request: _Request, at: str, applied: Callable[[Object], bool]) -> Object:
        """`at`: where the object stands that a lost reply is looked up by."""
        look = _request("GET", at)

        def done(until: float) -> Reply | None:
            reply = self._ask(look, until=until)
            return reply if reply.status == 200 and applied(_object(reply, look)) else None

        return _object(self._ask(request, done), request)

    def _ask(self, request: _Request, done: _Look = lambda until: None, until: float = math.inf) -> Reply:
        """The answer, asked for again and again, but not beyond `until`, on the monotonic clock.

        `done`: what a write whose reply was lost left behind, if it did.
        """
        began, pause, unclear, why = time.monotonic(), _PAUSE_S, False, ""

        def look() -> Reply | None:
            try:
                return done(self._end(began))
            except Unreachable as exc:
                raise Unreachable(self._silence(request, why, unclear=True)) from exc

        while True:
            wait = pause
            try:
                reply = self._send(request)
            except _Lost as exc:
                why, unclear, self._shared.away = str(exc), unclear or exc.sent, True
            else:
                if reply.status not in _AGAIN and not (reply.status == 403 and self._waking()):
                    self._gave_up = False
                    refused = unclear and reply.status in (404, 409, 422)  # perhaps by our own earlier try
                    return (refused and look()) or reply
                why, unclear = words_of(reply), unclear or reply.status not in (403, 429)
                wait = max(pause, retry_after(reply))
            if time.monotonic() + wait > min(self._end(began), until):
                self._gave_up = True
                raise Unreachable(self._silence(request, why, unclear=unclear))
            time.sleep(wait)
            pause = min(2 * pause, _LONGEST_S)
            if unclear and (found := look()):
                return found

    def _waking(self) -> bool:
        """Whether it was away and may not have read its Roles again: then it refuses what it allows in a moment."""
        waking = self._shared.away
        if waking:
            with suppress(_Lost):
                self._shared.away = _sent(self._shared.link, _request("GET", "/readyz")).status != 200
        return waking

    def _end(self, began: float) -> float:
        """Until when it is worth waiting, on the monotonic clock."""
        known = self._shared.answered and not self._gave_up
        return began + (self.patience if known else min(self.patience, FIRST_S))

    def _silence(self, request: _Request, why: str, *, unclear: bool) -> str:
        words = f"the API server {self.host} did not do {request.method} {request.path}: {why}"
        if unclear and request.method != "GET":
            words += ". It may have been done all the same"
        if not self._shared.answered:
            return f"{words}. Is it up, and is this the right context? (`kubectl cluster-info`)"
        return f"{words}. Go on when it is back: `primetrade release status`"

    def _send(self, request: _Request) -> Reply:
        """One request; one more with credentials read anew where these are refused, which changed nothing."""
        reply = _sent(self._shared.link, request)
        if _stranger(request, reply):
            self._shared.link = self._connect()
            reply = _sent(self._shared.link, request)
            if _stranger(request, reply):
                raise ReleaseError(f"{self.host} does not accept the kubeconfig's credentials: log in, then go on")
        self._shared.answered = True
        if date := reply.headers.get("date"):
            self._shared.ahead = parsedate_to_datetime(date).timestamp() - _clock()
        return reply


def _clock() -> float:
    """Seconds that nobody sets, and that go on while the machine sleeps, where the kernel has such."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def _request(method: str, path: str, body: object = None, kind: str = _JSON) -> _Request:
    content = None if body is None else msgspec.json.encode(body)
    headers = {"accept": _JSON, "accept-encoding": "gzip", "content-type": kind}  # a full journal is long
    return _Request(method, path, content, headers, READ_S)


def _managed(path: str, manager: str) -> str:
    """The field manager that a write is by, strict about fields that there are none of; else the server's default."""
    return f"{path}?{urlencode({'fieldManager': manager, 'fieldValidation': 'Strict'})}" if manager else path


def _object(reply: Reply, request: _Request) -> Object:
    if reply.status >= 400:
        raise refusal(reply, request.method, request.path)
    found: Object = msgspec.json.decode(reply.data)
    return found


def _stranger(request: _Request, reply: Reply) -> bool:
    """Whether the API server does not know us; what stands behind a proxy may say 401 for reasons of its own."""
    return reply.status == 401 and ("/proxy" not in request.path or bool(status_of(reply)))


def _sent(link: Connection, request: _Request) -> Reply:
    headers = {**request.headers, "user-agent": "primetrade-release"}
    if token := link.authorization():
        headers["authorization"] = token
    timeout = urllib3.Timeout(connect=CONNECT_S, read=request.read)
    address = link.host + request.path
    try:
        found = link.pool.request(
            request.method,
            address,
            body=request.content,
            headers=headers,
            timeout=timeout,
            retries=False,
            redirect=False,
        )
    except urllib3.exceptions.SSLError as exc:
        if any(isinstance(arg, ssl.SSLCertVerificationError) for arg in exc.args):
            raise ReleaseError(f"{link.host} shows a certificate that the kubeconfig's CA did not sign: {exc}") from exc
        raise _Lost(str(exc), sent=True) from exc
    except (urllib3.exceptions.ConnectTimeoutError, urllib3.exceptions.ProxyError) as exc:  # and refused ones
        raise _Lost(str(exc), sent=False) from exc
    except urllib3.exceptions.HTTPError as exc:
        raise _Lost(str(exc), sent=True) from exc
    return Reply(found.status, found.headers, found.data)
