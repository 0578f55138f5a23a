"""Which firewall rules are the node's, and how they are deleted; text as iptables-save prints it in, text out."""

from __future__ import annotations

import re
from collections.abc import Iterator

from scripts.cluster.node import NETWORK

_KUBERNETES = "KUBE-"  # the kubelet's and kube-proxy's, of which a machine has one each
_NETWORKS = "CNI-"  # of any network, another container tool's as well
_PORTS = "CNI-HOSTPORT-"  # shared by all networks with ports of the machine; each pod that is added makes them anew
_NAME = 'name: \\"'
_OURS = f'{_NAME}{NETWORK}\\"'


def own(saved: str) -> list[str]:
    """The node's chains, each behind its table."""
    return [f"{name}/{chain}" for name, table in _tables(saved) for chain in _own(table)]


def deletions(saved: str) -> str:
    """What `iptables-restore --noflush` must read to delete the node's chains and what leads to them."""
    lines: list[str] = []
    for name, table in _tables(saved):
        chains = _own(table)
        leading = [rule for rule in _rules(table) if _target(rule) in chains and _chain(rule) not in chains]
        lines += [f"*{name}", *(f":{chain} - [0:0]" for chain in chains)]  # empties them
        lines += [rule.replace("-A ", "-D ", 1) for rule in leading]
        lines += [*(f"-X {chain}" for chain in chains), "COMMIT"]
    return "\n".join([*lines, ""])


def _tables(saved: str) -> Iterator[tuple[str, list[str]]]:
    """Each table's name and lines."""
    for part in re.split(r"^\*", saved, flags=re.MULTILINE)[1:]:
        name, *lines = part.splitlines()
        yield name, lines


def _own(table: list[str]) -> list[str]:
    """Kubernetes' chains, those of our network's rules or that they lead to, shared ones where no other network is."""
    named = [rule for rule in _rules(table) if _NAME in rule]
    ours = {chain for rule in named if _OURS in rule for chain in (_chain(rule), _target(rule))}
    shared = any(_OURS not in rule and _chain(rule).startswith(_PORTS) for rule in named)

    def is_own(chain: str) -> bool:
        if chain.startswith(_PORTS):
            return not shared
        return chain.startswith(_KUBERNETES) or (chain.startswith(_NETWORKS) and chain in ours)

    return [chain for line in table if line.startswith(":") and is_own(chain := line[1:].split()[0])]


def _rules(table: list[str]) -> list[str]:
    return [line for line in table if line.startswith("-A ")]


def _chain(rule: str) -> str:
    return rule.split()[1]


def _target(rule: str) -> str:
    found = re.search(r" -[jg] (\S+)", rule)
    return found[1] if found else ""
