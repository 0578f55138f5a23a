"""The slots' twin for requests that take their time: bodies in chunks, both ways, and what never ends.

`GET /long` answers in LONG_PIECES chunks, ten a second; `GET /never` begins to answer and does not end; `POST /upload`
reads a body in chunks and says how long it was. With IGNORES_SIGTERM=1 it does not end when it is asked to.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.local.artefact import ENV, IN_FLIGHT, Admin, Server, Traffic, finish

PIECES = int(ENV.get("LONG_PIECES", "15"))


class Streams(Traffic):
    def do_GET(self) -> None:  # noqa: N802  # the standard library asks for this name
        if self.path not in ("/long", "/never"):
            self.respond()
            return
        IN_FLIGHT.add(threading.get_ident())
        self.send_response(200)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for number in range(PIECES if self.path == "/long" else 10**6):
            self.chunk(f"{number}\n".encode())
            time.sleep(0.1)
        self.chunk(b"")
        IN_FLIGHT.discard(threading.get_ident())

    def do_POST(self) -> None:  # noqa: N802  # as above
        if self.path != "/upload":
            self.respond()
            return
        IN_FLIGHT.add(threading.get_ident())
        length = 0
        while size := int(self.rfile.readline(), 16):
            length += len(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        self.answer(200, {"length": length})
        IN_FLIGHT.discard(threading.get_ident())

    def chunk(self, content: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(content), content))
        self.wfile.flush()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.SIG_IGN if os.environ.get("IGNORES_SIGTERM") else finish)
    admin = Server(("127.0.0.1", int(ENV["ADMIN_PORT"])), Admin)
    threading.Thread(target=admin.serve_forever, daemon=True).start()
    Server(("127.0.0.1", int(ENV["PORT"])), Streams).serve_forever()
