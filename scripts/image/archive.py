"""The archive of an image, always the same for the same content.

What `docker save` writes is made into an OCI layout whose times, owners' names and compression say nothing about when
and where it was built; Docker's own manifest.json lies beside it. (BuildKit's rewrite-timestamp does this from 0.13
on; Debian's Docker has 0.8.)
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import shutil
import tarfile
import tempfile
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import msgspec

_TYPE = "application/vnd.oci.image."
_KEPT = ("architecture", "os", "config")  # of Docker's configuration; the rest tells of the build
_LEVEL = 6


class Blob(msgspec.Struct, frozen=True):
    """A file of the layout: what it is, its SHA-256 as "sha256:…", its size in bytes."""

    kind: str
    path: Path
    digest: str
    size: int

    @property
    def name(self) -> str:
        return f"blobs/{self.digest.replace(':', '/')}"

    @property
    def descriptor(self) -> dict[str, Any]:
        return {"mediaType": f"{_TYPE}{self.kind}", "digest": self.digest, "size": self.size}


def normalise(raw: Path, archive: Path, tag: str, epoch: int, kept: Collection[str]) -> str:
    """Write `archive` from the output of `docker save` and return the manifest's digest, "sha256:…".

    Layers whose digest is in `kept` (the base's) stay as they are; the others get `epoch` as every time.
    """
    with tempfile.TemporaryDirectory(dir=archive.parent) as folder, tarfile.open(raw) as saved:
        home = Path(folder)
        described: dict[str, Any] = json.load(_member(saved, "manifest.json"))[0]
        config: dict[str, Any] = json.load(_member(saved, described["Config"]))
        layers, diff_ids = [], []
        for name, diff_id in zip(described["Layers"], config["rootfs"]["diff_ids"], strict=True):
            plain = home / "layer.tar"
            with plain.open("wb") as out:
                if diff_id in kept:
                    shutil.copyfileobj(_plain(_member(saved, name)), out)
                else:
                    _settle(_member(saved, name), out, epoch)
            diff_ids.append(_digest(plain))
            layers.append(_compressed(plain, home))
        blobs = [*layers, _config(config, diff_ids, epoch, home)]
        blobs.append(_manifest(blobs, home))
        fresh = home / "archive.tar"
        _write(fresh, tag, blobs)
        fresh.replace(archive)
        return blobs[-1].digest


def _member(saved: tarfile.TarFile, name: str) -> IO[bytes]:
    found = saved.extractfile(name)
    assert found is not None, f"{name} is a folder"
    return found


def _plain(layer: IO[bytes]) -> IO[bytes]:
    """A layer as a tar, also where it was stored compressed."""
    gzipped = layer.read(2) == b"\x1f\x8b"
    layer.seek(0)
    return gzip.open(layer) if gzipped else layer  # type: ignore[return-value]  # a GzipFile reads bytes


def _settle(layer: IO[bytes], out: IO[bytes], epoch: int) -> None:
    """Copy a layer's tar with `epoch` as every time, and owners by number alone."""
    with (
        tarfile.open(fileobj=_plain(layer)) as source,
        tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as target,
    ):
        for member in source:
            member.mtime = epoch
            member.uname = member.gname = ""
            # Names and sizes that need it get their extended header anew; extended attributes are kept.
            member.pax_headers = {k: v for k, v in member.pax_headers.items() if k.startswith("SCHILY.xattr.")}
            target.addfile(member, source.extractfile(member) if member.isreg() else None)


def _compressed(plain: Path, home: Path) -> Blob:
    packed = home / "layer.tar.gz"
    with plain.open("rb") as source, packed.open("wb") as out, gzip.GzipFile("", "wb", _LEVEL, out, mtime=0) as target:
        shutil.copyfileobj(source, target, 1 << 20)
    return _blob("layer.v1.tar+gzip", packed, home)


def _config(config: dict[str, Any], diff_ids: Sequence[str], epoch: int, home: Path) -> Blob:
    when = datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    settled = {key: config[key] for key in _KEPT if key in config} | {
        "created": when,
        "rootfs": {"type": "layers", "diff_ids": list(diff_ids)},
        "history": [{**entry, "created": when} for entry in config.get("history", [])],
    }
    return _json("config.v1+json", settled, home)


def _manifest(blobs: Sequence[Blob], home: Path) -> Blob:
    """`blobs`: the layers, then the configuration."""
    *layers, config = (blob.descriptor for blob in blobs)
    text = {"schemaVersion": 2, "mediaType": f"{_TYPE}manifest.v1+json", "config": config, "layers": layers}
    return _json("manifest.v1+json", text, home)


def _json(kind: str, content: dict[str, Any], home: Path) -> Blob:
    path = home / "blob.json"
    path.write_text(json.dumps(content, sort_keys=True, separators=(",", ":")))
    return _blob(kind, path, home)


def _blob(kind: str, path: Path, home: Path) -> Blob:
    """Move a file to the name that its content gives it."""
    digest = _digest(path)
    kept = path.rename(home / digest.removeprefix("sha256:"))
    return Blob(kind, kept, digest, kept.stat().st_size)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def _write(archive: Path, tag: str, blobs: Sequence[Blob]) -> None:
    """`blobs`: the layers, the configuration, the manifest. The image is found by its tag and by its digest."""
    *layers, config, manifest = blobs
    repository, _, version = tag.rpartition(":")
    named = [
        {"io.containerd.image.name": tag, "org.opencontainers.image.ref.name": version},
        {"io.containerd.image.name": f"{repository}@{manifest.digest}"},
    ]
    index = [{**manifest.descriptor, "annotations": names} for names in named]
    docker = {"Config": config.name, "RepoTags": [tag], "Layers": [layer.name for layer in layers]}
    with tarfile.open(archive, "w", format=tarfile.PAX_FORMAT) as out:
        for name, content in (
            ("oci-layout", {"imageLayoutVersion": "1.0.0"}),
            ("index.json", {"schemaVersion": 2, "mediaType": f"{_TYPE}index.v1+json", "manifests": index}),
            ("manifest.json", [docker]),
        ):
            text = json.dumps(content, sort_keys=True).encode()
            _add(out, name, len(text), io.BytesIO(text))
        for blob in {each.digest: each for each in blobs}.values():
            with blob.path.open("rb") as file:
                _add(out, blob.name, blob.size, file)


def _add(out: tarfile.TarFile, name: str, size: int, content: IO[bytes]) -> None:
    member = tarfile.TarInfo(name)
    member.size = size
    out.addfile(member, content)
