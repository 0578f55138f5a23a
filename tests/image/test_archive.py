"""Whatever `docker save` writes, one content is one archive."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path

from scripts.image.archive import normalise
from scripts.image.contents import read_image

TAG = "docker.io/local/thing:1"
EPOCH = 1_000_000_000


def tar(*files: tuple[str, bytes], mtime: int, user: str = "") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as layer:
        for name, content in files:
            member = tarfile.TarInfo(name)
            member.size, member.mtime, member.uname = len(content), mtime, user
            layer.addfile(member, io.BytesIO(content))
    return out.getvalue()


def save(path: Path, layers: list[bytes], *, created: str, packed: bool = False) -> Path:
    """As `docker save` writes it: plain layers of old versions, compressed ones of new versions."""
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"User": "10001"},
        "container": created,
        "created": created,
        "history": [{"created": created, "created_by": "a step"}],
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(each).hexdigest()}" for each in layers]},
    }
    names = [f"{number}/layer.tar" for number in range(len(layers))]
    manifest = [{"Config": "config.json", "RepoTags": [TAG], "Layers": names}]
    stored = [gzip.compress(each) if packed else each for each in layers]
    entries = {"manifest.json": json.dumps(manifest).encode(), "config.json": json.dumps(config).encode()}
    path.write_bytes(tar(*{**entries, **dict(zip(names, stored, strict=True))}.items(), mtime=0))
    return path


def test_times_and_owners_of_the_build_leave_no_trace(tmp_path: Path) -> None:
    """Built twice, at other times by another user, saved by an old and a new Docker: the same bytes."""
    one = save(tmp_path / "1", [tar(("a", b"x"), mtime=1, user="me")], created="2020-01-01T00:00:00Z")
    two = save(tmp_path / "2", [tar(("a", b"x"), mtime=2, user="you")], created="2021-01-01T00:00:00Z", packed=True)
    digests = [normalise(raw, raw.with_suffix(".tar"), TAG, EPOCH, ()) for raw in (one, two)]
    assert digests[0] == digests[1]
    assert (tmp_path / "1.tar").read_bytes() == (tmp_path / "2.tar").read_bytes()


def test_another_content_is_another_digest(tmp_path: Path) -> None:
    """A byte more."""
    raws = [save(tmp_path / text, [tar(("a", text.encode()), mtime=1)], created="") for text in ("x", "xy")]
    digests = {normalise(raw, raw.with_suffix(".tar"), TAG, EPOCH, ()) for raw in raws}
    assert len(digests) == 2


def test_the_base_stays_as_it_is(tmp_path: Path) -> None:
    """Its layers are shared with others by their digest, and its bytecode may depend on its files' times."""
    base, ours = tar(("a", b"x"), mtime=7), tar(("b", b"y"), mtime=8)
    raw = save(tmp_path / "raw", [base, ours], created="")
    kept = f"sha256:{hashlib.sha256(base).hexdigest()}"
    normalise(raw, tmp_path / "image.tar", TAG, EPOCH, {kept})
    image = read_image(tmp_path / "image.tar")
    assert kept == image.config["rootfs"]["diff_ids"][0]
    assert [[7], [EPOCH]] == [[member.mtime for member in layer] for layer in image.layers()]


def test_what_the_archive_says_is_true(tmp_path: Path) -> None:
    """Each digest is that of the bytes behind it; the configuration knows the layers by what they unpack to."""
    raw = save(tmp_path / "raw", [tar(("a", b"x"), mtime=1), tar(("b", b"y"), mtime=1)], created="")
    digest = normalise(raw, tmp_path / "image.tar", TAG, EPOCH, ())
    image = read_image(tmp_path / "image.tar")
    assert (digest, "1") == (image.digest, image.tag)
    with tarfile.open(tmp_path / "image.tar") as archive:
        blobs = {m.name: archive.extractfile(m).read() for m in archive if m.name.startswith("blobs/")}  # type: ignore[union-attr]
    assert {name: hashlib.sha256(content).hexdigest() for name, content in blobs.items()} == {
        name: name.rpartition("/")[2] for name in blobs
    }
    plain = [gzip.decompress(blobs[f"blobs/{each['digest'].replace(':', '/')}"]) for each in image.manifest["layers"]]
    assert [f"sha256:{hashlib.sha256(each).hexdigest()}" for each in plain] == image.config["rootfs"]["diff_ids"]
    assert "2001-09-09T01:46:40Z" == image.config["created"] == image.config["history"][0]["created"]
    assert "container" not in image.config


def test_files_are_seen_as_a_container_sees_them(tmp_path: Path) -> None:
    """A later layer's file hides an earlier one's, and a whiteout takes a file or a folder away."""
    low = tar(("etc/a", b"old"), ("etc/b", b"kept"), ("opt/x/y", b"gone"), ("opt/xy", b"kept"), mtime=1)
    high = tar(("etc/a", b"new"), ("opt/.wh.x", b""), mtime=1)
    normalise(save(tmp_path / "raw", [low, high], created=""), tmp_path / "image.tar", TAG, EPOCH, ())
    found = read_image(tmp_path / "image.tar").files(lambda path: True)
    assert {"etc/a": b"new", "etc/b": b"kept", "opt/xy": b"kept"} == found
