"""`up` mends what is missing, `down` leaves nothing, whoever runs them and wherever they were interrupted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner

from app.migrate import level, migrate
from scripts.cli import primetrade
from scripts.exits import Exit
from scripts.local import envoy, system
from scripts.local.errors import LocalError, LockedError, SettingsError, StartError
from scripts.local.processes import alive, marked
from scripts.local.slots import SlotSpec, read_slot, start_slot
from scripts.local.state import State, lock, read_state
from scripts.local.status import status
from scripts.local.web import exchange

DRIVE = Path(__file__).with_name("drive.py")
# Root becomes nobody, who keeps the right to read: the interpreter may lie in root's own directory.
_AS_NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
PLAIN_USER = (
    (*_AS_NOBODY, "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search") if os.geteuid() == 0 else ()
)


@pytest.fixture(autouse=True)
def _embedded(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "REDIS_URL", "PRIMETRADE_LOCAL"):
        monkeypatch.delenv(name, raising=False)


def up(home: Path, first: SlotSpec, says: list[str]) -> State:
    return system.up(home, says.append, first=first, migrate=lambda url, report: None)


def primetrade_local(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(primetrade, ["local", *arguments])
    return done.exit_code, " ".join(done.output.split())


def test_up_twice_then_down_then_up(home: Path, artefact: Callable[..., SlotSpec]) -> None:
    """The second `up` touches nothing; `down` leaves no process; data, ports and releases are there again after it."""
    says: list[str] = []
    try:
        state = up(home, artefact("1.0.0"), says)
        assert (home / "state.json").stat().st_mode & 0o777 == 0o600
        assert exchange(state.edge_port, "/", 5)[0] == 200
        with psycopg.connect(state.database_url, autocommit=True) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        again = up(home, artefact("1.0.0"), says)
        assert state == again
        assert [f"{name}: already running (pid {process.pid})" for name, process in state.processes.items()] == [
            line for line in says if "already" in line
        ]
        running = {part.name for part in status(home).parts if part.pid}
        assert running == {"postgresql", "valkey", "envoy", "slot-blue"}

        code, answer = primetrade_local("status", "--home", str(home), "--json")
        assert code == Exit.DONE
        assert json.loads(answer)["routes"]["blue"] == 100
        psql = [sys.executable, "-m", "scripts.cli", "local", "psql", "--home", str(home), "--", "-Atc"]
        told = subprocess.run(
            [*psql, "SELECT answer FROM kept"], capture_output=True, text=True, check=True, timeout=30
        )
        assert told.stdout == "42\n"

        system.down(home, says.append)
        assert marked(home) == []
        assert not status(home).running

        back = up(home, artefact("9.9.9"), says)
        assert (back.edge_port, back.database_url) == (state.edge_port, state.database_url)
        slot = read_slot(home, "blue")
        assert slot is not None
        assert slot.spec.version == "1.0.0"
        with psycopg.connect(back.database_url) as connection:
            assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)
    finally:
        system.down(home, print)
    assert marked(home) == []


def test_up_restarts_only_what_died(edge: State) -> None:
    """Envoy and a slot are killed: Envoy comes back on its port, the slot with its release, the routes as they were."""
    home, says = Path(edge.home), list[str]()
    green = start_slot(home, edge, "green", SlotSpec(version="2.0.0", command=("sleep", "60")))
    envoy.write_routes(home, envoy.Routes(blue=100, green=0, note={"run": "7"}))
    blue = read_slot(home, "blue")
    assert blue is not None
    for process in (edge.processes["envoy"], blue.replicas[0].process):
        os.kill(process.pid, signal.SIGKILL)
        while alive(process):
            time.sleep(0.01)
    state = up(home, SlotSpec(version="never started"), says)
    assert state.edge_port == edge.edge_port
    assert exchange(state.edge_port, "/", 5)[0] == 200
    restarted = read_slot(home, "blue")
    assert restarted is not None
    assert (restarted.spec, alive(green.replicas[0].process)) == (blue.spec, True)
    routes = envoy.applied(state)
    assert routes is not None
    assert routes.note == {"run": "7"}


def test_only_the_first_up_migrates(
    home: Path, new_database: Callable[..., str], artefact: Callable[..., SlotSpec], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What runs was released for the level there is: `up` mends the rest, leaves that, and says that it is behind."""
    url, says = new_database(), list[str]()
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    try:
        first = artefact("1.0.0")
        system.up(home, says.append, first=first, migrate=lambda url, report: migrate(url, report, target=2))
        assert level(url) == 2
        system.up(home, says.append, first=first)
        system.down(home, says.append)
        system.up(home, says.append)
    finally:
        system.down(home, print)
    assert level(url) == 2
    assert [line.partition(";")[0] for line in says if line.startswith("schema")] == [
        "schema: left at level 2, since a release is there"
    ] * 2


def test_a_database_that_is_away_keeps_nobody_from_mending_the_rest(edge: State) -> None:
    home, says = Path(edge.home), list[str]()
    blue = read_slot(home, "blue")
    assert blue is not None
    os.kill(blue.replicas[0].process.pid, signal.SIGKILL)
    up(home, SlotSpec(version="never started"), says)
    assert exchange(edge.edge_port, "/", 5)[0] == 200
    assert "schema: not looked at: no connection to the database" in "\n".join(says)


