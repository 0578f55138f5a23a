"""A slot's twin: the smallest program that a slot can run, on the standard library alone.

It takes the application's variables (PORT, ADMIN_PORT, SLOT, APP_VERSION, ADMIN_TOKEN, FAULT_*, BIND), answers on the
same ports and paths; metrics only with METRICS=1. Every traffic answer tells what the slot saw: version, process, path,
headers, and the monotonic time (ns, the same clock in every process of the machine) at which the request began. Nobody
gets the answer to a copy of a read, so what it carried is printed.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import FrameType

ENV = os.environ
FAULTS: dict[str, float] = {
    "error_share": float(ENV.get("FAULT_ERROR_SHARE", "0")),
    "latency_ms": float(ENV.get("FAULT_LATENCY_MS", "0")),
    "unready": float(ENV.get("FAULT_UNREADY", "0")),
    "hang": float(ENV.get("FAULT_HANG", "0")),
}
DRAINING = threading.Event()
STAYS_READY = threading.Event()  # while draining
COUNTS = {"200": 0, "500": 0}
IN_FLIGHT: set[int] = set()  # threads now answering


class Answer(BaseHTTPRequestHandler):
    """JSON over keep-alive connections, each answer in one write."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    begun = 0.0  # Unix seconds at which the request began

    def answer(self, status: int, body: object) -> None:
        content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "text/plain" if isinstance(body, str) else "application/json")
        self.send_header("content-length", str(len(content)))
        self.send_header("x-slot", ENV["SLOT"])
        self.send_header("x-begun", f"{self.begun:.6f}")
        if DRAINING.is_set():
            self.send_header("connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
        self.wfile.flush()

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("content-length", "0")))

    def log_message(self, *args: object) -> None:
        """Say nothing per request."""


class Traffic(Answer):
    def respond(self) -> None:
        began, self.begun = time.monotonic_ns(), time.time()
        IN_FLIGHT.add(threading.get_ident())
        self.body()
        if "x-shadow" in self.headers:
            print(json.dumps([self.command, self.path, dict(self.headers)]), flush=True)
        while FAULTS["hang"]:
            time.sleep(0.01)
        time.sleep(FAULTS["latency_ms"] / 1000)
        failed = random.random() < FAULTS["error_share"]
        COUNTS["500" if failed else "200"] += 1
        seen = {"version": ENV["APP_VERSION"], "slot": ENV["SLOT"], "pid": os.getpid(), "path": self.path}
        self.answer(500 if failed else 200, {**seen, "began": began, "headers": dict(self.headers)})
        IN_FLIGHT.discard(threading.get_ident())

    do_GET = do_HEAD = do_POST = do_PATCH = do_DELETE = respond  # noqa: N815  # the standard library asks for these names


class Admin(Answer):
    def do_GET(self) -> None:
        ready = not (FAULTS["unready"] or (DRAINING.is_set() and not STAYS_READY.is_set()))
        version = {
            "version": ENV["APP_VERSION"],
            "slot": ENV["SLOT"],
            "schema": {"min": 1, "max": 9},
            "pid": os.getpid(),
        }
        found = {
            "/livez": (200, {}),
            "/startupz": (200, {}),
            "/readyz": (200 if ready else 503, {}),
            "/version": (200, version),
        }
        if self.path == "/metrics" and "METRICS" in ENV:
            self.answer(200, metrics())
        else:
            self.answer(*found.get(self.path, (404, {})))

    def do_POST(self) -> None:
        wish = json.loads(self.body() or b"{}")
        bearer = self.headers.get("authorization", "").removeprefix("Bearer ")
        if self.headers.get("x-admin-token", bearer) != ENV["ADMIN_TOKEN"]:
            self.answer(401, {})
        elif self.path == "/admin/drain":
            (STAYS_READY.set if wish.get("ready") else STAYS_READY.clear)()
            (DRAINING.set if wish["draining"] else DRAINING.clear)()
            self.answer(200, wish)
        elif self.path == "/admin/faults":
            FAULTS.update(wish)
            self.answer(200, FAULTS)
        else:
            self.answer(404, {})


def metrics() -> str:
    """All answers in one bucket, at its bound."""
    name = "http_request_duration_seconds"
    labels = [(status, bound, count) for status, count in COUNTS.items() for bound in ("2.0", "+Inf")]
    lines = [f'{name}_bucket{{method="GET",status_code="{status}",le="{bound}"}} {n}' for status, bound, n in labels]
    return "\n".join(
        [
            f"# TYPE {name} histogram",
            *lines,
            *(f'{name}_count{{method="GET",status_code="{status}"}} {count}' for status, count in COUNTS.items()),
            "# TYPE http_requests_in_flight gauge",
            f"http_requests_in_flight {len(IN_FLIGHT)}",
            "",
        ]
    )


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512


def finish(signum: int, frame: FrameType | None) -> None:
    """Answer what is in flight, at most 5 s, then go."""
    DRAINING.set()
    deadline = time.monotonic() + 5
    while IN_FLIGHT and time.monotonic() < deadline:
        time.sleep(0.01)
    os._exit(0)


if __name__ == "__main__":
    if ENV.get("FAULT_CRASH_AT_START", "0") == "1":
        sys.exit("FAULT_CRASH_AT_START is set")
    signal.signal(signal.SIGTERM, finish)
    bind = ENV.get("BIND", "127.0.0.1")
    admin = Server((bind, int(ENV["ADMIN_PORT"])), Admin)
    threading.Thread(target=admin.serve_forever, daemon=True).start()
    Server((bind, int(ENV["PORT"])), Traffic).serve_forever()
