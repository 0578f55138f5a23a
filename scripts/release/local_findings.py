"""What is wrong with a local system that only its processes and files show, and the command that mends it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

from scripts.local import envoy, slots
from scripts.local.envoy_config import Routes
from scripts.local.errors import LocalError, ProbeError, SlotUnknownError
from scripts.local.kept import SETTLE_S
from scripts.local.processes import MARK, alive, marked
from scripts.local.state import State
from scripts.release import local_slots
from scripts.release.file import Probes
from scripts.release.journal import Holder
from scripts.release.local_route import route_of
from scripts.release.local_shown import shown
from scripts.release.route import SLOTS
from scripts.release.slots import Finding

UP = "primetrade local up"
BACK = "primetrade release rollback"
_POLL_S = 0.05


def findings(home: Path, state: State, probes: Probes, holder: Holder | None) -> list[Finding]:
    """Everything that is found; nothing is changed."""
    return [
        *_holder(holder),
        *_strays(home, state),
        *(finding for name in SLOTS for finding in _slot(home, state, probes, name)),
        *_route(home, state),
    ]


def _holder(holder: Holder | None) -> Iterator[Finding]:
    with suppress(psutil.NoSuchProcess):
        if holder and psutil.Process(holder.pid).status() in (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP):
            yield Finding(
                f"process {holder.pid} of {holder.actor} holds the release lock ({holder.verb}, run {holder.run}) and "
                f"is stopped; `kill -CONT {holder.pid}` lets it go on",
                "primetrade release unlock --force --reason WHY",
            )


def _strays(home: Path, state: State) -> Iterator[Finding]:
    """Processes that carry this home's mark and are written down nowhere."""
    known, unknown = {process.pid for process in state.processes.values()}, []
    for name in SLOTS:
        try:
            found = slots.read_slot(home, name)
        except SlotUnknownError:  # said by `_slot`
            unknown.append(name)
        else:
            known |= {replica.process.pid for replica in found.replicas} if found else set()
    running = marked(home)
    ours = known | {process.pid for process in running}
    for process in running:
        with suppress(psutil.Error):
            name = process.environ().get(MARK, "").partition("@")[0]
            slot = slots.slot_of(name) or ""
            if process.pid in known or process.ppid() in ours or slot in unknown:
                continue
            what = f"process {process.pid} runs as {name} and is written down nowhere"
            if _has_users(home, state, slot):
                yield Finding(f"{what}; {slot} has users, whom it may answer", BACK)
            else:
                yield Finding(what, f"kill {process.pid}")


def _has_users(home: Path, state: State, slot: str) -> bool:
    with suppress(LocalError):  # said by `_route`
        return bool(slot) and shown(home, state).target.has_users(slot)
    return bool(slot)


def _slot(home: Path, state: State, probes: Probes, name: str) -> Iterator[Finding]:
    try:
        found = slots.read_slot(home, name)
    except SlotUnknownError as exc:
        yield Finding(str(exc), BACK if _has_users(home, state, name) else "primetrade release deploy VERSION")
        return
    if found is None:
        return
    for replica in found.replicas:
        process = replica.process
        if not alive(process):
            yield Finding(f"{process.name} is written down and does not run; its log: {process.log}", UP)
        elif local_slots.ready(replica, probes) and not _healthy(state, name, replica.port):
            yield Finding(f"{process.name} is ready, and Envoy does not take it for healthy", UP)


def _healthy(state: State, name: str, port: int) -> bool:
    deadline = time.monotonic() + SETTLE_S
    with suppress(ProbeError):  # said by `_route`
        while port not in envoy.healthy(state, name):
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL_S)
    return True


def _route(home: Path, state: State) -> Iterator[Finding]:
    """What the file asks for and what Envoy serves."""
    asked, what = None, ""
    try:
        asked = envoy.read_routes(home)
    except LocalError as exc:
        what = f"{exc}; Envoy goes on with the last route that it could read"
    deadline = time.monotonic() + SETTLE_S
    try:
        while (served := envoy.applied(state)) != asked and time.monotonic() < deadline:
            time.sleep(_POLL_S)
            asked = asked and envoy.read_routes(home)
    except ProbeError as exc:
        process = state.processes.get(envoy.NAME)
        hangs = process is not None and alive(process)
        yield Finding(
            f"Envoy {'runs and does not answer' if hangs else 'does not run'}: {exc}",
            f"kill -9 {process.pid}; {UP}" if process and hangs else UP,
        )
    except LocalError as exc:
        what = what or str(exc)
    else:
        if asked != served:
            what = what or (
                f"the route file asks for {_words(asked)}, and Envoy serves {_words(served)}; its log, "
                f"{home / 'log' / envoy.NAME}.log, may say why"
            )
    if what:
        yield Finding(what, UP)


def _words(routes: Routes | None) -> str:
    return f"{route_of(routes).target} (version {routes.version})" if routes else "nothing"
