"""An image as an archive that `ctr images import` reads: one layer of the files that a program needs, and nothing else.

No daemon and no base: a static program needs only itself, any other the libraries that the dynamic linker names.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from os.path import normpath
from pathlib import Path

import msgspec

REGISTRY = "docker.io/local"  # the kubelet finds no image whose name lacks a registry
UID = 65532  # nobody's: the usual number in images without a shell
_ENV = ["PATH=/usr/local/bin:/bin"]
# PostgreSQL refuses a user without a name.
_PASSWD = f"root:x:0:0::/:\nprimetrade:x:{UID}:{UID}::/:\n".encode()
_LDD_S = 120.0


class Image(msgspec.Struct, frozen=True):
    """What an image holds: place in it to the file or folder of this machine, and what it starts."""

    name: str
    files: Mapping[str, Path]
    command: tuple[str, ...]
    stop: str = "SIGTERM"


class Archive(msgspec.Struct, frozen=True):
    """An image in a file, and the name by which manifests call it."""

    name: str
    reference: str
    file: Path


def write(image: Image, folder: Path) -> Archive:
    """The archive of `image` in `folder`, named by its content: made once, the same bytes from the same files."""
    files = {**_libraries(image.files.values()), **image.files}
    key = _digest(image, files)[:12]
    archive = Archive(image.name, f"{REGISTRY}/{image.name}:{key}", folder / f"{image.name}-{key}.tar")
    if not archive.file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as half:
            layer, whole = Path(half, "layer.tar"), Path(half, "image.tar")
            _write_layer(files, layer)
            _write_image(image, archive.reference, layer, whole)
            whole.rename(archive.file)
    return archive


def _libraries(given: Iterable[Path]) -> dict[str, Path]:
    """What the dynamic linker loads for the programs among `given`, besides what is in `given` itself."""
    given = list(given)
    programs = [file for path in given for file in _regular(path) if _is_program(file)]
    # It ends with 1 when a program is static; its complaint about that one is no library.
    argv = [shutil.which("ldd") or "ldd", *map(str, programs)]
    listed = subprocess.run(argv, capture_output=True, text=True, timeout=_LDD_S, check=False).stdout
    found = {normpath(path) for path in re.findall(r"^\t(?:\S+ => )?(/\S+) \(", listed, re.MULTILINE)}
    return {path: Path(path).resolve() for path in found if not any(Path(path).is_relative_to(each) for each in given)}


def _is_program(file: Path) -> bool:
    with file.open("rb") as content:
        return content.read(4) == b"\x7fELF"


def _regular(path: Path) -> Iterator[Path]:
    every = sorted(path.rglob("*")) if path.is_dir() else [path]
    return (file for file in every if file.is_file() and not file.is_symlink())


def _digest(image: Image, files: Mapping[str, Path]) -> str:
    whole = hashlib.sha256(msgspec.json.encode([image.command, image.stop, _ENV, _PASSWD]))
    for place, path in sorted(files.items()):
        for file in _regular(path):
            with file.open("rb") as content:
                inside = f"{place}/{file.relative_to(path)} {file.stat().st_mode:o} "
                whole.update(inside.encode() + hashlib.file_digest(content, "sha256").digest())
    return whole.hexdigest()


def _write_layer(files: Mapping[str, Path], layer: Path) -> None:
    with tarfile.open(layer, "w") as tar:
        tmp = tarfile.TarInfo("tmp")
        tmp.type, tmp.mode = tarfile.DIRTYPE, 0o1777
        tar.addfile(tmp)
        _add(tar, "etc/passwd", _PASSWD)
        for place, path in sorted(files.items()):
            tar.add(path, place.lstrip("/"), filter=_plain)


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Owned by root and without a date: the same files make the same layer."""
    if entry.name.endswith((".pyc", "__pycache__")):
        return None
    entry.uid = entry.gid = entry.mtime = 0
    entry.uname = entry.gname = ""
    return entry


def _write_image(image: Image, reference: str, layer: Path, whole: Path) -> None:
    with layer.open("rb") as content:
        diff = hashlib.file_digest(content, "sha256").hexdigest()
    started = {"Entrypoint": image.command, "Env": _ENV, "User": f"{UID}:{UID}", "StopSignal": image.stop}
    root = {"type": "layers", "diff_ids": [f"sha256:{diff}"]}
    config = json.dumps({"architecture": "amd64", "os": "linux", "config": started, "rootfs": root}).encode()
    name = f"{hashlib.sha256(config).hexdigest()}.json"
    manifest = [{"Config": name, "RepoTags": [reference], "Layers": ["layer.tar"]}]
    with tarfile.open(whole, "w") as tar:
        _add(tar, "manifest.json", json.dumps(manifest).encode())
        _add(tar, name, config)
        tar.add(layer, "layer.tar", filter=_plain)


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), 0o644
    tar.addfile(entry, io.BytesIO(content))
