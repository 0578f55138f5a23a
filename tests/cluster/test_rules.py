"""Which rules of the machine's firewall `down` deletes, over what was recorded with the real plugins.

Two pods of this cluster's network, one with a port of the machine, and a pod of podman's with such a port.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scripts.cluster import rules

SAVED = (Path(__file__).parent / "recorded/iptables-save.txt").read_text()
OURS = [
    "CNI-28a50d4a7d1624c4bf45f28c",
    "CNI-75de9163117da79558bf7ba4",
    "CNI-DN-75de9163117da79558bf7",
    "KUBE-SERVICES",
]
SHARED = ["CNI-HOSTPORT-DNAT", "CNI-HOSTPORT-MASQ", "CNI-HOSTPORT-SETMARK"]

MACHINE = """\
*nat
:POSTROUTING ACCEPT [0:0]
:CNI-5f3a - [0:0]
:KUBE-SERVICES - [0:0]
:DOCKER - [0:0]
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A POSTROUTING -s 198.18.0.2/32 -m comment --comment "name: \\"primetrade\\"" -j CNI-5f3a
-A POSTROUTING -s 172.17.0.0/16 -j MASQUERADE
-A KUBE-SERVICES -d 198.19.0.1/32 -j KUBE-MARK-MASQ
COMMIT
*filter
:FORWARD ACCEPT [0:0]
-A FORWARD -j DOCKER
COMMIT
"""


def without(network: str) -> str:
    """What would have been recorded without a network's pods."""
    named = [line for line in SAVED.splitlines() if f'name: \\"{network}\\"' in line]
    chains = {chain for line in named for chain in re.findall(r"CNI-(?:DN-)?[0-9a-f]{21,}", line)}
    return "\n".join(line for line in SAVED.splitlines() if not any(chain in line for chain in chains)) + "\n"


def test_another_tools_chains_stay_and_what_it_shares_too() -> None:
    """By the name of the network in the rules' comments; a chain's own name tells nothing."""
    assert [f"nat/{chain}" for chain in OURS] == rules.own(SAVED)
    told = rules.deletions(SAVED).split("\n")
    assert [
        "*nat",
        *(f":{chain} - [0:0]" for chain in OURS),
        '-D PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES',
        '-D POSTROUTING -s 198.18.0.2/32 -m comment --comment "name: \\"primetrade\\" id: \\"5d2f\\"" -j ' + OURS[1],
        '-D POSTROUTING -s 198.18.0.3/32 -m comment --comment "name: \\"primetrade\\" id: \\"77aa\\"" -j ' + OURS[0],
        '-D CNI-HOSTPORT-DNAT -p tcp -m comment --comment "dnat name: \\"primetrade\\" id: \\"5d2f\\"" '
        "-m multiport --dports 8081 -j " + OURS[2],
        *(f"-X {chain}" for chain in OURS),
        "COMMIT",
        "",
    ] == told


def test_what_networks_share_goes_with_the_last_one() -> None:
    """With the rules that lead there."""
    alone = without("podman")
    assert [f"nat/{chain}" for chain in sorted([*OURS, *SHARED])] == rules.own(alone)
    told = rules.deletions(alone)
    assert "-D PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT\n" in told
    assert "-D OUTPUT -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT\n" in told


def test_of_another_network_alone_nothing_is_ours() -> None:
    """Kubernetes' own chains are always: a machine has one node."""
    assert ["nat/KUBE-SERVICES"] == rules.own(without("primetrade"))


@pytest.mark.parametrize("name", ["primetrade-2", "my primetrade"])
def test_a_network_with_a_name_like_ours_is_another_one(name: str) -> None:
    """The whole name counts."""
    other = SAVED.replace('name: \\"primetrade\\"', f'name: \\"{name}\\"')
    assert ["nat/KUBE-SERVICES"] == rules.own(other)


def test_only_the_nodes_rules_are_deleted() -> None:
    """Chains of Kubernetes and CNI, and what jumps to them; the machine's own rules are not named."""
    told = rules.deletions(MACHINE)
    assert "DOCKER" not in told
    assert "MASQUERADE" not in told
    assert [
        "*nat",
        ":CNI-5f3a - [0:0]",
        ":KUBE-SERVICES - [0:0]",
        '-D PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES',
        '-D POSTROUTING -s 198.18.0.2/32 -m comment --comment "name: \\"primetrade\\"" -j CNI-5f3a',
        "-X CNI-5f3a",
        "-X KUBE-SERVICES",
        "COMMIT",
        "*filter",
        "COMMIT",
        "",
    ] == told.split("\n")
