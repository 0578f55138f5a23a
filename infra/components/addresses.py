"""Which addresses each subnet has, as arithmetic.

The block of the VPC is cut into quarters: one per zone for workloads, since every pod has an address of its own, and
the last cut into eighths, four for public and four for isolated subnets. So a third zone, appended later, moves none of
the others, and a fourth of the public and isolated addresses stays free.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Final, Literal

import msgspec

Tier = Literal["public", "private", "isolated"]
TIERS: Final[tuple[Tier, ...]] = ("public", "private", "isolated")


class Subnet(msgspec.Struct, frozen=True):
    """One subnet: its tier, its zone ("az1") and its block."""

    tier: Tier
    zone: str
    cidr: str


def subnets(cidr: str, zones: Sequence[str]) -> list[Subnet]:
    """The subnets of a VPC over two or three zones: tier by tier, zone by zone."""
    quarters = list(ipaddress.IPv4Network(cidr).subnets(prefixlen_diff=2))
    eighths = list(quarters[3].subnets(prefixlen_diff=3))
    blocks: dict[Tier, list[ipaddress.IPv4Network]] = {
        "public": eighths[:4],
        "private": quarters[:3],
        "isolated": eighths[4:],
    }
    return [Subnet(tier, zone, str(blocks[tier][at])) for tier in TIERS for at, zone in enumerate(zones)]


def nat_zones(nat: str, zones: Sequence[str]) -> list[str]:
    """The zones that get a NAT gateway of their own; a regional one is in none."""
    return {"per-zone": list(zones), "single": list(zones[:1])}.get(nat, [])
