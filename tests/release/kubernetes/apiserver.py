"""A twin of an API server: objects in memory under optimistic concurrency, and faults on demand.

It keeps what the engine relies on: names are unique, a resourceVersion changes with every write and guards PUT and
PATCH, `test` guards a JSON Patch. It knows no schema, no watch and no controllers; tests marked `cluster` run the same
over a real one.
"""

from __future__ import annotations

import json
import re
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

Object = dict[str, Any]
REJECTED = "the server rejected our request due to an error in our request"  # its words for a `test` that failed
COLLECTION = re.compile(r"/apis?/.+/namespaces/[^/]+/[^/]+$")


@dataclass
class Fault:
    """What happens to the next request whose line contains `match`, such as "PUT /apis"."""

    match: str
    status: int = 0  # answered; 0: the connection is reset
    headers: dict[str, str] = field(default_factory=dict)
    applied: bool = False  # the request is carried out first
    hang: float = 0.0  # seconds without an answer
    message: str = "a fault of the test"  # "": no Status object, as what is no API server answers
    times: int = 1
    then: Callable[[], object] = lambda: None  # what somebody else does right after


class Refused(Exception):  # noqa: N818 - it is an answer
    """A status that is not 2xx."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass
class Server:
    """What it keeps and what was asked of it."""

    url: str = ""
    token: str = "right"
    objects: dict[str, Object] = field(default_factory=dict)  # by path
    faults: list[Fault] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)  # "PUT /api/...", in order
    version: int = 0
    ahead: float = 0.0  # seconds of its clock over the machine's
    lock: threading.RLock = field(default_factory=threading.RLock)
    connections: list[socket.socket] = field(default_factory=list)

    def fault(self, match: str, status: int = 0, **more: Any) -> Fault:
        """Let something happen to the next such request."""
        self.faults.append(Fault(match, status, **more))
        return self.faults[-1]

    def answer(self, method: str, path: str, kind: str, body: Any) -> Object:
        """Carry a request out. Raises Refused."""
        with self.lock:
            match method:
                case "GET":
                    return self._collection(path) if COLLECTION.match(path) else self._found(path)
                case "POST":
                    path = f"{path}/{body['metadata']['name']}"
                    if path in self.objects:
                        raise Refused(409, f"{path} already exists")
                    return self._keep(path, body)
                case "PUT":
                    self._refuse_stale(path, body)
                    return self._keep(path, body)
                case "DELETE":
                    self._found(path)
                    return self.objects.pop(path)
            found = json.loads(json.dumps(self._found(path)))
            if kind == "application/json-patch+json":
                for op in body:
                    operate(found, op)
            else:
                self._refuse_stale(path, body)
                merge(found, body)
            return self._keep(path, found)

    def _collection(self, path: str) -> Object:
        return {"items": [each for name, each in self.objects.items() if name.rpartition("/")[0] == path]}

    def _found(self, path: str) -> Object:
        if path not in self.objects:
            raise Refused(404, f"{path} not found")
        return self.objects[path]

    def _refuse_stale(self, path: str, body: Object) -> None:
        found, said = self._found(path)["metadata"]["resourceVersion"], body.get("metadata", {}).get("resourceVersion")
        if said and said != found:
            raise Refused(409, "the object has been modified")

    def _keep(self, path: str, body: Object) -> Object:
        self.version += 1
        body = json.loads(json.dumps(body))
        body["metadata"]["resourceVersion"] = str(self.version)
        self.objects[path] = body
        return body


def operate(found: Any, op: Object) -> None:
    """One operation of a JSON Patch; like the real server, it lets `replace` and `remove` pass for what is missing."""
    *way, last = (part.replace("~1", "/").replace("~0", "~") for part in op["path"].split("/")[1:])
    for part in way:
        if part not in found:
            raise Refused(422, REJECTED)
        found = found[part]
    if op["op"] == "test":
        if found.get(last) != op["value"]:
            raise Refused(422, REJECTED)
    elif op["op"] == "remove":
        found.pop(last, None)
    else:
        found[last] = op["value"]


def merge(found: Object, patch: Object) -> None:
    """A JSON Merge Patch (RFC 7386)."""
    for key, value in patch.items():
        if value is None:
            found.pop(key, None)
        elif isinstance(value, dict) and isinstance(found.get(key), dict):
            merge(found[key], value)
        else:
            found[key] = value


class Handler(BaseHTTPRequestHandler):
    """Speaks HTTP/1.1 for a Server."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    twin: Server

    def setup(self) -> None:
        """Remember the connection, to cut it when the server ends."""
        super().setup()
        self.twin.connections.append(self.connection)

    def _serve(self) -> None:
        path = urlsplit(self.path).path
        content = self.rfile.read(int(self.headers.get("content-length", 0)))
        with self.twin.lock:
            self.twin.asked.append(f"{self.command} {path}")
            fault = self._fault()
        if fault is None:
            self._say(*self._answer(path, content), {})
            return
        if fault.applied:
            self._answer(path, content)
        threading.Event().wait(fault.hang)
        fault.then()
        if fault.status:
            self._say(fault.status, status(fault.message) if fault.message else None, fault.headers)
        else:
            self._reset()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815 - named by the library

    def _fault(self) -> Fault | None:
        for fault in self.twin.faults:
            if fault.match in self.twin.asked[-1] and fault.times:
                fault.times -= 1
                return fault
        return None

    def _answer(self, path: str, content: bytes) -> tuple[int, Object]:
        if self.headers.get("authorization") != f"Bearer {self.twin.token}":
            return 401, status("Unauthorized")
        try:
            body = json.loads(content) if content else None
            return 200, self.twin.answer(self.command, path, self.headers.get("content-type", ""), body)
        except Refused as exc:
            return exc.status, status(str(exc))

    def _reset(self) -> None:
        """Close so that the client sees a reset, not an end."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True

    def _say(self, code: int, body: Object | None, headers: dict[str, str]) -> None:
        content = json.dumps(body).encode() if body else b""
        self.send_response(code)
        for name, text in {**headers, "content-type": "application/json", "content-length": str(len(content))}.items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(content)

    def date_time_string(self, timestamp: float | None = None) -> str:
        """The server's own time, for `Date`."""
        return super().date_time_string(time.time() + self.twin.ahead)

    def log_message(self, *args: object) -> None:
        """Says nothing."""


def status(message: str) -> Object:
    """The Status object of a refusal."""
    return {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message}


@contextmanager
def serving(twin: Server, port: int = 0) -> Iterator[Server]:
    """The twin on a loopback port, until the block ends."""

    class Bound(Handler):
        pass

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            """Say nothing of a client that hung up: tests let it."""
            if not isinstance(sys.exception(), OSError):
                super().handle_error(request, client_address)

    Bound.twin = twin
    with Quiet(("127.0.0.1", port), Bound) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        twin.url = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield twin
        finally:
            server.shutdown()
            thread.join()
            for connection in twin.connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
