"""A real gunicorn: probes, drain, fault switches, start and end."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

import msgspec
import pytest

from app import schema
from tests.app.server import ROOT, Server
from tests.app.world import ADMIN_TOKEN, environment

# One process at a time is started here: together they would only wait for each other's imports.
pytestmark = pytest.mark.xdist_group("gunicorn")
NO_FAULTS = {"error_share": 0, "latency_ms": 0, "unready": False, "hang": False}


@pytest.fixture
def server(start: Callable[..., Server]) -> Server:
    return start(FAULTS_ENABLED="1", APP_VERSION="3.2.1", SLOT="green").ready()


@pytest.fixture
def connection(server: Server) -> Iterator[http.client.HTTPConnection]:
    """A connection that is kept alive."""
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)) as kept:
        yield kept


def ask(connection: http.client.HTTPConnection, path: str = "/health") -> tuple[int, str]:
    """Status, and what the answer says about the connection."""
    connection.request("GET", path)
    answer = connection.getresponse()
    answer.read()
    return answer.status, answer.headers.get("Connection", "")


def test_the_admin_port_tells_what_runs_here(server: Server) -> None:
    assert server.probe("/livez")[0] == 200
    assert server.probe("/startupz") == (200, b"started; cache reachable\n")
    version = msgspec.json.decode(server.probe("/version")[1])
    assert (version["version"], version["slot"]) == ("3.2.1", "green")
    assert version["schema"] == {"min": schema.MIN, "max": schema.MAX}
    assert version["pid"] in {child.pid for child in server.worker.parent().children()}  # type: ignore[union-attr]  # it has one
    server.get("/health")
    assert (
        b'http_request_duration_seconds_count{method="GET",route="/health",slot="green"' in server.probe("/metrics")[1]
    )
    assert server.get("/metrics")[0] == server.get("/livez")[0] == server.probe("/health")[0] == 404


def allowed(thread: int) -> set[int]:
    """The cores it may run on; none where it has ended."""
    with suppress(ProcessLookupError):
        return os.sched_getaffinity(thread)
    return set()


def test_once_warm_a_worker_keeps_to_its_core(start: Callable[..., Server]) -> None:
    """Every thread of it, and those of requests that come later; started behind the others, it ends level with them."""
    core = min(os.sched_getaffinity(0))
    server = start(CPU_CORE=str(core)).ready()
    server.get("/health")
    tasks = Path(f"/proc/{server.worker.pid}/task")
    deadline = time.monotonic() + 10
    while {core} != (found := set().union(*(allowed(int(task.name)) for task in tasks.iterdir()))):
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    group = Path(f"/proc/{server.worker.pid}/autogroup")
    said = group.read_text() if group.exists() else ""  # nothing, for one that no session began: init and its kin
    assert not said or said.endswith("nice 0\n")


def test_every_answer_says_its_slot(server: Server) -> None:
    """A route that has moved is seen by that; an error is an answer, too."""
    for path in ("/health", "/nowhere"):
        with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)) as one:
            one.request("GET", path)
            assert one.getresponse().headers.get_all("x-slot") == ["green"]


def in_flight(server: Server) -> float:
    lines = server.probe("/metrics")[1].decode().splitlines()
    return float(next(line for line in lines if line.startswith("http_requests_in_flight ")).split()[1])


def test_probes_answer_while_every_request_thread_is_busy(server: Server) -> None:
    """Also how many requests there are, until the last is answered."""
    assert server.order("/admin/faults", {"hang": True})[0] == 200
    with ThreadPoolExecutor(10) as pool:
        stuck = [pool.submit(server.get, "/health") for _ in range(10)]
        time.sleep(0.5)
        assert not any(request.done() for request in stuck)
        assert [server.probe(path)[0] for path in ("/livez", "/readyz", "/startupz", "/metrics", "/version")] == [
            200
        ] * 5
        assert in_flight(server) == 8  # as many as there are threads
        assert server.order("/admin/faults", NO_FAULTS)[0] == 200
        assert [request.result(10)[0] for request in stuck] == [200] * 10
    deadline = time.monotonic() + 10
    while in_flight(server):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_draining_closes_each_connection_with_its_answer_and_can_be_taken_back(
    server: Server, connection: http.client.HTTPConnection
) -> None:
    assert ask(connection) == (200, "keep-alive")
    assert server.order("/admin/drain", {"draining": True}) == (200, b'{"draining":true}')
    assert server.probe("/readyz") == (503, b"draining\n")
    assert ask(connection) == (200, "close")
    assert server.probe("/livez")[0] == 200
    server.order("/admin/drain", {"draining": False})
    assert server.probe("/readyz")[0] == 200
    assert ask(connection) == (200, "keep-alive")


def test_a_drained_process_may_stay_ready(server: Server, connection: http.client.HTTPConnection) -> None:
    """Where a router keeps the users away, the way back need not wait for probes."""
    assert ask(connection) == (200, "keep-alive")
    server.order("/admin/drain", {"draining": True, "ready": True})
    assert server.probe("/readyz")[0] == 200
    assert ask(connection) == (200, "close")
    server.order("/admin/drain", {"draining": True})
    assert server.probe("/readyz") == (503, b"draining\n")


def test_a_token_may_come_in_a_header_that_no_proxy_keeps(admin: Server) -> None:
    """The API server of Kubernetes takes Authorization for its own."""
    for token, status in (("wrong", 401), (ADMIN_TOKEN, 200)):
        headers = {"X-Admin-Token": token, "Authorization": f"Bearer {ADMIN_TOKEN}"}
        body = msgspec.json.encode({"draining": False})
        assert admin.request("POST", admin.admin_port, "/admin/drain", headers=headers, body=body)[0] == status


@pytest.mark.parametrize(
    ("path", "body", "token", "status"),
    [
        ("/admin/drain", {"draining": True}, "wrong", 401),
        ("/admin/faults", {"hang": True}, "", 401),
        ("/admin/drain", {"draining": "yes"}, None, 422),
        ("/admin/drain", {}, None, 422),
        ("/admin/faults", {"error_share": 2}, None, 422),
        ("/admin/faults", {"explode": True}, None, 422),
        ("/admin/nothing", {}, None, 404),
        ("/admin/drain", {"draining": True, "x": "y" * 5000}, None, 413),
    ],
)
def test_an_order_that_makes_no_sense_changes_nothing(
    admin: Server, path: str, body: object, token: str | None, status: int
) -> None:
    order = admin.order(path, body) if token is None else admin.order(path, body, token)
    assert order[0] == status
    assert admin.probe("/readyz")[0] == 200
    assert admin.get("/health")[0] == 200


@pytest.fixture(scope="module")
def admin(database_url: str, valkey_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all orders that change nothing."""
    settings = environment(DATABASE_URL=database_url, REDIS_URL=valkey_server, FAULTS_ENABLED="1")
    server = Server(settings, tmp_path_factory.mktemp("admin") / "server.log")
    try:
        yield server.ready()
    finally:
        server.kill()


