"""What runs of the cluster, for people and machines."""

from __future__ import annotations

from pathlib import Path

import msgspec

from scripts.cluster.addresses import API_URL
from scripts.cluster.errors import NotUpError
from scripts.cluster.parts import NAMES, answers
from scripts.cluster.probe import node_unready, object_at
from scripts.cluster.state import kubeconfig, read_state
from scripts.local.processes import alive

# What a cluster of one node on one machine cannot show.
LIMITS = (
    "one node: no pod is ever rescheduled to another one, and topology spread has one place",
    "NetworkPolicy is accepted and NOT enforced: every pod reaches every other",
    "no load balancers and no dynamic volumes: a Service of type LoadBalancer waits for ever, as does a claim",
    "etcd does not wait for the disk: a power cut may lose the last writes (a killed process loses none)",
)


class Part(msgspec.Struct, frozen=True):
    """One process of the node."""

    name: str
    running: bool
    ready: bool
    detail: str  # what it lacks; empty when it is ready
    pid: int | None = None
    log: str | None = None


class Status(msgspec.Struct, frozen=True):
    """The cluster as it is now."""

    home: str
    running: bool  # every part is ready, and the node is Ready
    kubeconfig: str
    api: str
    version: str  # of Kubernetes; empty without an answer
    node: str  # "Ready", or why not
    parts: tuple[Part, ...]
    limits: tuple[str, ...] = LIMITS


def status(home: Path) -> Status:
    """Look; change nothing. Raises ClusterError when the state cannot be read."""
    home = home.resolve()
    try:
        processes = read_state(home).processes
    except NotUpError:
        processes = {}
    parts = []
    for name in NAMES:
        process = processes.get(name)
        if process and alive(process):
            lacks = answers(home, name)
            parts.append(Part(name, True, not lacks, lacks or "", process.pid, process.log))
        else:
            log = process.log if process else None
            parts.append(Part(name, running=False, ready=False, detail="does not run", log=log))
    node = node_unready(home)
    return Status(
        home=str(home),
        running=not node and all(part.ready for part in parts),
        kubeconfig=str(kubeconfig(home)),
        api=API_URL,
        version=(object_at(home, "/version") or {}).get("gitVersion", ""),
        node=node or "Ready",
        parts=tuple(parts),
    )
