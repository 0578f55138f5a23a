"""Push an image to a registry so that it has there the digest that it has here."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from scripts.image.contents import read_image
from scripts.image.daemon import find, run
from scripts.image.errors import ImageError

PUSH_S = 600.0
LOOK_S = 60.0
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def is_here(repository: str) -> bool:
    """Whether its registry is on this machine: such a one, as in the tests, has no certificate."""
    return urlsplit(f"//{repository}").hostname in _LOOPBACK


def push(archive: Path, repository: str) -> str:
    """Push under the archive's tag and return "REPOSITORY@sha256:…", which alone names what was pushed for ever.

    Credentials are those of `docker login` or `skopeo login`. Raises ImageError, also where the registry says another
    digest.
    """
    if not archive.exists():
        raise ImageError(f"{archive} is missing: `make image` writes it")
    image = read_image(archive)
    skopeo = find("skopeo", "skopeo")
    plain = is_here(repository)
    target = f"docker://{repository}:{image.tag}"
    copy = ["copy", "--quiet", "--insecure-policy", "--preserve-digests", f"--dest-tls-verify={str(not plain).lower()}"]
    run([skopeo, *copy, f"oci-archive:{archive}:{image.tag}", target], PUSH_S)
    look = ["inspect", f"--tls-verify={str(not plain).lower()}", "--format={{.Digest}}"]
    found = run([skopeo, *look, target], LOOK_S).strip()
    if found != image.digest:
        raise ImageError(f"{target} has the digest {found}, pushed was {image.digest}: someone else wrote this tag")
    return f"{repository}@{image.digest}"