def test_fault_switches_break_the_traffic_port_only(server: Server) -> None:
    server.order("/admin/faults", {"error_share": 1})
    assert {server.get("/health")[0] for _ in range(5)} == {500}
    assert b"fault-injected" in server.get("/health")[1]
    server.order("/admin/faults", {"error_share": 0.5})
    assert {server.get("/health")[0] for _ in range(60)} == {200, 500}
    server.order("/admin/faults", {"latency_ms": 300})
    started = time.monotonic()
    assert server.get("/health")[0] == 200
    assert time.monotonic() - started >= 0.3
    server.order("/admin/faults", {"unready": True})
    assert server.probe("/readyz") == (503, b"fault switch: unready\n")
    assert (server.probe("/livez")[0], server.get("/health")[0]) == (200, 200)


def test_fault_switches_do_nothing_unless_enabled(start: Callable[..., Server]) -> None:
    server = start(FAULT_ERROR_SHARE="1", FAULT_UNREADY="1", FAULT_CRASH_AT_START="1").ready()
    assert server.get("/health")[0] == 200
    assert server.order("/admin/faults", {"error_share": 1})[0] == 403
    assert server.get("/health")[0] == 200


def test_faults_can_be_on_from_the_start(start: Callable[..., Server]) -> None:
    server = start(FAULTS_ENABLED="1", FAULT_ERROR_SHARE="1", FAULT_UNREADY="1")
    server.wait(lambda: server.probe("/startupz")[0] == 200, "started")
    assert server.probe("/readyz")[0] == 503
    assert server.get("/health")[0] == 500


def test_a_crash_at_the_start_ends_the_process(start: Callable[..., Server]) -> None:
    server = start(FAULTS_ENABLED="1", FAULT_CRASH_AT_START="1")
    assert server.process.wait(20) != 0
    assert "FAULT_CRASH_AT_START=1" in server.log.read_text()


def test_sigterm_loses_no_accepted_request_and_tells_open_connections(
    server: Server, connection: http.client.HTTPConnection
) -> None:
    """Twelve slow requests on eight threads, and a client whose connection was kept: all are answered."""
    assert ask(connection) == (200, "keep-alive")
    server.order("/admin/faults", {"latency_ms": 1000})
    with ThreadPoolExecutor(12) as pool:
        slow = [pool.submit(server.get, "/health") for _ in range(12)]
        time.sleep(0.4)
        server.process.terminate()
        server.wait(lambda: server.probe("/readyz") == (503, b"stopping\n"), "stopping")
        assert server.probe("/livez")[0] == 200
        assert ask(connection) == (200, "close")
        assert [request.result(20)[0] for request in slow] == [200] * 12
    assert server.process.wait(20) == 0
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.admin_port), timeout=1)