def test_servers_named_by_the_environment_replace_the_embedded_ones(edge: State) -> None:
    """Nothing is started in their place, slots get their addresses, and `status` says who provides them."""
    assert [*edge.processes] == ["envoy"]
    assert edge.database_url == "postgresql://nobody@127.0.0.1:1/none"
    provided = [part.name for part in status(Path(edge.home)).parts if part.detail == "provided by the environment"]
    assert provided == ["postgresql", "valkey"]


def test_other_servers_are_refused_while_it_runs(
    edge: State, artefact: Callable[..., SlotSpec], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slot would go on with the old database: `down` comes first, and the message says so."""
    monkeypatch.delenv("DATABASE_URL")
    with pytest.raises(SettingsError, match=r"DATABASE_URL differs .* run `primetrade local down` first"):
        up(Path(edge.home), artefact("1.0.0"), [])


def test_a_killed_up_leaves_nothing_that_down_cannot_find(home: Path) -> None:
    """Killed before it could write down the server it had just started."""
    killed = subprocess.run(
        [sys.executable, DRIVE, "up", home, "5"], capture_output=True, text=True, timeout=60, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    assert not read_state(home).processes
    assert marked(home, "postgresql")
    system.down(home, print)
    assert marked(home) == []


def test_a_plain_user_needs_no_rights(tmp_path: Path) -> None:
    """Up and down as an unprivileged user: the same servers, started directly."""
    home = tmp_path / "plain"
    home.mkdir()
    if PLAIN_USER:
        os.chown(home, 65534, 65534)
    try:
        run = [*PLAIN_USER, sys.executable, str(DRIVE)]
        done = subprocess.run([*run, "up", home], capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        state = read_state(home)
        assert exchange(state.edge_port, "/", 5)[0] == 200
        assert {process.uids().real for process in marked(home)} == {home.stat().st_uid}
        assert not any(process.name() == "unshare" for process in marked(home))
        done = subprocess.run([*run, "down", home], capture_output=True, text=True, timeout=60, check=False)
        assert "down: nothing left running" in done.stdout
    finally:
        assert marked(home) == []


def test_one_command_at_a_time(home: Path) -> None:
    """The second one names the first and ends with its own exit code."""
    with lock(home):
        with pytest.raises(LockedError, match=f"pid {os.getpid()}"):
            up(home, SlotSpec(version="1"), [])
        code, says = primetrade_local("down", "--home", str(home))
    assert code == Exit.LOCKED
    assert "wait for it to end" in says


def test_a_first_release_that_crashes_is_told_with_its_log(edge: State, artefact: Callable[..., SlotSpec]) -> None:
    """`up` says which process ended, why, and where its log is."""
    home = Path(edge.home)
    start_slot(home, edge, "blue", artefact("1.0.1", FAULT_CRASH_AT_START="1"))
    with pytest.raises(StartError, match=r"slot-blue ended while starting(.|\n)*FAULT_CRASH_AT_START is set"):
        up(home, artefact("1.0.0"), [])


def test_a_state_file_that_cannot_be_read_is_named_and_left_alone(edge: State) -> None:
    """`up` refuses it and says what to do; `down` still ends everything."""
    home = Path(edge.home)
    (home / "state.json").write_text('{"version": "one"}')
    with pytest.raises(LocalError, match=r"state.json: .*version.*primetrade local down"):
        up(home, SlotSpec(version="1"), [])
    assert (home / "state.json").read_text() == '{"version": "one"}'
    system.down(home, print)
    assert marked(home) == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["psql"], "start one with `primetrade local up`"),
        (["logs"], "log: start the system with `primetrade local up`"),
        (["logs", "envoy"], "log: start the system with `primetrade local up`"),
    ],
)
def test_verbs_that_need_a_system_say_how_to_get_one(home: Path, arguments: list[str], says: str) -> None:
    """Usage errors, exit code 2, and nothing is created."""
    code, answer = primetrade_local(*arguments, "--home", str(home))
    assert (code, says in answer) == (Exit.USAGE, True)
    assert not home.exists()


def test_a_log_that_is_not_there_is_answered_with_those_that_are(home: Path) -> None:
    """A usage error."""
    (home / "log").mkdir(parents=True)
    (home / "log" / "envoy.log").touch()
    code, answer = primetrade_local("logs", "nginx", "--home", str(home))
    assert (code, "no log nginx in" in answer, "(there: envoy)" in answer) == (Exit.USAGE, True, True)


def test_nothing_up_is_an_answer(home: Path) -> None:
    """`status` and `down` of a home that never was: said plainly, exit code 0."""
    assert primetrade_local("status", "--home", str(home))[0] == Exit.DONE
    assert primetrade_local("down", "--home", str(home)) == (Exit.DONE, f"nothing runs under {home}")


def test_a_home_that_cannot_be_made_is_said_plainly(tmp_path: Path) -> None:
    """One message with the path and the reason, no traceback."""
    (tmp_path / "file").touch()
    code, answer = primetrade_local("up", "--home", str(tmp_path / "file" / "home"))
    assert (code, "Not a directory" in answer, "--home" in answer) == (Exit.ERROR, True, True)
