"""The node as plain data: certificates, command lines, settings, what the machine lacks, what is taken back."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import tarfile
from io import BytesIO
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from scripts.cluster import control, kubeconfigs, machine, node, packages, parts, pki
from scripts.cluster.addresses import API_SERVICE_IP, NODE_IP
from scripts.cluster.cluster import others, refuse_another, status, up
from scripts.cluster.errors import ClusterError, MissingError
from scripts.cluster.images import names
from scripts.commands.cluster import command
from scripts.exits import Exit
from scripts.local.processes import start, stop


@pytest.fixture(scope="session")
def issued(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with every certificate and kubeconfig."""
    home = tmp_path_factory.mktemp("home")
    pki.issue(home / "pki")
    kubeconfigs.write(home)
    return home


def openssl(*words: str) -> str:
    return subprocess.run(["openssl", *words], capture_output=True, text=True, check=True, timeout=20).stdout


def text(home: Path, name: str) -> str:
    return openssl("x509", "-noout", "-text", "-in", str(home / "pki" / f"{name}.crt"))


@pytest.mark.parametrize("certificate", pki.CERTIFICATES, ids=lambda certificate: certificate.name)
def test_every_certificate_is_signed_by_its_authority(issued: Path, certificate: pki.Certificate) -> None:
    """And only an authority may sign another."""
    folder = issued / "pki"
    openssl("verify", "-CAfile", f"{folder / certificate.authority}.crt", f"{folder / certificate.name}.crt")
    assert certificate.is_authority == ("CA:TRUE" in text(issued, certificate.name))
    assert 0o600 == (folder / f"{certificate.name}.key").stat().st_mode & 0o777


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("kubelet", "O = system:nodes, CN = system:node:node1"),
        ("controller-manager", "CN = system:kube-controller-manager"),
        ("scheduler", "CN = system:kube-scheduler"),
        ("proxy", "CN = system:kube-proxy"),
        ("admin", "O = system:masters, CN = primetrade-admin"),
        ("front-proxy", "CN = front-proxy-client"),
    ],
)
def test_a_certificate_says_who_its_holder_is(issued: Path, name: str, subject: str) -> None:
    """Kubernetes takes the user from CN and the group from O."""
    assert f"Subject: {subject}\n" in text(issued, name)


def test_the_api_servers_certificate_covers_how_it_is_called(issued: Path) -> None:
    """By the node's address from outside, by its Service's name and address from pods."""
    names_in = text(issued, "apiserver")
    for name in (f"IP Address:{NODE_IP}", f"IP Address:{API_SERVICE_IP}", "DNS:kubernetes.default.svc"):
        assert name in names_in


def test_the_clusters_authority_does_not_open_etcd(issued: Path) -> None:
    """Not even the administrator's certificate does: all Secrets are there."""
    with pytest.raises(subprocess.CalledProcessError):
        openssl("verify", "-CAfile", str(issued / "pki" / "etcd-ca.crt"), str(issued / "pki" / "admin.crt"))
    assert f"--trusted-ca-file={issued / 'pki' / 'etcd-ca.crt'}" in control.etcd(issued)


def test_certificates_are_made_once(issued: Path) -> None:
    """A second `up` leaves them as they are."""
    assert [] == pki.issue(issued / "pki")


def test_a_lost_authority_signs_all_of_its_own_anew(issued: Path, tmp_path: Path) -> None:
    """A certificate of the authority before it would be refused."""
    folder = tmp_path / "pki"
    shutil.copytree(issued / "pki", folder)
    (folder / "front-proxy-ca.crt").unlink()
    assert ["front-proxy-ca", "front-proxy"] == pki.issue(folder)
    openssl("verify", "-CAfile", str(folder / "front-proxy-ca.crt"), str(folder / "front-proxy.crt"))


