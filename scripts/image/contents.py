"""What is in an image, read from its archive: files, layers, configuration."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

_WHITEOUT = ".wh."


class Image(msgspec.Struct, frozen=True):
    """An image of an archive: tag, its manifest's digest, its manifest and its configuration, as OCI describes them."""

    archive: Path
    tag: str
    digest: str
    manifest: Mapping[str, Any]
    config: Mapping[str, Any]

    @property
    def packed_bytes(self) -> int:
        """What a registry stores and a node fetches."""
        return sum(int(layer["size"]) for layer in self.manifest["layers"])

    def files(self, wanted: Callable[[str], bool]) -> dict[str, bytes]:
        """The regular files whose path (without a first slash) is wanted, as a container sees them."""
        found: dict[str, bytes] = {}
        for layer in self.layers():
            for member in layer:
                folder, _, name = member.name.removeprefix("./").rpartition("/")
                path = f"{folder}/{name}".lstrip("/")
                if name.startswith(_WHITEOUT):
                    hidden = f"{folder}/{name.removeprefix(_WHITEOUT)}".lstrip("/")
                    found = {key: value for key, value in found.items() if not f"{key}/".startswith(f"{hidden}/")}
                elif member.isreg() and wanted(path):
                    content = layer.extractfile(member)
                    assert content is not None
                    found[path] = content.read()
        return found

    def layers(self) -> Iterator[tarfile.TarFile]:
        """The layers, lowest first; each is closed when the next is asked for."""
        with tarfile.open(self.archive) as whole:
            for layer in self.manifest["layers"]:
                with tarfile.open(fileobj=whole.extractfile(_blob(layer["digest"])), mode="r:*") as opened:
                    yield opened


def read_image(archive: Path) -> Image:
    """The image of an archive that `build` wrote."""
    with tarfile.open(archive) as whole:
        named = _json(whole, "index.json")["manifests"][0]
        manifest = _json(whole, _blob(named["digest"]))
        tag = named["annotations"]["org.opencontainers.image.ref.name"]
        return Image(archive, tag, named["digest"], manifest, _json(whole, _blob(manifest["config"]["digest"])))


def _blob(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"


def _json(whole: tarfile.TarFile, name: str) -> Any:
    content = whole.extractfile(name)
    assert content is not None, f"{name} is a folder"
    return json.load(content)