def test_a_wrong_setting_ends_the_process_with_one_line(database_url: str) -> None:
    settings = {**environment(DATABASE_URL=database_url, REDIS_URL="redis://127.0.0.1:1/0"), "PORT": "http"}
    done = subprocess.run(
        [sys.executable, "-m", "gunicorn", "-c", "app/gunicorn_conf.py", "app.wsgi:app"],
        cwd=ROOT,
        env=settings,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.strip().startswith("environment: ")
    assert len(done.stderr.strip().splitlines()) == 1
    assert "PORT" in done.stderr


def test_an_admin_port_that_is_taken_ends_the_process_and_says_so(start: Callable[..., Server]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = start(ADMIN_PORT=str(taken.getsockname()[1]))
        assert server.process.wait(20) != 0
    assert "ADMIN_PORT" in server.log.read_text()


def test_a_schema_level_out_of_range_is_named_and_waited_for(
    start: Callable[..., Server], new_database: Callable[..., str]
) -> None:
    from app.migrate import migrate  # noqa: PLC0415  # used here alone

    url = new_database()
    server = start(DATABASE_URL=url)
    server.wait(lambda: b"the database has 0" in server.probe("/startupz")[1], "at the look")
    assert server.probe("/readyz")[0] == 503
    assert b"primetrade db migrate" in server.probe("/startupz")[1]
    migrate(url, lambda line: None)
    server.ready()


def test_a_probe_that_waits_is_answered_as_soon_as_there_is_an_answer(start: Callable[..., Server]) -> None:
    """It is let in before the application is imported, so the first that is not refused hears "ready"."""
    server, answers = start(), []
    server.wait(lambda: bool(answers.append(server.probe("/readyz?wait=9", timeout=10)) or answers), "listening")
    assert answers == [(200, b"ready\n")]


def test_a_probe_waits_no_longer_than_it_says(start: Callable[..., Server], new_database: Callable[..., str]) -> None:
    server = start(DATABASE_URL=new_database())
    server.wait(lambda: server.probe("/livez")[0] == 200, "live")
    assert b"the database has 0" in server.probe("/readyz?wait=0.2", timeout=5)[1]
    assert server.probe("/readyz?wait=forever")[0] == server.probe("/readyz?")[0] == 404


def test_a_slow_body_ends_with_408_and_frees_its_thread(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=15) as client:
        head = b"POST /auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n"
        client.sendall(head + b'{"email"')
        assert client.recv(12) == b"HTTP/1.1 408"


def drip(port: int, target: str, framing: str, part: bytes) -> bytes:
    """What a client gets that sends its body in small parts until the connection is closed."""
    with socket.create_connection(("127.0.0.1", port), timeout=0.3) as client:
        head = f"POST {target} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{framing}\r\n\r\n"
        client.sendall(head.encode())
        received, deadline = b"", time.monotonic() + 20
        while True:
            assert time.monotonic() < deadline, received
            try:
                client.sendall(part)
                piece = client.recv(4096)
            except TimeoutError:
                continue
            except (BrokenPipeError, ConnectionResetError):
                return received
            if not piece:
                return received
            received += piece


def test_a_body_that_drips_holds_its_thread_no_longer_than_a_request_may_take(server: Server) -> None:
    """Answered, and the connection closed, also where the answer did not wait for the body."""
    drips = {
        ("/auth/login", "Content-Length: 1000", b" "): b"HTTP/1.1 408",
        ("/auth/login", "Transfer-Encoding: chunked", b"1\r\n \r\n"): b"HTTP/1.1 408",
        ("/tasks", "Content-Length: 1000", b" "): b"HTTP/1.1 401",
    }
    with ThreadPoolExecutor(len(drips)) as pool:
        received = list(pool.map(lambda words: drip(server.port, *words), drips))
    assert list(drips.values()) == [answer[:12] for answer in received]


def test_a_body_nobody_read_does_not_cost_the_connection(connection: http.client.HTTPConnection) -> None:
    connection.request("POST", "/tasks", b'{"title": "t"}', {"Content-Type": "application/json"})
    refused = connection.getresponse()
    refused.read()
    assert refused.status == 401
    kept = connection.sock
    assert ask(connection) == (200, "keep-alive")
    assert connection.sock is kept


def test_probes_hold_with_a_client_that_says_nothing(server: Server) -> None:
    with (
        socket.create_connection(("127.0.0.1", server.admin_port)),
        socket.create_connection(("127.0.0.1", server.admin_port)),
    ):
        assert server.probe("/livez")[0] == 200


def test_the_process_writes_nothing_but_json_lines(server: Server) -> None:
    server.get("/health")
    server.get("/nowhere")
    server.terminate()
    lines = [msgspec.json.decode(line) for line in server.log.read_bytes().splitlines() if line]
    assert [line["route"] for line in lines if line["event"] == "request"][-2:] == ["/health", "unmatched"]
    assert os.path.sep not in "".join(line["event"] for line in lines)
