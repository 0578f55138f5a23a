"""Build an image from a Dockerfile into an archive that `ctr images import`, `docker load` and skopeo read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from scripts.image import archive as archives
from scripts.image.daemon import Docker, Say, daemon

BUILD_S = 1200.0
SAVE_S = 300.0
EPOCH = 1_700_000_000  # of images that no commit dates, in seconds since 1970


def build(  # noqa: PLR0913  # the first three are all that most need
    context: Path,
    tag: str,
    archive: Path,
    dockerfile: str = "Dockerfile",
    args: Mapping[str, str] = MappingProxyType({}),
    *,
    epoch: int = EPOCH,
    fresh: bool = False,
    say: Say = print,
) -> str:
    """Build `context/dockerfile` without a network and write `archive`; the same content gives the same digest.

    `tag` has its registry's prefix (docker.io/local/NAME:TAG), as Kubernetes knows it. Every time is
    written as `epoch`, but in the layers of the base (`args["BASE"]`), which stay as they are. `fresh` runs every step
    again. Returns the manifest's digest, "sha256:…". Raises ImageError.
    """
    archive.parent.mkdir(parents=True, exist_ok=True)
    raw = archive.with_suffix(".raw")
    try:
        with daemon(say) as docker:
            words = ["--network=none", f"--file={context / dockerfile}", f"--tag={tag}"]
            words += [word for key, value in args.items() for word in ("--build-arg", f"{key}={value}")]
            docker.run(["build", *words, *(["--no-cache"] if fresh else []), str(context)], BUILD_S)
            kept = layers(docker, args["BASE"]) if "BASE" in args else frozenset()
            docker.run(["save", f"--output={raw}", tag], SAVE_S)
        return archives.normalise(raw, archive, tag, epoch, kept)
    finally:
        raw.unlink(missing_ok=True)


def layers(docker: Docker, image: str) -> frozenset[str]:
    """The digests of an image's layers, "sha256:…"."""
    found = docker.run(["image", "inspect", "--format", '{{join .RootFS.Layers " "}}', image], SAVE_S)
    return frozenset(found.split())
