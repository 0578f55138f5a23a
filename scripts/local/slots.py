"""The two slots: any HTTP program that takes PORT and ADMIN_PORT from its environment, in one process or several."""

from __future__ import annotations

import hashlib
import re
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import msgspec

from scripts.local import envoy
from scripts.local.cores import MACHINE
from scripts.local.envoy_config import SLOTS, Endpoint
from scripts.local.errors import LocalError, ProbeError, SlotUnknownError, UnheardError
from scripts.local.ports import free_port
from scripts.local.processes import Process, alive, marked, marked_names, start, stop, stop_all
from scripts.local.state import ROOT, State, replace_file
from scripts.local.web import exchange

GUNICORN = ("{python}", "-m", "gunicorn", "-c", "app/gunicorn_conf.py", "app.wsgi:app")
STOP_GRACE_S = 25.0  # longer than gunicorn's graceful timeout of 20 s
DRAIN_S = 20.0  # for the answers that a leaving replica still owes
_ADMIN_TIMEOUT_S = 5.0
_POLL_S = 0.01


class SlotSpec(msgspec.Struct, frozen=True):
    """What to run in a slot; `{python}` in the command stands for this interpreter."""

    version: str
    command: tuple[str, ...] = GUNICORN
    env: dict[str, str] = {}


class Replica(msgspec.Struct, frozen=True):
    """One process of a slot."""

    process: Process
    port: int
    admin_port: int

    @property
    def endpoint(self) -> Endpoint:
        """Where Envoy finds it."""
        return Endpoint(self.port, self.admin_port)


class Slot(msgspec.Struct, frozen=True):
    """A slot as it was started: HOME/slots/NAME.json."""

    name: str
    spec: SlotSpec
    replicas: tuple[Replica, ...]  # the oldest first; at least one
    digest: str  # sha-256 of the spec: equal digests are equal releases

    @property
    def endpoints(self) -> list[Endpoint]:
        """Where Envoy finds it."""
        return [replica.endpoint for replica in self.replicas]


def digest(spec: SlotSpec) -> str:
    """The identity of a spec, whatever the order of its variables."""
    return hashlib.sha256(msgspec.json.encode(spec, order="deterministic")).hexdigest()


def slot_env(state: State, name: str, spec: SlotSpec, port: int, admin_port: int) -> dict[str, str]:
    """The environment of a slot's process: ours, what the spec replaces in it, and where Envoy will look."""
    core = {"CPU_CORE": str(getattr(MACHINE, name))} if MACHINE else {}
    return {
        **core,
        "APP_VERSION": spec.version,
        "DATABASE_URL": state.database_url,
        "REDIS_URL": state.redis_url,
        "JWT_KEYS": msgspec.json.encode(state.jwt_keys).decode(),
        "CURSOR_KEY": state.cursor_key,
        "ADMIN_TOKEN": state.admin_token,
        "EDGE_MARKS_COPIES": "1",
        **spec.env,
        "SLOT": name,
        "PORT": str(port),
        "ADMIN_PORT": str(admin_port),
    }


def start_slot(home: Path, state: State, name: str, spec: SlotSpec, replicas: int = 1) -> Slot:
    """Start a slot on fresh ports and tell Envoy where it is; does not wait for it to be ready.

    What ran under this name, written down or not, is ended first. Raises StartError when the command cannot be run.
    """
    stop_slot(home, name)
    return _grow(home, state, Slot(name, spec, (), digest(spec)), replicas)


def scale_slot(home: Path, state: State, name: str, replicas: int) -> Slot:
    """Give a slot so many replicas; does not wait for new ones to be ready.

    Dead ones are started anew, and the newest go first: Envoy stops choosing them and they are ended once they have
    answered, so that no request is lost. Raises LocalError when the slot was never started or one does not end,
    StartError, and ProbeError when Envoy does not answer.
    """
    slot = read_slot(home, name)
    if slot is None:
        raise LocalError(f"slot {name} does not run: there is nothing to scale")
    if replicas < 1:
        raise LocalError(f"slot {name}: {replicas} replicas asked for, and one is the least; retire it to have none")
    known = {replica.port for replica in slot.replicas}
    if any(endpoint.port not in known for endpoint in envoy.read_endpoints(home, name)):
        _let_go(home, state, slot, ())  # a killed command told Envoy of replicas and did not write them down
    if leaving := slot.replicas[replicas:]:
        slot = msgspec.structs.replace(slot, replicas=slot.replicas[:replicas])
        _let_go(home, state, slot, leaving)
    return _grow(home, state, slot, replicas)


def _grow(home: Path, state: State, slot: Slot, replicas: int) -> Slot:
    found = []
    for number in range(1, replicas + 1):
        known = slot.replicas[number - 1 : number]
        found.append(known[0] if known and alive(known[0].process) else _start(home, state, slot, number))
    slot = msgspec.structs.replace(slot, replicas=tuple(found))
    envoy.write_endpoints(home, slot.name, slot.endpoints)
    # Last: a slot that is written down is known to the edge, wherever this was interrupted.
    replace_file(_path(home, slot.name), msgspec.json.format(msgspec.json.encode(slot)))
    return slot


def _start(home: Path, state: State, slot: Slot, number: int) -> Replica:
    name = process_name(slot.name, number)
    stop(home, name, None, STOP_GRACE_S)  # started by a command that was killed before it wrote it down
    port, admin_port = free_port(), free_port()
    argv = [sys.executable if word == "{python}" else word for word in slot.spec.command]
    process = start(home, name, argv, env=slot_env(state, slot.name, slot.spec, port, admin_port), cwd=ROOT)
    return Replica(process, port, admin_port)


