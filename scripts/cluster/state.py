"""What the cluster remembers between commands: HOME/cluster.json, beside it the kubeconfig and every part's files."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from scripts.cluster.errors import ClusterError, NotUpError
from scripts.local.processes import Process
from scripts.local.state import ROOT, replace_file

VERSION = 1


class State(msgspec.Struct, frozen=True):
    """The processes of one node, and what the machine's settings were before it."""

    version: int = VERSION
    processes: dict[str, Process] = {}
    sysctls: dict[str, str] = {}  # what a part of the node changes, as it was before the first `up`


def default_home() -> Path:
    """`PRIMETRADE_CLUSTER`, or `.local/cluster` under the repository."""
    return Path(os.environ.get("PRIMETRADE_CLUSTER") or ROOT / ".local" / "cluster").resolve()


def kubeconfig(home: Path) -> Path:
    """The administrator's kubeconfig, with its certificates inside."""
    return home / "kubeconfig"


def read_state(home: Path) -> State:
    """The state under a home. Raises NotUpError when there is none, ClusterError when it cannot be read."""
    file = home / "cluster.json"
    try:
        state = msgspec.json.decode(file.read_bytes(), type=State)
    except FileNotFoundError:
        raise NotUpError(f"no cluster under {home}: start one with `primetrade cluster up`") from None
    except (OSError, msgspec.DecodeError) as exc:
        raise ClusterError(f"{file}: {exc}; run `primetrade cluster down`, delete the file, then `up`") from exc
    if state.version != VERSION:
        raise ClusterError(f"{file}: version {state.version}, this command knows {VERSION}; `down`, then delete {home}")
    return state


def write_state(home: Path, state: State) -> None:
    """Replace the state file, whole or not at all."""
    replace_file(home / "cluster.json", msgspec.json.format(msgspec.json.encode(state)))
