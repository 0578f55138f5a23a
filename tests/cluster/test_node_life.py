"""The real node's life: killed in parts and whole, brought back by `up`, and gone without a trace after `down`."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
import psutil
import pytest

from scripts.cluster import images, machine
from scripts.cluster.addons.images import archives
from scripts.cluster.addresses import BRIDGE, NODE_IP
from scripts.cluster.cluster import down, status, up
from scripts.cluster.ending import children, finish, is_shim
from scripts.cluster.errors import ClusterError
from scripts.cluster.parts import NAMES
from scripts.cluster.state import read_state, write_state
from scripts.local.processes import alive, marked
from tests.cluster.sandbox import Sandbox, eventually, sandbox

pytestmark = pytest.mark.cluster

CONTROL_PLANE = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")


@pytest.fixture
def home(cluster: Path) -> Path:
    return cluster.parent


@pytest.fixture
def place(cluster: Path) -> Iterator[Sandbox]:
    """A namespace in which the server `blue` runs."""
    with sandbox(cluster, "node") as made:
        made.apply(made.server("blue"), made.service("blue"))
        made.ready("blue")
        yield made


def pids(home: Path) -> dict[str, int]:
    """The recorded processes."""
    return {name: process.pid for name, process in read_state(home).processes.items()}


def kill(pids: Iterable[int]) -> None:
    """SIGKILL to all, and wait until they are gone."""
    found = [psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)]
    finish(found, 0)
    assert not [each for each in found if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]


def containers(place: Sandbox) -> set[tuple[str, str]]:
    """The containers of the sandbox, each by its pod and its id: a restarted one has another."""
    pods = place.list("pods")
    return {
        (pod["metadata"]["name"], each["containerID"]) for pod in pods for each in pod["status"]["containerStatuses"]
    }


def address_of(place: Sandbox) -> str:
    """The Service's."""
    return str(place.get("service", "blue")["spec"]["clusterIP"])


def answer(address: str) -> str:
    """What a Service says to a new connection from the node."""
    argv = ["curl", "--silent", "--max-time", "2", f"http://{address}/"]
    return subprocess.run(argv, capture_output=True, text=True, check=False).stdout


def test_up_twice_starts_nothing_anew(home: Path) -> None:
    """What runs is left alone."""
    up(home, print)
    before = pids(home)
    up(home, print)
    assert before == pids(home)
    assert set(NAMES) == set(before)


@pytest.mark.parametrize("name", NAMES)
def test_a_killed_part_is_noticed_and_brought_back(home: Path, place: Sandbox, name: str) -> None:
    """Status names it, `up` starts it and it alone, and the pods' containers stay."""
    there, before = containers(place), pids(home)
    kill([before[name]])
    found = status(home)
    assert not found.running
    assert [name] == [part.name for part in found.parts if not part.running]
    up(home, print)
    assert {name} == {each for each, pid in pids(home).items() if before[each] != pid}
    assert status(home).running
    assert "blue" == eventually(lambda: answer(address_of(place)))
    assert there == containers(place)


def test_the_whole_control_plane_restarts_under_running_pods(home: Path, place: Sandbox) -> None:
    """Their Service answers while there is none, and no container is another afterwards."""
    there, before, address = containers(place), pids(home), address_of(place)
    kill(before[name] for name in CONTROL_PLANE)
    assert "blue" == answer(address)
    up(home, print)
    place.ready("blue")
    assert there == containers(place)


def test_up_after_everything_died_at_once(home: Path, place: Sandbox) -> None:
    """As after a power cut: every process is gone, mounts and files are as they were, and the pods come back."""
    address = address_of(place)
    shims = [process for process in marked(home) if is_shim(process)]
    containers = [child.pid for shim in shims for child in children(shim)]
    kill([*(process.pid for process in marked(home)), *containers])
    up(home, print)
    place.ready("blue")
    assert "blue" == eventually(lambda: answer(address))


def test_what_a_killed_command_did_not_write_down_is_replaced(home: Path, place: Sandbox) -> None:
    """A containerd that nobody recorded is found by its mark; its pods stay."""
    there, state = containers(place), read_state(home)
    others = {name: process for name, process in state.processes.items() if name != "containerd"}
    write_state(home, msgspec.structs.replace(state, processes=others))
    up(home, print)
    assert not alive(state.processes["containerd"])
    place.ready("blue")
    assert there == containers(place)