def _let_go(home: Path, state: State, staying: Slot, leaving: Sequence[Replica]) -> None:
    """End replicas while the others go on; the slot stays written down as it was until they have ended.

    Envoy stops choosing whatever else it knows of this slot; `_start` ends those.
    """
    gone = [*envoy.read_endpoints(home, staying.name), *(replica.endpoint for replica in leaving)]
    ports = {endpoint.port for endpoint in gone} - {endpoint.port for endpoint in staying.endpoints}
    draining = [Endpoint(each.port, each.admin_port, draining=True) for each in gone if each.port in ports]
    envoy.write_endpoints(home, staying.name, [*staying.endpoints, *draining])
    deadline = time.monotonic() + DRAIN_S
    while any(host.healthy or host.in_flight for host in envoy.hosts(state, staying.name) if host.port in ports):
        if time.monotonic() > deadline:
            break  # SIGTERM gives what is left some more time
        time.sleep(_POLL_S)
    envoy.write_endpoints(home, staying.name, staying.endpoints)
    _end(home, staying.name, [replica.process for replica in leaving], STOP_GRACE_S)


def stop_slot(home: Path, name: str, grace_s: float = STOP_GRACE_S) -> None:
    """Take a slot away from Envoy, then end its processes (SIGTERM, `grace_s`, SIGKILL) and forget it.

    Raises LocalError when something of it survived; the slot stays written down, so that the next try finds it.
    """
    slot = known_slot(home, name)  # what is not known is found by its name
    envoy.write_endpoints(home, name, [])
    _end(home, name, [replica.process for replica in slot.replicas] if slot else [], grace_s, whole=True)
    _path(home, name).unlink(missing_ok=True)


def _end(home: Path, slot: str, recorded: Sequence[Process], grace_s: float, *, whole: bool = False) -> None:
    """End these processes; as a whole, also what runs in the slot's name without being written down."""
    names = {process.name for process in recorded}
    if whole:
        names |= {name for name in marked_names(home) if slot_of(name) == slot}
    stop_all(home, names, recorded, grace_s)
    if left := marked(home, *names) if names else []:
        pids = ", ".join(str(process.pid) for process in left)
        logs = ", ".join(str(home / "log" / f"{name}.log") for name in sorted(names))
        raise LocalError(
            f"slot {slot}: still running after SIGKILL: pid {pids}; its log, {logs}, may say why: end it, then do this "
            "again"
        )


def read_slot(home: Path, name: str) -> Slot | None:
    """The slot as it was last started (its process may have ended since: see `alive`), or None.

    Raises SlotUnknownError when its file cannot be read.
    """
    path = _path(home, name)
    try:
        return msgspec.json.decode(path.read_bytes(), type=Slot)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as exc:
        raise SlotUnknownError(
            f"{path} is not a slot's file ({exc}); what runs of {name} goes on. Where {name} has users, `primetrade "
            "release rollback` brings them to the other slot; the next deploy to it writes the file anew"
        ) from exc


def written_down(home: Path) -> list[str]:
    """The slots that have a file, whatever it says."""
    return [name for name in SLOTS if _path(home, name).exists()]


def known_slot(home: Path, name: str) -> Slot | None:
    """The same; None also where its file cannot be read, so that nobody knows what runs there."""
    with suppress(SlotUnknownError):
        return read_slot(home, name)
    return None


def probe(replica: Replica | Endpoint, path: str, timeout_s: float) -> tuple[int, bytes]:
    """Status and body of a GET on a replica's admin port. Raises ProbeError when there is no answer."""
    return exchange(replica.admin_port, path, timeout_s)


def drain(state: State, slot: Slot, on: bool) -> None:
    """Ask a slot to close its connections after each answer and to call itself unready, or to stop doing so.

    Raises ProbeError when a replica does not answer or refuses; the others have heard it.
    """
    _command(state, slot, "/admin/drain", {"draining": on})


def faults(state: State, slot: Slot, **switches: float | bool) -> None:
    """Set fault switches (error_share, latency_ms, unready, hang). Raises ProbeError when a replica refuses."""
    _command(state, slot, "/admin/faults", switches)


def process_name(name: str, number: int = 1) -> str:
    """The name of a replica's process, and of its log: slot-blue, slot-blue-2, ..."""
    return f"slot-{name}" if number == 1 else f"slot-{name}-{number}"


def slot_of(process: str) -> str | None:
    """The slot that a process of this name belongs to."""
    found = re.fullmatch(rf"slot-({'|'.join(SLOTS)})(-\d+)?", process)
    return found[1] if found else None


def _command(state: State, slot: Slot, path: str, body: dict[str, float | bool]) -> None:
    """Tell all replicas at once: those that hang take their time together."""

    def told(replica: Replica) -> ProbeError | None:
        try:
            status, answer = exchange(replica.admin_port, path, _ADMIN_TIMEOUT_S, post=body, token=state.admin_token)
        except ProbeError as exc:
            return exc
        text = answer.decode(errors="replace")[:200]
        return ProbeError(f"{slot.name}: POST {path} was refused with {status}: {text}") if status >= 300 else None

    with ThreadPoolExecutor(len(slot.replicas) or 1) as pool:
        errors = [error for error in pool.map(told, slot.replicas) if error]
    if errors:
        raise UnheardError(str(errors[0])) if len(errors) == len(slot.replicas) else errors[0]


def _path(home: Path, name: str) -> Path:
    return home / "slots" / f"{name}.json"
