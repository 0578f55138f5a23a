"""Packs a function as Lambda takes it: its own files under their own paths, and its wheels from the application's lock.

The same files give the same bytes, so a package is named by the digest of what is in it. Lambda itself brings boto3.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

PYTHON: Final = "3.13"  # of Lambda's runtime
ROOT: Final = Path(__file__).parents[2]
LOCK: Final = ROOT / "locks" / "app.txt"
OURS: Final = ("infra/__init__.py", "infra/functions/__init__.py", "infra/functions/archive/*.py")
WHEELS: Final = ("psycopg", "psycopg-binary", "typing-extensions")
PLATFORM: Final = "aarch64-manylinux_2_28"
LONG_AGO: Final = (1980, 1, 1, 0, 0, 0)  # the first moment that a zip can name


def locked(lock: str, names: Sequence[str]) -> str:
    """The entries of a lock that these packages have, with their hashes. Raises ValueError for one that has none."""
    entries = [entry for entry in ("\n" + lock).split("\n") if entry]
    blocks: dict[str, list[str]] = {}
    for line in entries:
        if not line.startswith((" ", "#")):
            name = line.partition("==")[0].partition("[")[0]
            blocks[name] = []
        if blocks:
            blocks[name].append(line)
    if missing := [name for name in names if name not in blocks]:
        raise ValueError(f"{LOCK}: has no {missing[0]}; run make lock")
    return "\n".join(line for name in names for line in blocks[name]) + "\n"


def install(into: Path, platform: str = PLATFORM, python: str = PYTHON) -> None:
    """Put the wheels for Lambda's machine into a folder, by their hashes."""
    wanted = into.parent / "wanted.txt"
    wanted.write_text(locked(LOCK.read_text(), WHEELS))
    uv = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "--only-binary"]
    where = ["--target", str(into), "--python-platform", platform, "--python-version", python]
    subprocess.run([*uv, ":all:", *where, "-r", str(wanted)], check=True)


def files(wheels: Path) -> Iterator[tuple[str, Path]]:
    """Path in the package and on disk, sorted; without what Python or an installer writes beside the code."""
    found = {str(path.relative_to(ROOT)): path for pattern in OURS for path in ROOT.glob(pattern)}
    for path in wheels.rglob("*"):
        name = str(path.relative_to(wheels))
        if path.is_file() and "__pycache__" not in name and not name.startswith(("bin/", ".")):
            found[name] = path
    yield from sorted(found.items())


def pack(wheels: Path, into: Path) -> Path:
    """Write the package into a folder, named by its digest."""
    unnamed = into / "archive.zip"
    with zipfile.ZipFile(unnamed, "w", zipfile.ZIP_DEFLATED) as package:
        for name, path in files(wheels):
            entry = zipfile.ZipInfo(name, LONG_AGO)
            entry.external_attr = 0o644 << 16  # Lambda's user must read it
            entry.compress_type = zipfile.ZIP_DEFLATED
            package.writestr(entry, path.read_bytes())
    return unnamed.rename(into / f"archive-{hashlib.sha256(unnamed.read_bytes()).hexdigest()}.zip")


def main() -> None:
    """Make the package under `.local/functions` and say where."""
    target = ROOT / ".local" / "functions"
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        wheels = Path(folder) / "wheels"
        install(wheels)
        sys.stdout.write(f"{pack(wheels, target)}\n")


if __name__ == "__main__":
    main()
