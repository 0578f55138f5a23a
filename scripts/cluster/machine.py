"""What a node changes on the machine besides its processes, and how all of it is taken back."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from scripts.cluster import rules
from scripts.cluster.addresses import BRIDGE, EVERY_RANGE, NODE_IP
from scripts.cluster.errors import ClusterError
from scripts.cluster.node import NETWORK
from scripts.cluster.packages import find, program

_TIMEOUT_S = 20.0
_CGROUPS_S = 5.0
# What the kubelet, kube-proxy and the bridge plugin set.
SYSCTLS = (
    "kernel/panic",
    "kernel/panic_on_oops",
    "net/ipv4/conf/all/route_localnet",
    "net/ipv4/ip_forward",
    "net/ipv6/conf/all/forwarding",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
)
_SYS = Path("/proc/sys")
_CGROUPS = Path("/sys/fs/cgroup")
_POD_LOGS = Path("/var/log/containers")
_CNI_RESULTS = Path("/var/lib/cni/results")


def prepare() -> None:
    """Give the machine the node's address, and keep the cluster's addresses on it. Raises ClusterError.

    A Service's address for which kube-proxy has no rule at the moment must not leave by the default route: a proxy out
    there answered such requests with 404.
    """
    _run("ip", "address", "replace", f"{NODE_IP}/32", "dev", "lo")
    _run("ip", "route", "replace", EVERY_RANGE, "dev", "lo", "src", NODE_IP)


def sysctls() -> dict[str, str]:
    """The settings that parts of the node change, as they are now."""
    return {name: (_SYS / name).read_text().strip() for name in SYSCTLS if (_SYS / name).exists()}


def restore(home: Path, sysctls_before: dict[str, str]) -> None:
    """Take back everything the node did to the machine, its processes being gone. Raises ClusterError."""
    unmount(home)
    _remove_interfaces()
    for tables in ("iptables", "ip6tables"):
        _remove_rules(tables)
    _remove_cgroups()
    _remove_files(home)
    for name, value in sysctls_before.items():
        with suppress(OSError):  # some cannot be set in a container: then no part has set them either
            if (_SYS / name).read_text().strip() != value:
                (_SYS / name).write_text(value)


def traces(home: Path) -> list[str]:
    """What of the node is on the machine, besides processes: an empty list after `restore`."""
    found = [f"mount {point}" for point in mounts(home)]
    found += [f"interface {name}" for name in _interfaces()]
    if _has_address():
        found.append(f"address {NODE_IP} on lo")
    if _has_route():
        found.append(f"route {EVERY_RANGE}")
    for tables in ("iptables", "ip6tables"):
        found += [f"{tables} chain {chain}" for chain in rules.own(_save(tables))]
    return found + [f"cgroup {folder}" for folder in _cgroups()]


def shim_sockets(home: Path) -> list[Path]:
    """The sockets of the pods' shims: containerd puts them outside its state folder, and notes there where."""
    notes = (home / "run" / "containerd").glob("io.containerd.runtime.v2.task/*/*/address")
    return [Path(note.read_text().strip().removeprefix("unix://")) for note in notes]


def remove_dead_sockets(home: Path) -> None:
    """Those whose shim was killed. A containerd that starts drops its notes of them, and nobody would know them."""
    for path in shim_sockets(home):
        with socket.socket(socket.AF_UNIX) as client:
            try:
                client.connect(str(path))
            except ConnectionRefusedError:
                path.unlink()
            except FileNotFoundError:
                continue


def mounts(home: Path) -> list[str]:
    """Every mount point under the home, the deepest first."""
    points = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    plain = [point.encode().decode("unicode_escape") for point in points]
    return sorted((point for point in plain if Path(point).is_relative_to(home)), key=len, reverse=True)


def unmount(home: Path) -> None:
    """Unmount everything under the home. Raises ClusterError with what is still mounted."""
    for point in mounts(home):
        with suppress(ClusterError):  # judged below, by what is left
            _run("umount", "--lazy", point)
    if left := mounts(home):
        raise ClusterError(f"still mounted: {', '.join(left)}; run `primetrade cluster down` again")


def _remove_rules(tables: str) -> None:
    saved = _save(tables)
    if rules.own(saved):
        _run(f"{tables}-restore", "--noflush", given=rules.deletions(saved))


def _save(tables: str) -> str:
    # ip6tables does not work where the kernel has no IPv6; then there are no rules either.
    if not find(f"{tables}-save"):
        return ""
    with suppress(ClusterError):
        return _run(f"{tables}-save")
    return ""


def _interfaces() -> list[str]:
    """The pods' bridge, and what is plugged into it."""
    ports = Path(f"/sys/class/net/{BRIDGE}/brif")
    plugged = sorted(port.name for port in ports.iterdir()) if ports.exists() else []
    return [*plugged, BRIDGE] if ports.exists() else []


def _has_address() -> bool:
    return f" {NODE_IP}/32 " in _run("ip", "-oneline", "address", "show", "dev", "lo")


def _has_route() -> bool:
    return bool(_run("ip", "route", "show", EVERY_RANGE).strip())


def _remove_interfaces() -> None:
    for name in _interfaces():
        with suppress(ClusterError):  # a pod's end may go with its namespace, meanwhile
            _run("ip", "link", "delete", name)
    if _has_route():
        _run("ip", "route", "delete", EVERY_RANGE)
    if _has_address():
        _run("ip", "address", "delete", f"{NODE_IP}/32", "dev", "lo")


def _cgroups() -> list[Path]:
    """The kubelet's groups, the deepest first; one in each hierarchy."""
    tops = [_CGROUPS / "kubepods", *_CGROUPS.glob("*/kubepods")]
    return [folder for top in tops if top.exists() for folder in _folders(top)]


def _folders(top: Path) -> Iterable[Path]:
    every = [top, *(path for path in top.rglob("*") if path.is_dir())]
    return sorted(every, key=lambda path: len(path.parts), reverse=True)


def _remove_cgroups() -> None:
    """A process that is ending still counts for a moment."""
    deadline = time.monotonic() + _CGROUPS_S
    while (left := _cgroups()) and time.monotonic() < deadline:
        for folder in left:
            with suppress(OSError):  # tried again, and told by `traces`
                folder.rmdir()


def _remove_files(home: Path) -> None:
    """What parts write outside the home, and the addresses that dead pods hold inside it."""
    for folder in (home / "cni" / "networks", home / "run"):
        shutil.rmtree(folder, ignore_errors=True)
    for link in _POD_LOGS.glob("*.log"):
        with suppress(OSError):
            if link.readlink().is_relative_to(home):
                link.unlink()
    for file in _CNI_RESULTS.glob(f"{NETWORK}-*"):
        file.unlink(missing_ok=True)


def _run(name: str, *words: str, given: str = "") -> str:
    argv = [program(name), *words]
    try:
        done = subprocess.run(argv, input=given, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired as exc:
        raise ClusterError(f"{name} {' '.join(words)}: not done in {_TIMEOUT_S:.0f} s") from exc
    if done.returncode:
        raise ClusterError(f"{name} {' '.join(words)} ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout
