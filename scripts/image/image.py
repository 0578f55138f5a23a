"""The images of the task API and of the load generator: each an archive, its digest and its bill of materials."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import msgspec

from scripts.image.base import base, builder
from scripts.image.commit import read_commit
from scripts.image.contents import read_image
from scripts.image.daemon import Say, alone
from scripts.image.docker import build
from scripts.image.sbom import bill
from scripts.image.wheels import wheelhouse

NAME = "task-api"
LOCKS = {NAME: "", "task-load": "generator.txt"}  # each image by its name, with what it has besides locks/app.txt
PREFIX = "docker.io/local"  # containerd knows images by names with a registry's prefix


class Made(msgspec.Struct, frozen=True):
    """An image that was made, and where; `size` is what a node fetches, in bytes."""

    repository: str
    tag: str
    digest: str
    size: int
    seconds: float
    archive: Path
    sbom: Path


def make(  # noqa: PLR0913 - the first two are all that most need
    root: Path, out: Path, tag: str = "", *, name: str = NAME, fresh: bool = False, say: Say = print
) -> Made:
    """Build an image of LOCKS from the clone at `root` into the folder `out`; two builds of one commit give one digest.

    The tag is the commit's, "-dirty" behind it where a file is not as committed. `fresh` runs every step again.
    Raises ImageError.
    """
    began = time.monotonic()
    commit = read_commit(root, LOCKS[name])
    tag = tag or commit.version
    repository = f"{PREFIX}/{name}"
    args = {
        "BASE": base(say),
        "BUILDER": builder(say),
        "TITLE": name,
        "VERSION": tag,
        "REVISION": commit.version,
        "CREATED": commit.created,
    }
    archive = out / f"{name}.tar"
    wheels = root / ".local/image/wheels"  # where the Dockerfile reads them
    wheels.parent.mkdir(parents=True, exist_ok=True)
    with alone(wheels.with_suffix(".lock"), say):
        shutil.rmtree(wheels, ignore_errors=True)
        shutil.copytree(wheelhouse(root / "locks", LOCKS[name], say), wheels)
        say(f"building {repository}:{tag}")
        digest = build(root, f"{repository}:{tag}", archive, args=args, epoch=commit.time, fresh=fresh, say=say)
        image = read_image(archive)
        sbom = out / "sbom.cdx.json"
        sbom.write_text(bill(image, name, tag))
        (out / "digest").write_text(f"{digest}\n")
    return Made(repository, tag, digest, image.packed_bytes, round(time.monotonic() - began, 1), archive, sbom)