def test_a_certificate_that_ends_soon_is_made_anew(
    issued: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any `up` in its last month does it."""
    folder = tmp_path / "pki"
    shutil.copytree(issued / "pki", folder)
    (folder / "scheduler.crt").unlink()
    monkeypatch.setattr(pki, "_DAYS", 29)
    assert ["scheduler"] == pki.issue(folder)
    monkeypatch.undo()
    assert ["scheduler"] == pki.issue(folder)
    assert [] == pki.issue(folder)


def test_the_administrators_kubeconfig_can_be_copied_elsewhere(issued: Path) -> None:
    """It has the certificates inside; the parts' own name files, which are renewed."""
    admin = (issued / "kubeconfig").read_text()
    assert str(issued) not in admin
    assert "client-key-data" in yaml.safe_load(admin)["users"][0]["user"]
    assert str(issued / "pki" / "kubelet.key") in (issued / "kubeconfigs" / "kubelet").read_text()


def command_lines(home: Path) -> dict[str, list[str]]:
    """The control plane's."""
    return {
        "etcd": control.etcd(home),
        "apiserver": control.api_server(home),
        "controller-manager": control.controller_manager(home),
        "scheduler": control.scheduler(home),
    }


@pytest.mark.parametrize("name", ["etcd", "apiserver", "controller-manager", "scheduler"])
def test_every_part_listens_at_the_nodes_address_alone(tmp_path: Path, name: str) -> None:
    """That one is on the loopback device: no other machine reaches it."""
    bound = [flag for flag in command_lines(tmp_path)[name] if "bind-address" in flag or "listen-" in flag]
    assert bound
    assert all(NODE_IP in flag for flag in bound)


def test_the_kubelet_and_the_proxy_listen_there_too(tmp_path: Path) -> None:
    """The kubelet also refuses who has no certificate, and has no read-only port."""
    kubelet = yaml.safe_load(node.kubelet_config(tmp_path))
    proxy = yaml.safe_load(node.kube_proxy_config(tmp_path))
    listens = (kubelet["address"], kubelet["healthzBindAddress"], proxy["healthzBindAddress"], proxy["bindAddress"])
    assert {NODE_IP} == {address.partition(":")[0] for address in listens}
    assert proxy["nodePortAddresses"] == [f"{NODE_IP}/32"]
    assert not kubelet["authentication"]["anonymous"]["enabled"]
    assert "readOnlyPort" not in kubelet


def test_the_node_may_change_itself_alone(tmp_path: Path) -> None:
    """The authorizers are Node and RBAC, and NodeRestriction goes with them."""
    flags = control.api_server(tmp_path)
    assert "--authorization-mode=Node,RBAC" in flags
    assert "--enable-admission-plugins=NodeRestriction" in flags


def test_files_named_on_a_command_line_exist(issued: Path) -> None:
    """Every certificate, key and kubeconfig that a part is told of has been made."""
    for line in command_lines(issued).values():
        named = [flag.partition("=")[2] for flag in line if "file=" in flag or "kubeconfig=" in flag]
        assert named
        for path in named:
            assert Path(path).exists(), path


def test_settings_files_are_named_by_their_content(tmp_path: Path) -> None:
    """A changed setting changes the command line, so `up` starts that part anew; the old file goes."""
    before = parts.settings(tmp_path, "kubelet", "yaml", "a: 1")
    assert before == parts.settings(tmp_path, "kubelet", "yaml", "a: 1")
    after = parts.settings(tmp_path, "kubelet", "yaml", "a: 2")
    assert before != after
    assert [after] == list((tmp_path / "settings").iterdir())


def test_what_is_missing_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs, and the Debian packages that have them, each once."""
    monkeypatch.setattr(packages, "SEARCH", "/nowhere")
    monkeypatch.setattr(packages, "CNI_BIN", Path("/nowhere"))
    with pytest.raises(MissingError) as refused:
        packages.check()
    assert "not installed: conntrack, containerd, ctr, etcd, " in str(refused.value)
    assert (
        "`apt-get install --no-install-recommends conntrack containerd containernetworking-plugins etcd-server "
        in str(refused.value)
    )


def test_the_list_of_packages_is_what_the_check_looks_for() -> None:
    """CI installs from the file; the check knows the programs."""
    listed = [line for line in packages.PACKAGES.read_text().splitlines() if not line.startswith("#")]
    assert sorted(set(packages.PROGRAMS.values())) == listed


def test_a_killed_shims_socket_is_removed_and_no_other(tmp_path: Path) -> None:
    """By the notes of containerd, which drops them as it starts; a shim that lives goes on listening."""
    with socket.socket(socket.AF_UNIX) as listening, socket.socket(socket.AF_UNIX) as dead:
        for name, shim in (("lives", listening), ("dead", dead)):
            shim.bind(str(tmp_path / name))
            note = tmp_path / "home/run/containerd/io.containerd.runtime.v2.task/k8s.io" / name / "address"
            note.parent.mkdir(parents=True)
            note.write_text(f"unix://{tmp_path / name}")
        listening.listen()
        machine.remove_dead_sockets(tmp_path / "home")
        assert [True, False] == [(tmp_path / name).exists() for name in ("lives", "dead")]
        machine.remove_dead_sockets(tmp_path / "home")


def archive(path: Path, *tags: str, **more: object) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, document in {"manifest": [{"Config": "x", "RepoTags": list(tags)}], **more}.items():
            content = json.dumps(document).encode()
            member = tarfile.TarInfo(f"{name}.json")
            member.size = len(content)
            tar.addfile(member, BytesIO(content))
    return path


def test_an_archives_names_are_read_from_it(tmp_path: Path) -> None:
    """They are what pods may use."""
    assert ["docker.io/local/shop:1"] == names(archive(tmp_path / "a.tar", "docker.io/local/shop:1"))


def test_a_digest_that_an_archive_names_its_image_by_is_a_name_too(tmp_path: Path) -> None:
    """Behind the tags; as `make image` writes it."""
    tag, digest = "docker.io/local/shop:1", "docker.io/local/shop@sha256:0"
    index = {"manifests": [{}, *({"annotations": {"io.containerd.image.name": name}} for name in (tag, digest))]}
    assert [tag, digest] == names(archive(tmp_path / "a.tar", tag, index=index))


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        (("shop:1",), r"finds no image called shop:1: give it a registry .* docker\.io/local/shop:1"),
        ((), r"its image has no name; save it by name"),
    ],
)
def test_an_image_that_no_pod_could_use_is_refused(tmp_path: Path, tags: tuple[str, ...], message: str) -> None:
    """Before it is imported."""
    with pytest.raises(ClusterError, match=message):
        names(archive(tmp_path / "a.tar", *tags))


def test_a_file_that_is_no_archive_is_refused(tmp_path: Path) -> None:
    """With what to make one by."""
    (tmp_path / "a.tar").write_text("hello")
    with pytest.raises(ClusterError, match=r"not an image archive .*docker save"):
        names(tmp_path / "a.tar")


@pytest.mark.parametrize("part", ["kubelet", "etcd"])
def test_a_second_node_is_refused(tmp_path: Path, part: str) -> None:
    """A machine has one: its address, bridge and groups exist once; the refusal says how to end the other."""
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    process = start(theirs, part, [shutil.which("sleep") or "", "60"])
    try:
        assert str(theirs) in [whose for _, whose in others(ours)]
        assert str(theirs) not in [whose for _, whose in others(theirs)]
        with pytest.raises(ClusterError, match=r"another node runs on this machine \(.*pid \d+\): end that one first"):
            refuse_another(ours)
    finally:
        stop(theirs, part, process, 5)


def test_status_without_a_cluster_tells_what_is_down_and_what_is_never_shown(tmp_path: Path) -> None:
    """It asks nothing of the machine, and needs no root."""
    found = status(tmp_path)
    assert not found.running
    assert {"does not run"} == {part.detail for part in found.parts}
    assert any("NetworkPolicy is accepted and NOT enforced" in limit for limit in found.limits)


def test_a_home_whose_sockets_would_have_no_room_is_refused(tmp_path: Path) -> None:
    """Before anything is started."""
    with pytest.raises(ClusterError, match=r"characters too long for the sockets in it: give a shorter --home"):
        up(tmp_path / ("long" * 30), print)


def test_a_kubeconfig_that_is_not_there_is_a_wrong_setting(tmp_path: Path) -> None:
    """The message says how to get one."""
    result = CliRunner().invoke(command, ["kubeconfig", "--home", str(tmp_path)])
    assert Exit.USAGE == result.exit_code
    assert "start one with `primetrade cluster up`" in result.output


def test_status_has_a_form_for_machines(tmp_path: Path) -> None:
    """One JSON document, whether a cluster is there or not."""
    result = CliRunner().invoke(command, ["status", "--home", str(tmp_path), "--json"])
    assert not json.loads(result.output)["running"]
