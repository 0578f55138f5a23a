"""Kubeconfigs: the parts' name their certificates' files, the administrator's has them inside."""

from __future__ import annotations

import base64
from pathlib import Path

import yaml

from scripts.cluster.addresses import API_URL
from scripts.cluster.state import kubeconfig
from scripts.local.state import replace_file

PARTS = ("controller-manager", "scheduler", "kubelet", "proxy")


def write(home: Path) -> None:
    """Write each part's kubeconfig and the administrator's; a file that says the same already is left alone."""
    for name in PARTS:
        _write(home / "kubeconfigs" / name, document(home / "pki", name, inside=False))
    _write(kubeconfig(home), document(home / "pki", "admin", inside=True))


def document(pki: Path, name: str, *, inside: bool) -> str:
    """A kubeconfig for the certificate of this name, as YAML."""

    def entry(key: str, file: Path) -> dict[str, str]:
        return {f"{key}-data": base64.b64encode(file.read_bytes()).decode()} if inside else {key: str(file)}

    user = entry("client-certificate", pki / f"{name}.crt") | entry("client-key", pki / f"{name}.key")
    cluster = {"server": API_URL, **entry("certificate-authority", pki / "ca.crt")}
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "primetrade", "cluster": cluster}],
            "users": [{"name": name, "user": user}],
            "contexts": [{"name": "primetrade", "context": {"cluster": "primetrade", "user": name}}],
            "current-context": "primetrade",
        },
        sort_keys=False,
    )


def _write(path: Path, text: str) -> None:
    if not path.exists() or path.read_text() != text:
        replace_file(path, text.encode())
