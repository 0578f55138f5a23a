"""The whole local system: up, down, status. `up` mends what is missing, so it is also what to run after any crash."""

from __future__ import annotations

import errno
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path

import msgspec

from scripts.local import envoy, postgres, schema, slots, valkey
from scripts.local.envoy_config import SLOTS, Routes
from scripts.local.errors import LocalError, NotUpError, PortTakenError, ProbeError, SettingsError, SlotUnknownError
from scripts.local.kept import Remembered, keep_route
from scripts.local.ports import free_port, holder, is_free
from scripts.local.processes import Process, Report, alive, marked, marked_names, stop, stop_all, wait_ready
from scripts.local.slots import (
    Replica,
    SlotSpec,
    known_slot,
    read_slot,
    scale_slot,
    slot_of,
    start_slot,
    written_down,
)
from scripts.local.state import State, lock, new_state, read_state, write_state

FIRST = SlotSpec(version="1.0.0")
_SLOT_READY_S = 60.0
_PROBE_S = 2.0
_DEAF_TO = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# In the order of stopping: slots lose their traffic first, the database goes last, behind it what nobody knows.
_SLOTS, _OTHERS = "slots", "others"
_STOPPING: dict[str, tuple[float, signal.Signals]] = {
    _SLOTS: (slots.STOP_GRACE_S, signal.SIGTERM),
    envoy.NAME: (envoy.STOP_GRACE_S, signal.SIGTERM),
    valkey.NAME: (valkey.STOP_GRACE_S, signal.SIGTERM),
    postgres.NAME: (postgres.STOP_GRACE_S, postgres.STOP_SIGNAL),
    _OTHERS: (5.0, signal.SIGTERM),
}

Migrate = Callable[[str, Report], object]


def up(  # noqa: PLR0913  # all but two named at the call
    home: Path,
    report: Report,
    *,
    first: SlotSpec = FIRST,
    migrate: Migrate = schema.migrate,
    port: int | None = None,
    remembered: Remembered = lambda home: None,
) -> State:
    """Start what does not run: servers, edge, and the slots as they last were (`first` in blue when none was).

    The schema is brought up to date before the first release; from then on releases lead it. `port` fixes the edge's
    port; `remembered` knows the route where neither its file nor Envoy does. Raises LocalError; what was started stays
    up, and the next `up` goes on from there.
    """
    home = home.resolve()
    with _plainly(home, "up"), lock(home):
        return _up(_settle(home, port), report, first, migrate, remembered)


@contextmanager
def _plainly(home: Path, verb: str) -> Iterator[None]:
    """Say in one LocalError what the file system refused."""
    try:
        yield
    except OSError as exc:
        if exc.errno == errno.ENOSPC:
            raise LocalError(f"the disk that holds {home} is full: free some space, then run `{verb}` again") from exc
        if isinstance(exc, PermissionError):
            raise LocalError(
                f"{exc}: run `primetrade local {verb}` as the user who made {home}, or give another place with --home"
            ) from exc
        raise LocalError(f"cannot work under {home}: {exc}; choose another place with --home") from exc


def _up(state: State, report: Report, first: SlotSpec, migrate: Migrate, remembered: Remembered) -> State:
    home = Path(state.home)
    state, database = _ensure(state, postgres.NAME, report)
    state, cache = _ensure(state, valkey.NAME, report)
    keep_route(home, state, remembered, report)
    for name in SLOTS:
        try:
            slot = read_slot(home, name)
        except SlotUnknownError as exc:  # Envoy still knows where it is
            report(str(exc))
        else:
            envoy.write_endpoints(home, name, slot.endpoints if slot else [])
    state, edge = _ensure(state, envoy.NAME, report)
    if database:
        postgres.wait(database, state.postgres_port, state.postgres_password, report)
    if cache:
        valkey.wait(cache, state.valkey_port, state.valkey_password, report)
    if edge:
        envoy.wait(edge, state, report)
    (schema.look if written_down(home) else migrate)(state.database_url, report)
    _ensure_slots(home, state, first, report)
    report(f"up: {state.edge_url}")
    return state


def _settle(home: Path, port: int | None) -> State:
    """The state to bring up: what was kept, with the servers that the environment names now."""
    try:
        kept = read_state(home)
    except NotUpError:
        kept = new_state(home)
    running = [process.name for process in kept.processes.values() if alive(process)]
    wanted = msgspec.structs.replace(
        kept,
        database_url=os.environ.get("DATABASE_URL") or kept.own_database_url,
        redis_url=os.environ.get("REDIS_URL") or kept.own_redis_url,
        edge_port=port or kept.edge_port,
        edge_port_fixed=kept.edge_port_fixed or port is not None,
    )
    for field, names in (("database_url", "DATABASE_URL"), ("redis_url", "REDIS_URL"), ("edge_port", "--port")):
        if running and getattr(wanted, field) != getattr(kept, field):
            raise SettingsError(
                f"{names} differs from what the running system ({', '.join(running)}) was started with: "
                "run `primetrade local down` first, or give the same value"
            )
    write_state(wanted)
    return wanted


def _ensure(state: State, name: str, report: Report) -> tuple[State, Process | None]:
    """Start a server that does not run, unless the environment names one in its place."""
    home = Path(state.home)
    if not state.embeds(name):
        report(f"{name}: not started, the environment names a server")
        return state, None
    recorded = state.processes.get(name)
    if recorded and alive(recorded):
        report(f"{name}: already running (pid {recorded.pid})")
        return state, recorded
    stop(home, name, None, *_STOPPING[name])  # started by a command that was killed before it wrote it down
    state = _with_free_ports(state, name, report)
    process = _launch(state, name, report)
    state = msgspec.structs.replace(state, processes={**state.processes, name: process})
    write_state(state)
    report(f"{name}: started (pid {process.pid})")
    return state, process


