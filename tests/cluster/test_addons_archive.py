"""The images are the files they were given, and what those need."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from scripts.cluster.addons.archive import REGISTRY, Image, write


@pytest.fixture
def image(tmp_path: Path) -> Image:
    """A program that needs libraries, and a folder with a link in it."""
    folder = tmp_path / "share"
    folder.mkdir()
    (folder / "zone").write_text("UTC")
    (folder / "default").symlink_to("zone")
    return Image("sample", {"/bin/sh": Path("/bin/sh").resolve(), "/usr/share/zones": folder}, ("sh",), "SIGINT")


def _unpack(archive: Path, into: Path) -> dict[str, object]:
    """Lay the layer out in a folder and return the image's configuration."""
    with tarfile.open(archive) as whole:
        whole.extractall(into, filter="data")
    described = json.loads((into / "manifest.json").read_text())[0]
    config: dict[str, object] = json.loads((into / described["Config"]).read_text())
    layer = into / described["Layers"][0]
    assert config["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(layer.read_bytes()).hexdigest()}"]  # type: ignore[index]
    with tarfile.open(layer) as tar:
        tar.extractall(into / "root", filter="tar")
    return config


def test_starts(image: Image, tmp_path: Path) -> None:
    """A program runs with nothing of this machine but what is in its image."""
    archive = write(image, tmp_path / "images")
    _unpack(archive.file, tmp_path)
    root = tmp_path / "root"
    script = 'read zone < /usr/share/zones/default; echo "$zone"'
    argv = ["unshare", "--user", "--map-root-user", "chroot", str(root), "/bin/sh", "-c", script]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=10, check=False)
    assert (0, "UTC\n", "") == (done.returncode, done.stdout, done.stderr)


def test_configuration(image: Image, tmp_path: Path) -> None:
    """An image says what it starts, as whom, and how it is ended."""
    config = _unpack(write(image, tmp_path / "images").file, tmp_path)["config"]
    assert {
        "Entrypoint": ["sh"],
        "Env": ["PATH=/usr/local/bin:/bin"],
        "User": "65532:65532",
        "StopSignal": "SIGINT",
    } == config


def test_same_bytes(image: Image, tmp_path: Path) -> None:
    """The same files make the same archive whenever and wherever they were written."""
    first = write(image, tmp_path / "first")
    os.utime(tmp_path / "share/zone", (1, 1))
    second = write(image, tmp_path / "second")
    assert first.reference == second.reference
    assert first.file.read_bytes() == second.file.read_bytes()


def test_name_is_content(image: Image, tmp_path: Path) -> None:
    """Another content is another image, under a name of its own; the old one stays."""
    first = write(image, tmp_path / "images")
    (tmp_path / "share/zone").write_text("CET")
    second = write(image, tmp_path / "images")
    assert first.reference.startswith(f"{REGISTRY}/sample:")
    assert first.reference != second.reference
    assert sorted([first.file, second.file]) == sorted((tmp_path / "images").iterdir())
