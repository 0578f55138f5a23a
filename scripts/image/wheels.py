"""The wheels of the image, fetched outside the build by the hashes of the lock, so that no step of it has a network."""

from __future__ import annotations

import hashlib
import platform
import re
import shutil
import sys
from collections.abc import Collection
from pathlib import Path

from scripts.image.daemon import Say, alone, run
from scripts.image.errors import ImageError
from scripts.tools import cache

DOWNLOAD_S = 600.0
TOOLS = ("pip", "setuptools")
PYTHON = "3.11"  # of the base
# The base's C library is glibc 2.36; wheels are tagged with the oldest that they run on.
GLIBC = (*(f"_2_{minor}" for minor in range(36, 4, -1)), "2014", "2010", "1")
_PIN = re.compile(r"^(?P<name>[a-z0-9][a-z0-9._-]*)==[^\n]*(?:\n    --hash=[^\n]*)*", re.MULTILINE)
_MARKER = re.compile(r" ;[^\\\n]*")


def wheelhouse(locks: Path, more: str = "", say: Say = print) -> Path:
    """A folder with what `locks/app.txt` pins, and the lock `more` where one is named; in the cache under its digest.

    What has no wheel (gunicorn-h1c) is there as source. `build.txt` in it pins the tools that install and build,
    `more.txt` what is installed besides the application's packages. Raises ImageError when they cannot be had.
    """
    tools = pins(locks / "dev.txt", TOOLS)
    besides = pins(locks / more) if more else ""
    wanted = pins(locks / "app.txt") + tools + besides
    machine = platform.machine()
    home = cache() / "wheels" / hashlib.sha256(f"{PYTHON} {machine}\n{wanted}\n{more}".encode()).hexdigest()[:12]
    home.parent.mkdir(parents=True, exist_ok=True)
    with alone(home.with_suffix(".lock"), say):  # every clone of this user has the same cache
        if home.exists():
            return home
        say("fetching the image's wheels")
        fresh = home.with_suffix(".new")
        shutil.rmtree(fresh, ignore_errors=True)  # of a command that was killed
        fresh.mkdir()
        listed = fresh / "build.txt"
        listed.write_text(wanted)
        run([sys.executable, *download(listed, fresh, machine)], DOWNLOAD_S)
        listed.write_text(tools)
        (fresh / "more.txt").write_text(besides)
        fresh.rename(home)
    return home


def pins(lock: Path, names: Collection[str] = ()) -> str:
    """The pins of a lock with their hashes, all or those named, one a paragraph. Raises ImageError for one not there.

    Without those for Windows, and without their markers: the Python that installs them may be another than the one
    here, and judges for itself.
    """
    listed = [match for match in _PIN.finditer(lock.read_text()) if "'win32'" not in match[0]]
    found = {match["name"]: _MARKER.sub(" ", match[0]) for match in listed}
    missing = [name for name in names if name not in found]
    if missing:
        raise ImageError(f"{lock} does not pin {', '.join(missing)}: `make lock` writes it anew")
    return "".join(f"{pin}\n" for name, pin in found.items() if not names or name in names)


def download(listed: Path, target: Path, machine: str) -> list[str]:
    """The words of pip that fetch wheels for the base's Python, whichever runs here."""
    platforms = [f"--platform=manylinux{glibc}_{machine}" for glibc in GLIBC]
    return [
        *("-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-build-isolation"),
        *("--require-hashes", "--implementation=cp", f"--python-version={PYTHON}", *platforms),
        *(f"--dest={target}", f"--requirement={listed}"),
    ]
