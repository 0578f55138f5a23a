"""What runs under a home, for people and machines."""

from __future__ import annotations

from pathlib import Path

import msgspec

from scripts.local import envoy, postgres, valkey
from scripts.local.envoy_config import SLOTS, Routes
from scripts.local.errors import LocalError, NotUpError, SlotUnknownError
from scripts.local.processes import alive
from scripts.local.slots import Replica, read_slot
from scripts.local.state import read_state


class Part(msgspec.Struct, frozen=True):
    """One server or slot."""

    name: str
    running: bool
    detail: str  # address, version, or who provides it
    pid: int | None = None
    log: str | None = None


class Status(msgspec.Struct, frozen=True):
    """The local system as it is now."""

    home: str
    running: bool  # everything that should run does
    edge_url: str | None
    routes: Routes | None  # as Envoy serves them
    parts: tuple[Part, ...]


def status(home: Path) -> Status:
    """Look; change nothing. Raises LocalError when the state cannot be read."""
    try:
        state = read_state(home)
    except NotUpError:
        return Status(str(home), running=False, edge_url=None, routes=None, parts=())
    where = {
        postgres.NAME: f"port {state.postgres_port}",
        valkey.NAME: f"port {state.valkey_port}",
        envoy.NAME: f"port {state.edge_port}, admin {state.envoy_admin_port}",
    }
    parts = []
    for name, detail in where.items():
        process = state.processes.get(name)
        if not state.embeds(name):
            parts.append(Part(name, running=True, detail="provided by the environment"))
        elif process and alive(process):
            parts.append(Part(name, True, detail, process.pid, process.log))
        else:
            parts.append(Part(name, running=False, detail=detail, log=process.log if process else None))
    for name in SLOTS:
        try:
            slot = read_slot(home, name)
        except SlotUnknownError as exc:
            parts.append(Part(f"slot-{name}", running=False, detail=str(exc)))
            continue
        if slot:
            parts += [_part(slot.spec.version, replica) for replica in slot.replicas]
    try:
        routes = envoy.applied(state)
    except LocalError:
        routes = None
    running = bool(parts) and all(part.running for part in parts)
    return Status(str(home), running, state.edge_url, routes, tuple(parts))


def _part(version: str, replica: Replica) -> Part:
    process, runs = replica.process, alive(replica.process)
    detail = f"{version}, port {replica.port}, admin {replica.admin_port}"
    return Part(process.name, runs, detail, process.pid if runs else None, process.log)
