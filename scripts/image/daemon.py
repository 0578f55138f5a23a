"""A Docker daemon of our own: it runs while an image is made and touches no network, firewall or other daemon.

Where DOCKER_HOST is set (as in CI, where a daemon already runs), that daemon is used instead.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from scripts.image.errors import ImageError, MissingProgramError
from scripts.tools import cache

Say = Callable[[str], object]

START_S = 60.0
STOP_S = 30.0
_POLL_S = 0.05
_SETTINGS = {
    "bridge": "none",
    "iptables": False,
    "ip6tables": False,
    "features": {"buildkit": True},
    "builder": {"gc": {"enabled": True, "defaultKeepStorage": "4GB"}},  # of steps built before
}
_TAIL = 15  # lines of a failed command's output that its message shows


class Docker(msgspec.Struct, frozen=True):
    """A daemon that answers, and how to ask it."""

    host: str
    settings: str  # the client's own folder: no user's credentials or plug-ins

    def run(self, argv: Sequence[str], timeout_s: float) -> str:
        """The output of `docker ARGV`. Raises ImageError with its last lines."""
        environ = {**os.environ, "DOCKER_HOST": self.host, "DOCKER_BUILDKIT": "1", "DOCKER_CONFIG": self.settings}
        return run([program(), *argv], timeout_s, environ)


def program() -> str:
    """The distribution's client before any other on PATH: a newer one without its buildx plug-in refuses BuildKit."""
    return find("docker", "docker.io")


def find(name: str, package: str) -> str:
    """The path of a program of the operating system. Raises MissingProgramError with the package that brings it."""
    found = shutil.which(name, path=f"/usr/bin:/usr/sbin:{os.environ.get('PATH', '')}")
    if found is None:
        raise MissingProgramError(f"{name} is not installed: `apt-get install {package}` (Debian, Ubuntu) brings it")
    return found


def run(argv: Sequence[str], timeout_s: float, environ: Mapping[str, str] | None = None) -> str:
    """The standard output of a command. Raises ImageError with the last lines of both outputs."""
    try:
        done = subprocess.run(
            argv, check=True, text=True, timeout=timeout_s, env=environ, stdin=subprocess.DEVNULL, capture_output=True
        )
    except subprocess.TimeoutExpired as exc:
        raise ImageError(f"`{' '.join(argv[:3])} …` took longer than {timeout_s:.0f} s and was ended") from exc
    except subprocess.CalledProcessError as exc:
        tail = "\n".join(f"{exc.stderr}\n{exc.stdout}".strip().splitlines()[-_TAIL:])
        raise ImageError(f"`{' '.join(argv[:3])} …` ended with {exc.returncode}:\n{tail}") from exc
    return done.stdout


@contextmanager
def daemon(say: Say = print) -> Iterator[Docker]:
    """A daemon for the time of the block. Two commands at once wait for each other. Raises ImageError."""
    with tempfile.TemporaryDirectory(prefix="primetrade-docker-") as folder:  # short: a socket's path is limited
        run_folder = Path(folder)
        if host := os.environ.get("DOCKER_HOST"):
            yield Docker(host, folder)
            return
        home = cache() / "docker"
        home.mkdir(parents=True, exist_ok=True)
        with alone(home / "lock", say), _started(home, run_folder) as docker:
            yield docker


@contextmanager
def alone(path: Path, say: Say) -> Iterator[None]:
    """One command at a time holds the lock `path`; the kernel drops that of a killed one."""
    with path.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another command makes an image: waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _started(home: Path, run_folder: Path) -> Iterator[Docker]:
    if os.geteuid() != 0:
        raise ImageError("making an image needs root, or a Docker daemon of yours: set DOCKER_HOST to its socket")
    log = home / "dockerd.log"
    docker = Docker(f"unix://{run_folder / 'socket'}", str(run_folder))
    with log.open("wb") as output:
        process = subprocess.Popen(
            _command(home, run_folder), stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    try:
        _wait(process, docker, log)
        yield docker
    finally:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        _unmount(run_folder)


def _unmount(folder: Path) -> None:
    """Let go of what dockerd leaves mounted (the network namespace of a container on the host's network)."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        place = line.split()[1]
        if place.startswith(f"{folder}/"):
            run([find("umount", "mount"), place], STOP_S)


def _command(home: Path, run_folder: Path) -> list[str]:
    settings = run_folder / "daemon.json"  # not the machine's
    settings.write_text(json.dumps(_SETTINGS))
    return [
        find("setpriv", "util-linux"),
        "--pdeathsig=TERM",  # a killed command leaves no daemon behind
        find("dockerd", "docker.io"),
        f"--config-file={settings}",
        f"--host=unix://{run_folder / 'socket'}",
        f"--data-root={home / 'data'}",
        f"--exec-root={run_folder / 'exec'}",
        f"--pidfile={run_folder / 'pid'}",
        "--containerd-namespace=primetrade",
        "--log-level=warn",
    ]


def _wait(process: subprocess.Popen[bytes], docker: Docker, log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            docker.run(["version", "--format", "{{.Server.Version}}"], START_S)
        except ImageError:
            time.sleep(_POLL_S)
        else:
            return
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-_TAIL:])
    raise ImageError(f"dockerd did not answer within {START_S:.0f} s; the end of {log}:\n{tail}")
