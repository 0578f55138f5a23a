"""The base images where no registry can be reached: Debian with Python and the certificates, made by mmdebstrap.

Elsewhere the Dockerfile's default, the public images, are the base.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Sequence
from pathlib import Path

from scripts.image.daemon import Say, alone, daemon, find, run
from scripts.tools import cache

SUITE = "bookworm"
PACKAGES = ("python3", "ca-certificates", "usr-is-merged")  # the last instead of usrmerge, which needs a whole Perl
COMPILERS = ("gcc", "libc6-dev", "python3-dev")  # for what comes without a wheel
BOOTSTRAP_S = 600.0
IMPORT_S = 300.0
PULL_S = 600.0
OLD_DAYS = 30
_DAY = 86_400
# Nobody reads a manual in a container. The bytecode of Python's own library is not tied to file times, so that no
# rewritten time makes each start compile it again.
COMPILE = "python3 -m compileall -q -f --invalidation-mode unchecked-hash"
RECIPE = (
    "--variant=minbase",
    "--mode=root",
    "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
    "--dpkgopt=path-exclude=/usr/share/man/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-include=/usr/share/doc/*/copyright",
    f'--customize-hook=PYTHONHASHSEED=0 chroot "$1" {COMPILE} /usr/lib/python3 /usr/lib/python3.11',
    '--customize-hook=rm -rf "$1"/var/cache/* "$1"/var/log/* "$1"/var/lib/apt/lists/*',
)


def base(say: Say = print) -> str:
    """The name of the base image in the daemon of `daemon()`, made and imported where it is missing.

    $BASE names another, which is pulled.
    """
    return _pulled(os.environ.get("BASE", ""), say) or _image(PACKAGES, say)


def builder(say: Say = print) -> str:
    """As `base` (or $BUILDER), with a C compiler: for the first stages of a build."""
    return _pulled(os.environ.get("BUILDER", ""), say) or _image((*PACKAGES, *COMPILERS), say)


def _pulled(name: str, say: Say) -> str:
    if name:
        with daemon(say) as docker:
            docker.run(["pull", "--quiet", name], PULL_S)
    return name


def _image(packages: Sequence[str], say: Say) -> str:
    archive = _archive(packages, say)
    with archive.open("rb") as file:
        name = f"local/debian-python:{hashlib.file_digest(file, 'sha256').hexdigest()[:12]}"
    with daemon(say) as docker:
        if not docker.run(["image", "ls", "--quiet", name], IMPORT_S).strip():
            docker.run(["import", str(archive), name], IMPORT_S)
    return name


def _archive(packages: Sequence[str], say: Say) -> Path:
    """The root file system as a tar, kept in the cache under the recipe's digest; delete it for newer packages."""
    key = hashlib.sha256("\n".join((SUITE, *packages, *RECIPE)).encode()).hexdigest()[:12]
    archive = cache() / f"docker/base-{key}.tar"
    archive.parent.mkdir(parents=True, exist_ok=True)
    with alone(archive.with_suffix(".lock"), say):
        if not archive.exists():
            say(f"making a base image from Debian's packages ({', '.join(packages)}): about half a minute")
            _bootstrap(packages, archive)
        days = (time.time() - archive.stat().st_mtime) / _DAY
        if days > OLD_DAYS:
            say(f"the base image's packages are {days:.0f} days old: delete {archive} for today's")
    return archive


def _bootstrap(packages: Sequence[str], archive: Path) -> None:
    fresh = archive.with_suffix(".new.tar")
    # Of a whole day, later than any package, so that two bases of the same packages are the same.
    epoch = str(int(time.time()) // _DAY * _DAY)
    words = ["--quiet", *RECIPE, f"--include={','.join(packages)}", SUITE, str(fresh)]
    run([find("mmdebstrap", "mmdebstrap"), *words], BOOTSTRAP_S, {**os.environ, "SOURCE_DATE_EPOCH": epoch})
    fresh.replace(archive)
