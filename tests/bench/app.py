"""CPU per request of the application: `python -m tests.bench.app`.

The journeys' mix, paced, straight to a slot (no edge), beside a bare Flask route under the same server in the same run:
where the machine is busy both go up, and the ratio says more than the milliseconds. The budget is 0.5 ms.
"""

from __future__ import annotations

import random
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from loadtest.request import wire
from loadtest.seed import seed
from loadtest.tasks import Tasks
from scripts.local import system
from scripts.local.ports import free_port
from scripts.local.processes import start, stop
from scripts.local.slots import read_slot

BUDGET_MS = 0.5
CLIENTS = 8
RATE = 600.0  # a second, all clients together: below what either server can do
REQUESTS = 6000
ROUNDS = 3
BARE = b"GET / HTTP/1.1\r\nHost: bench\r\n\r\n"
HOST = "Host: bench\r\n"

Draw = Callable[[], tuple[bytes, Callable[[bytes, bytes], object]]]


def ask(port: int, draw: Draw, count: int) -> None:
    """Requests at random moments on one kept connection."""
    moment = time.perf_counter()
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(count):
            moment += random.expovariate(RATE / CLIENTS)
            time.sleep(max(0.0, moment - time.perf_counter()))
            request, check = draw()
            connection.sendall(request)
            answer = b""
            while b"\r\n\r\n" not in answer:
                answer += connection.recv(65536)
            head, _, body = answer.partition(b"\r\n\r\n")
            length = int(
                dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:]).get(b"content-length", 0)
            )
            while len(body) < length:
                body += connection.recv(65536)
            check(head, body)


def cpu_ms(server: psutil.Process, port: int, draw: Draw, count: int) -> float:
    """Milliseconds of CPU a request of the worker of a server."""
    (worker,) = server.children()
    clients = [threading.Thread(target=ask, args=(port, draw, count // CLIENTS)) for _ in range(CLIENTS)]
    before = sum(worker.cpu_times()[:2])
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    return float(sum(worker.cpu_times()[:2]) - before) / count * 1000


def journeys(tasks: Tasks, failures: list[str]) -> Draw:
    lock = threading.Lock()

    def draw() -> tuple[bytes, Callable[[bytes, bytes], object]]:
        with lock:
            request = tasks.draw(warmup=False)

        def check(head: bytes, body: bytes) -> None:
            if wrong := request.check(int(head[9:12]), body):
                failures.append(f"{request.route}: {wrong}")

        return wire(request, HOST), check

    return draw


@contextmanager
def bare(home: Path) -> Iterator[tuple[psutil.Process, int]]:
    port = free_port()
    argv = [sys.executable, "-m", "gunicorn", "-k", "gthread", "--threads", "8", "--keep-alive", "75"]
    argv += ["--no-control-socket", "-b", f"127.0.0.1:{port}", "tests.bench.bare:app"]
    process = start(home, "bare", argv, cwd=Path(__file__).parents[2])
    try:
        time.sleep(2)
        yield psutil.Process(process.pid), port
    finally:
        stop(home, "bare", process, 5)


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory)
        try:
            state = system.up(home, print)
            slot = read_slot(home, "blue")
            assert slot is not None
            seed(state.database_url, state.jwt_keys, home / "tokens.json")
            failures: list[str] = []
            draw = journeys(Tasks.read(home / "tokens.json", 1, 0.0), failures)
            (replica,) = slot.replicas
            ours = psutil.Process(replica.process.pid)
            with bare(home) as (theirs, port):
                cpu_ms(ours, replica.port, draw, REQUESTS)  # warm: connections, prepared statements, verified tokens
                for _ in range(ROUNDS):
                    peer = cpu_ms(theirs, port, lambda: (BARE, lambda head, body: None), REQUESTS)
                    mixed = cpu_ms(ours, replica.port, draw, REQUESTS)
                    print(
                        f"{mixed:.2f} ms CPU a request of the mix (budget {BUDGET_MS}), "
                        f"a bare Flask route {peer:.2f}: {mixed / peer:.1f} times; {len(failures)} failed"
                    )
        finally:
            system.down(home, print)


if __name__ == "__main__":
    main()