def _launch(state: State, name: str, report: Report) -> Process:
    if name == postgres.NAME:
        if not (Path(state.home) / postgres.NAME / "data").exists():
            report(f"{name}: making a new cluster")
        return postgres.launch(Path(state.home), state.postgres_port, state.postgres_password)
    if name == valkey.NAME:
        return valkey.launch(Path(state.home), state.valkey_port, state.valkey_password)
    return envoy.launch(state)


def _with_free_ports(state: State, name: str, report: Report) -> State:
    """Keep a server's ports; one that a stranger took is replaced, unless the user fixed it."""
    fields = {postgres.NAME: ("postgres_port",), valkey.NAME: ("valkey_port",)}
    changes: dict[str, int | str] = {}
    for field in fields.get(name, ("edge_port", "envoy_admin_port")):
        port = getattr(state, field)
        if is_free(port):
            continue
        if field == "edge_port" and state.edge_port_fixed:
            raise PortTakenError(f"port {port} is held by {holder(port)}: end it, or choose another with `--port`")
        changes[field] = free_port()
        report(f"{name}: port {port} is held by {holder(port)}, taking {changes[field]}")
    state = msgspec.structs.replace(state, **changes)
    urls = {postgres.NAME: {"database_url": state.own_database_url}, valkey.NAME: {"redis_url": state.own_redis_url}}
    return msgspec.structs.replace(state, **urls.get(name, {}))


def _ensure_slots(home: Path, state: State, first: SlotSpec, report: Report) -> None:
    """Restart what was there of slots and died; with none, start the first release. Wait for those with traffic."""
    routes = envoy.read_routes(home)
    known = {name: slot for name in SLOTS if (slot := known_slot(home, name))}
    if not written_down(home):
        known = {"blue": start_slot(home, state, "blue", first)}
        routes = envoy.write_routes(home, Routes(blue=100, green=0))
    for name, slot in known.items():
        whole = scale_slot(home, state, name, len(slot.replicas))  # replicas that died are started anew
        for replica in whole.replicas:
            process = replica.process
            report(f"{process.name}: {whole.spec.version} (pid {process.pid}, port {replica.port})")
        if routes and (getattr(routes, name) or routes.first == name):
            for replica in whole.replicas:
                wait_ready(replica.process, partial(_unready, state, name, replica), _SLOT_READY_S, report)


def _unready(state: State, name: str, replica: Replica) -> str | None:
    try:
        status, _ = slots.probe(replica, "/readyz", _PROBE_S)
        if status != 200:
            return f"/readyz answers {status}"
        return None if replica.port in envoy.healthy(state, name) else "Envoy has not seen it healthy"
    except ProbeError as exc:
        return str(exc)


def down(home: Path, report: Report) -> None:
    """End every process of this home, written down or not; data, ports and releases are kept for the next `up`.

    The directory may be gone: processes are found by their marks. Signals wait for the end, which has its own limits.
    Raises LockedError while another command changes the home or a release runs, LocalError when a process does not end.
    """
    home = home.resolve()
    with _undisturbed(), _plainly(home, "down"), lock(home) if home.exists() else nullcontext():
        found = _end(home, report)
        if marked(home):
            found |= _end(home, report)  # what was only being executed at the first look had no mark yet
        if left := [str(process.pid) for process in marked(home)]:
            raise LocalError(f"still running after SIGKILL: pid {', '.join(left)}; run `primetrade local down` again")
        report("down: nothing left running" if found else f"nothing runs under {home}")


def _end(home: Path, report: Report) -> set[str]:
    """Stop what is found, part by part, SIGKILL last; the names."""
    recorded = _recorded(home)
    found = marked_names(home)
    found |= {name for name, process in recorded.items() if alive(process)}
    for part, (grace_s, signum) in _STOPPING.items():
        if names := sorted(name for name in found if _part(name) == part):
            report(f"{', '.join(names)}: stopping (at most {grace_s:.0f} s)")
            stop_all(home, names, [recorded[name] for name in names if name in recorded], grace_s, signum)
    return found


def _part(name: str) -> str:
    return _SLOTS if slot_of(name) else name if name in _STOPPING else _OTHERS


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Ignore what a terminal or a supervisor sends: half a `down` would leave processes that nobody looks after."""
    if threading.current_thread() is not threading.main_thread():  # signals never interrupt any other thread
        yield
        return
    before = {signum: signal.signal(signum, signal.SIG_IGN) for signum in _DEAF_TO}
    try:
        yield
    finally:
        for signum, handler in before.items():
            # None: set by something other than Python, which cannot set it back.
            signal.signal(signum, signal.SIG_DFL if handler is None else handler)


def _recorded(home: Path) -> dict[str, Process]:
    """The processes that were written down; a file that cannot be read is no reason not to stop the rest."""
    recorded: dict[str, Process] = {}
    try:
        recorded |= read_state(home).processes
        replicas = [each for name in SLOTS if (slot := read_slot(home, name)) for each in slot.replicas]
        recorded |= {replica.process.name: replica.process for replica in replicas}
    except LocalError:
        return recorded
    return recorded