def test_an_address_without_a_service_is_answered_by_nobody(home: Path) -> None:
    """It ends on this machine: beyond it, a stranger may answer."""
    argv = ["curl", "--silent", "--max-time", "2", "http://198.19.200.200/"]
    assert "" == subprocess.run(argv, capture_output=True, text=True, check=False).stdout


def test_an_image_is_on_the_node_once_it_was_loaded(home: Path, place: Sandbox) -> None:
    """Its names come back; loading it again is no error."""
    valkey = next(each for each in archives(print) if each.name == "valkey")
    assert [valkey.reference] == images.load(home, valkey.file)
    assert valkey.reference in images.present(home)


def test_a_pod_beyond_its_namespaces_profile_is_refused(place: Sandbox) -> None:
    """PodSecurity says which fields break it."""
    spec = place.deployment("bare", "envoy")["spec"]["template"]["spec"]
    del spec["securityContext"]
    with pytest.raises(ClusterError, match=r'violates PodSecurity "restricted.*runAsNonRoot'):
        place.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "bare"}, "spec": spec})


def test_etcd_refuses_the_administrator(home: Path) -> None:
    """Only the API server's certificate opens it."""
    pki = home / "pki"
    asked = [
        "curl",
        "--silent",
        "--max-time",
        "3",
        "--cacert",
        str(pki / "etcd-ca.crt"),
        f"https://{NODE_IP}:2379/health",
    ]
    as_admin = ["--cert", str(pki / "admin.crt"), "--key", str(pki / "admin.key")]
    as_api = ["--cert", str(pki / "etcd-client.crt"), "--key", str(pki / "etcd-client.key")]
    assert 0 != subprocess.run([*asked, *as_admin], capture_output=True, check=False).returncode
    assert b"true" in subprocess.run([*asked, *as_api], capture_output=True, check=True).stdout


def on_the_machine(home: Path) -> dict[str, list[str]]:
    """All that a node changes, found by the system's own means."""

    def lines(*argv: str) -> list[str]:
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()

    rules = [line for saved in ("iptables-save", "ip6tables-save") for line in lines(saved)]
    return {
        "processes": [str(process.pid) for process in marked(home)],
        "mounts": [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(home) in line],
        "interfaces": [line for line in lines("ip", "-brief", "link") if re.match(rf"veth|{BRIDGE}", line)],
        "routes": [line for line in lines("ip", "route") if line.startswith("198.1")],
        "addresses": [line for line in lines("ip", "-brief", "address") if "198.1" in line],
        "rules": [line for line in rules if re.search(r"KUBE-|CNI-", line)],
        "cgroups": [str(path) for path in Path("/sys/fs/cgroup").glob("**/kubepods*")],
        "sockets": [str(path) for path in Path("/run/containerd/s").glob("*")],
        "logs": [str(path) for path in Path("/var/log/containers").glob("*")],
    }


def test_down_leaves_nothing_and_up_brings_everything_back(home: Path, place: Sandbox) -> None:
    """No process, mount, interface, address, rule or group; the pods are there again afterwards."""
    before = on_the_machine(home)
    assert all(before.values()), before
    settings = machine.sysctls()
    original = read_state(home).sysctls
    down(home, print)
    assert {name: [] for name in before} == on_the_machine(home)
    assert original == machine.sysctls()
    assert [] == machine.traces(home)
    assert not status(home).running
    down(home, print)
    up(home, print)
    assert settings == machine.sysctls()
    assert "blue" == eventually(lambda: answer(address_of(place)))


@pytest.mark.parametrize("said", ["etcd: started", "add-ons ..."])
def test_up_goes_on_where_it_was_killed(home: Path, said: str) -> None:
    """Whatever it had started is taken over or replaced."""
    down(home, print)
    program = f"from pathlib import Path; from scripts.cluster.cluster import up; up(Path({str(home)!r}), print)"
    argv = [sys.executable, "-u", "-c", program]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as half:
        assert half.stdout is not None
        assert any(line.startswith(said) for line in half.stdout)
        half.kill()
    up(home, print)
    assert status(home).running
