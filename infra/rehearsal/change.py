"""A change to rehearse: one value of what a program reads is another."""

from __future__ import annotations

import ipaddress
from typing import Final, TypeVar

import msgspec
import yaml

from infra.config.network import PRIVATE
from infra.config.platform import Platform
from infra.errors import ConfigError
from infra.plan.graph import Json

MOVED: Final = "network.cidr"  # changed if nothing else is named: all that is in the VPC has to be made anew
T = TypeVar("T")


class Setting(msgspec.Struct, frozen=True):
    """What a program reads, but for its secrets."""

    config: dict[str, Json]  # of the stack file, by key
    references: dict[str, dict[str, Json]] = {}  # the exports of other stacks, by their full names


class Change(msgspec.Struct, frozen=True):
    """`KEY=VALUE`, and the setting after it."""

    words: str
    setting: Setting


def changed(found: T, words: str) -> T:
    """A structure or map after a change in words, such as `database.instance=db.r7g.large`. Raises ConfigError."""
    path, equals, text = words.partition("=")
    whole = msgspec.to_builtins(found)
    *sections, key = path.split(".")
    section = whole
    for name in sections:
        section = section.get(name) if isinstance(section, dict) else None
    if not equals or not isinstance(section, dict) or key not in section:
        raise ConfigError(f"--change {words}: give KEY=VALUE with a key that there is: {', '.join(section or whole)}")
    section[key] = yaml.safe_load(text)
    try:
        return msgspec.convert(whole, type(found))
    except msgspec.ValidationError as exc:
        raise ConfigError(f"--change {words}: {exc}") from exc


def moved(platform: Platform) -> str:
    """The change that replaces most: the block of addresses beside the stack's own."""
    block = ipaddress.IPv4Network(platform.network.cidr)
    home = next(each for each in PRIVATE if block.subnet_of(each))
    step = block.num_addresses if int(block.broadcast_address) < int(home.broadcast_address) else -block.num_addresses
    return f"{MOVED}={ipaddress.IPv4Network((int(block.network_address) + step, block.prefixlen))}"
