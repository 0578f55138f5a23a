"""The whole cluster: up, down. `up` mends what is missing, so it is also what to run after any crash."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from pathlib import Path

import msgspec
import psutil

from scripts.cluster import addons, images, kubeconfigs, machine, packages, pki
from scripts.cluster.addons.images import archives
from scripts.cluster.ending import children, finish, is_shim
from scripts.cluster.errors import ClusterError, NotUpError
from scripts.cluster.node import containerd_socket
from scripts.cluster.parts import (
    API_SERVER,
    CONTAINERD,
    CONTROLLER_MANAGER,
    ETCD,
    KUBE_PROXY,
    KUBELET,
    NAMES,
    SCHEDULER,
    Part,
    parts,
)
from scripts.cluster.probe import node_unready
from scripts.cluster.state import State, kubeconfig, read_state, write_state
from scripts.cluster.status import status
from scripts.local.processes import MARK, Report, alive, marked, start, wait_ready
from scripts.local.state import lock

__all__ = ["down", "status", "up"]

_READY_S = 60.0
_STOP_S = 5.0
_PODS_S = 5.0
_SOCKET_PATH = 107
_NODE = (KUBELET, KUBE_PROXY, CONTROLLER_MANAGER, SCHEDULER)


def up(home: Path, say: Report) -> State:
    """Start what does not run, and wait until the node is Ready and the add-ons work; each phase is timed.

    Raises MissingError, ClusterError, LocalError or ToolError; what was started stays up, and the next `up` goes on.
    """
    home = home.resolve()
    _refuse_long(home)
    packages.check()
    with lock(home):
        begun = time.monotonic()
        refuse_another(home)
        with _phase("programs", say):
            pause = addons.pause(say)
            line_up = parts(home, pause.reference, say)
            wanted = archives(say)
        with _phase("certificates and addresses", say):
            pki.issue(home / "pki")
            kubeconfigs.write(home)
            state = _settle(home)
            machine.prepare()
            machine.remove_dead_sockets(home)
        with _phase("control plane", say):
            state = _ensure(home, state, [line_up[ETCD], line_up[CONTAINERD]], say)
            state = _ensure(home, state, [line_up[API_SERVER]], say)
        with _phase("images", say):
            for name in images.load_missing(home, [(each.reference, each.file) for each in wanted]):
                say(f"  {name}")
        with _phase("node", say):
            rest = [line_up[name] for name in _NODE]
            state = _ensure(home, state, rest, say)
            kubelet = state.processes[KUBELET]
            wait_ready(kubelet, partial(node_unready, home, kubelet.created), _READY_S, say)
        with _phase("add-ons", say):
            addons.install(home, kubeconfig(home), say)
        say(f"up in {time.monotonic() - begun:.0f} s: export KUBECONFIG={kubeconfig(home)}")
        return state


@contextmanager
def _phase(name: str, say: Report) -> Iterator[None]:
    started = time.monotonic()
    say(f"{name} ...")
    yield
    say(f"{name}: {time.monotonic() - started:.1f} s")


def _refuse_long(home: Path) -> None:
    """The kernel takes no socket whose path is longer."""
    longest = f"{containerd_socket(home)}.ttrpc"
    if len(longest) > _SOCKET_PATH:
        raise ClusterError(
            f"{home}: {len(longest) - _SOCKET_PATH} characters too long for the sockets in it: give a shorter --home"
        )


def refuse_another(home: Path) -> None:
    """One node for the machine: its address, its bridge and the kubelet's groups exist once. Raises ClusterError."""
    for process, whose in others(home):
        raise ClusterError(
            f"another node runs on this machine ({process.name()}, pid {process.pid}): end that one first"
            + (f" (`primetrade cluster down --home {whose}`)" if whose else "")
        )


def others(home: Path) -> Iterator[tuple[psutil.Process, str]]:
    """The parts of other nodes on this machine, each with its home ("" when this command has not made it)."""
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):  # one that has ended, or is another user's
            name, _, whose = process.environ().get(MARK, "").partition("@")
            ours = name in NAMES and bool(whose)
            if (ours and whose != str(home)) or (not ours and process.name() == KUBELET):
                yield process, whose if ours else ""


def _settle(home: Path) -> State:
    """What was kept; with no part running, also the machine's settings as they are before any part changes them."""
    try:
        state = read_state(home)
    except NotUpError:
        state = State()
    if not state.sysctls and not marked(home):
        state = State(sysctls=machine.sysctls())
        write_state(home, state)
    return state


def _ensure(home: Path, state: State, wanted: Sequence[Part], say: Report) -> State:
    """Start these parts unless they run with the same command line, together, then wait for all of them."""
    for part in wanted:
        recorded = state.processes.get(part.name)
        if recorded and alive(recorded):
            if psutil.Process(recorded.pid).cmdline()[1:] == list(part.argv[1:]):
                continue
            say(f"{part.name}: its settings have changed, starting it anew")
        _end(home, [part.name])
        process = start(home, part.name, part.argv, env={"PATH": packages.SEARCH})
        state = msgspec.structs.replace(state, processes={**state.processes, part.name: process})
        write_state(home, state)
        say(f"{part.name}: started (pid {process.pid})")
    for part in wanted:
        wait_ready(state.processes[part.name], part.unready, _READY_S, say)
    return state


def _end(home: Path, names: Sequence[str]) -> None:
    """End the processes of these parts, and leave the pods alone: their shims carry containerd's mark."""
    finish([process for process in marked(home, *names) if not is_shim(process)], _STOP_S)


def down(home: Path, say: Report) -> None:
    """End every process of the cluster and take back what it did to the machine; its data stays for the next `up`.

    The folder may be gone: processes are found by their marks. Raises MissingError, ClusterError with what is left, and
    LockedError.
    """
    home = home.resolve()
    packages.check()
    with lock(home) if home.exists() else nullcontext():
        state = _known(home)
        found = marked(home)
        say(f"stopping {len(found)} processes" if found else f"nothing runs under {home}")
        _end(home, _NODE)  # first of all: the kubelet would start the pods again
        _end_pods(home)
        _end(home, [CONTAINERD, API_SERVER])
        _end(home, NAMES)
        left = [f"process {process.pid}" for process in marked(home)]
        if any(others(home)):
            machine.unmount(home)
            say("another node runs on this machine: its address and rules stay")
        else:
            machine.restore(home, state.sysctls)
            left += machine.traces(home)
        if left:
            raise ClusterError(f"still there: {', '.join(left)}; run `primetrade cluster down` again")
        if home.exists():
            write_state(home, State())
        say("down: no process, mount, interface, address or rule of the cluster is left")


def _known(home: Path) -> State:
    """What was written down; a file that cannot be read is no reason not to stop the rest."""
    try:
        return read_state(home)
    except ClusterError:
        return State()


def _end_pods(home: Path) -> None:
    """End the containers, then the shims that look after them, and remove the shims' sockets."""
    shims = [process for process in marked(home, CONTAINERD) if is_shim(process)]
    containers = [child for shim in shims for child in children(shim)]
    finish([each for each in containers if each not in shims], _PODS_S)
    sockets = machine.shim_sockets(home)
    finish(shims, 0)
    for socket in sockets:
        socket.unlink(missing_ok=True)
