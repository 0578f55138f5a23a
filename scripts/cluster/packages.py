"""What the node needs of the machine: Debian's programs, and root."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from scripts.cluster.errors import MissingError

PACKAGES = Path(__file__).with_name("packages.txt")
CNI_BIN = Path("/usr/lib/cni")
# Where Debian puts daemons, in a user's PATH or not.
SEARCH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin", "/usr/bin"])
# Program → the Debian package that has it.
PROGRAMS = {
    "conntrack": "conntrack",
    "containerd": "containerd",
    "ctr": "containerd",
    "etcd": "etcd-server",
    "ip": "iproute2",
    "iptables": "iptables",
    "ip6tables": "iptables",
    "iptables-save": "iptables",
    "umount": "mount",
    "openssl": "openssl",
    "runc": "runc",
    **dict.fromkeys(("bridge", "host-local", "loopback", "portmap"), "containernetworking-plugins"),
}
_PLUGINS = frozenset(name for name, package in PROGRAMS.items() if package == "containernetworking-plugins")


def program(name: str) -> str:
    """The path of a Debian program. Raises MissingError."""
    if found := find(name):
        return found
    raise MissingError(message([name]))


def find(name: str) -> str | None:
    """The path of a program, or None."""
    return shutil.which(name, path=str(CNI_BIN) if name in _PLUGINS else SEARCH)


def missing(programs: Mapping[str, str] = PROGRAMS) -> list[str]:
    """The programs that are not installed."""
    return [name for name in programs if not find(name)]


def message(programs: Iterable[str]) -> str:
    """What to install, as one command."""
    programs = list(programs)
    packages = sorted({PROGRAMS[name] for name in programs})
    return (
        f"not installed: {', '.join(programs)}. Install {'it' if len(programs) == 1 else 'them'} with "
        f"`apt-get install --no-install-recommends {' '.join(packages)}` (Debian 12), then run this command again"
    )


def check() -> None:
    """Raise MissingError, with everything that is missing, when a node cannot run here."""
    if absent := missing():
        raise MissingError(message(absent))
    if os.geteuid() != 0:
        raise MissingError("a node mounts file systems and sets up interfaces: run this command as root")
