"""The admin port: probes, metrics, version, drain and fault switches, on threads of its own.

It answers when every request thread is busy, and until the process ends. Nothing here waits for anything outside the
process, so a probe cannot hang; with `?wait=SECONDS` it waits so long, if need be, for the start to be over, since a
kubelet that is told "not yet" comes again a second later.
"""

from __future__ import annotations

import hmac
import logging
import os
import re
import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import cast

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST

from app import logs, schema
from app.faults import NONE, Switches
from app.problems import CONTENT_TYPE
from app.runtime import Runtime

JSON = "application/json"
SOCKET_S = 5.0  # for each read from or write to a client
MAX_BODY = 4096
WAIT = re.compile(r"wait=([0-9](?:\.[0-9]+)?)")

Answer = tuple[int, str, bytes]


class Drain(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Whether this process should be left alone: /readyz says no, and answers close their connections.

    `ready`: /readyz goes on saying yes, where a router keeps the users away: on the way back nobody waits for probes.
    """

    draining: bool
    ready: bool = False


class AdminServer(ThreadingHTTPServer):
    """Serves a socket that listens, until close()."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, runtime: Runtime, listener: socket.socket) -> None:
        self.runtime = runtime
        super().__init__(listener.getsockname()[:2], _Handler, bind_and_activate=False)
        self.socket.close()  # the one it has made
        self.socket = listener
        self._thread = threading.Thread(target=self.serve_forever, name="admin", args=(0.1,), daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join(timeout=1.0)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away in the middle is no event."""


class _Handler(BaseHTTPRequestHandler):
    timeout = SOCKET_S
    server_version = "primetrade"
    sys_version = ""

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        wait = WAIT.fullmatch(query)
        route = GET_ROUTES.get(path if wait else self.path)
        if wait:
            self._runtime.lifecycle.await_warm(float(wait[1]))
        self._send(_problem(404, f"GET routes here: {' '.join(GET_ROUTES)}") if route is None else route(self._runtime))

    def do_POST(self) -> None:
        self._send(self._post())

    @property
    def _runtime(self) -> Runtime:
        return cast("AdminServer", self.server).runtime

    def _post(self) -> Answer:
        route = POST_ROUTES.get(self.path)
        if route is None:
            return _problem(404, f"POST routes here: {' '.join(POST_ROUTES)}")
        expected = self._runtime.settings.admin_token
        bearer = self.headers.get("Authorization", "").removeprefix("Bearer ")
        given = self.headers.get("X-Admin-Token", bearer)  # the API server of Kubernetes keeps Authorization for itself
        if not hmac.compare_digest(given.encode(), expected.encode()):
            return _problem(401, "send `Authorization: Bearer ADMIN_TOKEN`, or `X-Admin-Token: ADMIN_TOKEN`")
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal() or int(length) > MAX_BODY:
            return _problem(413, f"a body of at most {MAX_BODY} bytes, its length announced")
        try:
            return route(self._runtime, self.rfile.read(int(length)))
        except msgspec.DecodeError as exc:
            return _problem(422, str(exc))

    def _send(self, answer: Answer) -> None:
        status, content_type, body = answer
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name
        """Probes and scrapes are not logged."""


def _live(runtime: Runtime) -> Answer:
    return _words(200, "live")


def _ready(runtime: Runtime) -> Answer:
    if runtime.faults.switches.unready:
        return _words(503, "fault switch: unready")
    reason = runtime.lifecycle.unready()
    return _words(200, "ready") if reason is None else _words(503, reason)


def _started(runtime: Runtime) -> Answer:
    waiting = runtime.lifecycle.waiting_for
    if waiting is not None:
        return _words(503, f"waiting for {waiting}")
    return _words(200, f"started; cache {runtime.lifecycle.cache}")


def _metrics(runtime: Runtime) -> Answer:
    return 200, CONTENT_TYPE_LATEST, runtime.metrics.text()


def _version(runtime: Runtime) -> Answer:
    return _json(
        200,
        {
            "version": runtime.settings.app_version,
            "slot": runtime.settings.slot,
            "schema": {"min": schema.MIN, "max": schema.MAX},
            "started_at": runtime.lifecycle.started_at,
            "pid": os.getpid(),
        },
    )


def _drain(runtime: Runtime, body: bytes) -> Answer:
    wanted = msgspec.json.decode(body, type=Drain)
    runtime.lifecycle.ready_meanwhile = wanted.ready
    runtime.lifecycle.draining = wanted.draining
    logs.event(logging.INFO, "drain", draining=wanted.draining)
    return _json(200, wanted)


def _faults(runtime: Runtime, body: bytes) -> Answer:
    if not runtime.faults.enabled:
        return _problem(403, "fault switches are off in this process: start it with FAULTS_ENABLED=1")
    wanted = msgspec.json.decode(body, type=Switches)
    runtime.faults.switches = NONE if wanted == NONE else wanted
    logs.event(logging.WARNING, "faults", switches=wanted)
    return _json(200, wanted)


GET_ROUTES: dict[str, Callable[[Runtime], Answer]] = {
    "/livez": _live,
    "/readyz": _ready,
    "/startupz": _started,
    "/metrics": _metrics,
    "/version": _version,
}
POST_ROUTES: dict[str, Callable[[Runtime, bytes], Answer]] = {"/admin/drain": _drain, "/admin/faults": _faults}


def _words(status: int, words: str) -> Answer:
    return status, "text/plain; charset=utf-8", f"{words}\n".encode()


def _json(status: int, value: object) -> Answer:
    return status, JSON, msgspec.json.encode(value)


def _problem(status: int, detail: str) -> Answer:
    return status, CONTENT_TYPE, msgspec.json.encode({"status": status, "detail": detail})
