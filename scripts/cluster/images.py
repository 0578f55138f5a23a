"""Images of the node: no registry, only archives that are imported into containerd."""

from __future__ import annotations

import json
import subprocess
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from scripts.cluster.errors import ClusterError
from scripts.cluster.node import containerd_socket
from scripts.cluster.packages import program

_LIST_S, _IMPORT_S = 20.0, 300.0


def load(home: Path, archive: Path) -> list[str]:
    """Import a Docker or OCI archive (`docker save`); the names that pods may use, tags first. Raises ClusterError.

    A name that was there already means the new image afterwards, for pods that start then.
    """
    found = names(archive)
    _ctr(home, ["images", "import", str(archive)], _IMPORT_S)
    return found


def load_missing(home: Path, images: Iterable[tuple[str, Path]]) -> list[str]:
    """Import the (name, archive) pairs whose name is not there yet; those names. Raises ClusterError."""
    there = present(home)
    absent = [(name, archive) for name, archive in images if name not in there]
    for _, archive in absent:
        load(home, archive)
    return [name for name, _ in absent]


def present(home: Path) -> set[str]:
    """The names of the images on the node. Raises ClusterError."""
    return set(_ctr(home, ["images", "list", "--quiet"], _LIST_S).split())


def names(archive: Path) -> list[str]:
    """The names that an archive gives its image: tags, then digests. Raises ClusterError when pods can use none."""
    try:
        with tarfile.open(archive) as tar:
            tags = [tag for image in _read(tar, "manifest.json") for tag in image.get("RepoTags") or ()]
            listed = _read(tar, "index.json").get("manifests", []) if "index.json" in tar.getnames() else []
    except (OSError, KeyError, ValueError, tarfile.TarError) as exc:
        why = str(exc).partition("\n")[0]
        raise ClusterError(f"{archive}: not an image archive ({why}); make one with `docker save NAME:TAG`") from exc
    if not tags:
        raise ClusterError(f"{archive}: its image has no name; save it by name: `docker save NAME:TAG`")
    for tag in tags:
        if "/" not in tag or "." not in tag.partition("/")[0]:
            raise ClusterError(
                f"{archive}: the kubelet finds no image called {tag}: give it a registry before its name, "
                f"as in docker.io/local/{tag}"
            )
    noted = [(each.get("annotations") or {}).get("io.containerd.image.name", "") for each in listed]
    return [*tags, *(name for name in noted if "@" in name)]


def _read(tar: tarfile.TarFile, name: str) -> Any:
    member = tar.extractfile(name)
    assert member is not None, f"{name} is a file"
    return json.load(member)


def _ctr(home: Path, words: list[str], timeout_s: float) -> str:
    argv = [program("ctr"), f"--address={containerd_socket(home)}", "--namespace=k8s.io", *words]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout_s, check=False)
    except subprocess.TimeoutExpired as exc:
        raise ClusterError(f"ctr {' '.join(words)}: no answer from containerd in {timeout_s:.0f} s") from exc
    if done.returncode:
        raise ClusterError(
            f"ctr {' '.join(words)}: {done.stderr.strip()}; is the cluster up? (`primetrade cluster up`)"
        )
    return done.stdout
