"""The two slots: any HTTP program that takes PORT and ADMIN_PORT from its environment."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import msgspec

from scripts.local import envoy
from scripts.local.cores import MACHINE
from scripts.local.errors import LocalError, ProbeError
from scripts.local.ports import free_port
from scripts.local.processes import Process, marked, start, stop
from scripts.local.state import ROOT, State, replace_file
from scripts.local.web import exchange

GUNICORN = ("{python}", "-m", "gunicorn", "-c", "app/gunicorn_conf.py", "app.wsgi:app")
STOP_GRACE_S = 25.0  # longer than gunicorn's graceful timeout of 20 s
_ADMIN_TIMEOUT_S = 5.0


class SlotSpec(msgspec.Struct, frozen=True):
    """What to run in a slot; `{python}` in the command stands for this interpreter."""

    version: str
    command: tuple[str, ...] = GUNICORN
    env: dict[str, str] = {}


class Slot(msgspec.Struct, frozen=True):
    """A slot as it was started: HOME/slots/NAME.json."""

    name: str
    spec: SlotSpec
    process: Process
    port: int
    admin_port: int
    digest: str  # sha-256 of the spec: equal digests are equal releases


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
        **spec.env,
        "SLOT": name,
        "PORT": str(port),
        "ADMIN_PORT": str(admin_port),
    }


def start_slot(home: Path, state: State, name: str, spec: SlotSpec) -> Slot:
    """Start a slot on fresh ports and tell Envoy where it is; does not wait for it to be ready.

    What ran under this name, written down or not, is ended first. Raises StartError when the command cannot be run.
    """
    stop_slot(home, name, STOP_GRACE_S)
    port, admin_port = free_port(), free_port()
    argv = [sys.executable if word == "{python}" else word for word in spec.command]
    process = start(home, process_name(name), argv, env=slot_env(state, name, spec, port, admin_port), cwd=ROOT)
    slot = Slot(name, spec, process, port, admin_port, digest(spec))
    envoy.write_endpoints(home, name, (port, admin_port))
    # Last: a slot that is written down is known to the edge, wherever this was interrupted.
    replace_file(_path(home, name), msgspec.json.format(msgspec.json.encode(slot)))
    return slot


def stop_slot(home: Path, name: str, grace_s: float = STOP_GRACE_S) -> None:
    """Take a slot away from Envoy, then end its processes (SIGTERM, `grace_s`, SIGKILL) and forget it.

    Raises LocalError when something of it survived; the slot stays written down, so that the next try finds it.
    """
    slot = read_slot(home, name)
    envoy.write_endpoints(home, name, None)
    stop(home, process_name(name), slot.process if slot else None, grace_s)
    if left := [str(process.pid) for process in marked(home, process_name(name))]:
        raise LocalError(
            f"slot {name}: still running after SIGKILL: pid {', '.join(left)}; its log, "
            f"{home / 'log' / process_name(name)}.log, may say why: end it, then do this again"
        )
    _path(home, name).unlink(missing_ok=True)


def read_slot(home: Path, name: str) -> Slot | None:
    """The slot as it was last started (its process may have ended since: see `alive`), or None."""
    path = _path(home, name)
    try:
        return msgspec.json.decode(path.read_bytes(), type=Slot)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as exc:
        raise LocalError(f"{path}: {exc}; run `primetrade local down`, delete the file, then `up`") from exc


def probe(slot: Slot, path: str, timeout_s: float) -> tuple[int, bytes]:
    """Status and body of a GET on the slot's admin port. Raises ProbeError when there is no answer."""
    return exchange(slot.admin_port, path, timeout_s)


def drain(state: State, slot: Slot, on: bool) -> None:
    """Ask a slot to close its connections after each answer and to call itself unready, or to stop doing so.

    Raises ProbeError when it does not answer or refuses.
    """
    _command(state, slot, "/admin/drain", {"draining": on})


def faults(state: State, slot: Slot, **switches: float | bool) -> None:
    """Set fault switches (error_share, latency_ms, unready, hang). Raises ProbeError when the slot refuses."""
    _command(state, slot, "/admin/faults", switches)


def process_name(name: str) -> str:
    """The name of a slot's process, and of its log."""
    return f"slot-{name}"


def _command(state: State, slot: Slot, path: str, body: dict[str, float | bool]) -> None:
    status, answer = exchange(slot.admin_port, path, _ADMIN_TIMEOUT_S, post=body, token=state.admin_token)
    if status >= 300:
        text = answer.decode(errors="replace")[:200]
        raise ProbeError(f"{slot.name}: POST {path} was refused with {status}: {text}")


def _path(home: Path, name: str) -> Path:
    return home / "slots" / f"{name}.json"
