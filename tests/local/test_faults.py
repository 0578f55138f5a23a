"""What the machine does to the local system: kills, full disks, ports taken by others."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from scripts.local import system
from scripts.local.errors import PortTakenError
from scripts.local.processes import marked
from scripts.local.slots import SlotSpec
from scripts.local.state import State, read_state
from scripts.local.web import exchange

pytestmark = pytest.mark.faults

DRIVE = Path(__file__).with_name("drive.py")


@pytest.fixture(autouse=True)
def _nothing_left(home: Path) -> Iterator[None]:
    yield
    system.down(home, print)
    assert marked(home) == []


def drive(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, str(DRIVE), "up", str(home), *arguments]
    return subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)


def eldest(home: Path) -> list[str]:
    """The names of our processes that none of ours started."""
    found, names = marked(home), list[str]()
    pids = {process.pid for process in found}
    for process in found:
        with suppress(psutil.NoSuchProcess):  # a database's child may have ended since
            if process.ppid() not in pids:
                names.append(process.name())
    return sorted(names)


def taken(port: int) -> socket.socket:
    stranger = socket.socket()
    stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    stranger.bind(("127.0.0.1", port))
    stranger.listen(1)
    return stranger


def test_up_killed_before_any_of_its_steps_converges_when_run_again(home: Path) -> None:
    """SIGKILL before every file it replaces and every process it starts; one more `up` each time, and it serves.

    The home is the same throughout, so each kill also meets what the one before left behind.
    """
    step = 0
    while True:
        step += 1
        killed = drive(home, str(step))
        assert killed.returncode in (0, -signal.SIGKILL), killed.stderr
        mended = drive(home)
        assert mended.returncode == 0, f"after a kill before step {step}: {mended.stderr}"
        assert exchange(read_state(home).edge_port, "/", 5)[0] == 200
        names = eldest(home)
        assert len(names) == 4, f"after a kill before step {step}: {names}"
        if killed.returncode == 0:
            break
        system.down(home, print)
        for made in ("slots/blue.json", "envoy/rds/routes.json"):
            (home / made).unlink()
    assert step > 12


def test_killed_while_the_cluster_is_made(home: Path) -> None:
    """A half-made cluster, and the initdb that still writes to it, are cleared away by the next `up`."""
    argv = [sys.executable, str(DRIVE), "up", str(home)]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL) as command:
        while not (home / "postgresql" / "data.new" / "base").exists():
            assert command.poll() is None
        command.kill()
    assert not (home / "postgresql" / "data").exists()
    assert drive(home).returncode == 0


def test_a_fixed_port_that_a_stranger_holds_is_an_error_that_names_it(home: Path, edge: State) -> None:
    """The message names the port, its holder and what to do; with the stranger gone the same command works."""
    system.down(home, print)
    with taken(edge.edge_port), pytest.raises(PortTakenError) as refused:
        system.up(home, print, port=edge.edge_port, migrate=lambda url, report: None)
    assert f"port {edge.edge_port} is held by" in str(refused.value)
    assert f"(pid {os.getpid()}): end it, or choose another with `--port`" in str(refused.value)
    assert marked(home) == []
    state = system.up(home, print, migrate=lambda url, report: None)
    assert (state.edge_port, exchange(state.edge_port, "/", 5)[0]) == (edge.edge_port, 200)


def test_a_port_nobody_fixed_is_replaced(home: Path, edge: State, artefact: Callable[..., SlotSpec]) -> None:
    """A stranger on last time's port costs a line of output, not the run."""
    system.down(home, print)
    says: list[str] = []
    with taken(edge.edge_port):
        state = system.up(home, says.append, migrate=lambda url, report: None)
        assert state.edge_port != edge.edge_port
        assert exchange(state.edge_port, "/", 5)[0] == 200
    assert any(f"port {edge.edge_port} is held by" in line for line in says)


def test_a_full_disk_is_said_plainly_and_mended_by_up(home: Path) -> None:
    """On a file system of 24 MB `up` fails naming the cause; once it has grown, the same command works.

    The mount is in a namespace of its own, so it needs no rights and goes away with the shell.
    """
    up = f"'{sys.executable}' -m scripts.cli local up --home '{home}' >>'{home.parent}/said' 2>&1"
    drive_up = f"'{sys.executable}' '{DRIVE}' up '{home}'"
    drive_down = f"'{sys.executable}' '{DRIVE}' down '{home}'"
    script = f"""
        mkdir -p '{home}' && mount -t tmpfs -o size=24m,mode=700 none '{home}' || exit 99
        {up}; echo "first $?"
        mount -o remount,size=400m '{home}' || exit 99
        {drive_up} >/dev/null; echo "second $?"
        {drive_down}
    """
    user = [] if os.geteuid() == 0 else ["--map-root-user"]
    done = subprocess.run(
        ["unshare", "--mount", *user, "sh", "-c", script], capture_output=True, text=True, timeout=120, check=False
    )
    assert "first 1\nsecond 0\n" in done.stdout, done.stdout + done.stderr
    assert "down: nothing left running" in done.stdout
    assert "No space left on device" in (home.parent / "said").read_text()
