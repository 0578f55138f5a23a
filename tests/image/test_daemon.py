"""A daemon of our own, or the one that is named; what is missing is named with its package."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from scripts.image.daemon import daemon, find, run
from scripts.image.errors import ImageError, MissingProgramError

ROOT = Path(__file__).parents[2]


def test_a_daemon_that_is_named_is_used_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """None is started; the client's folder is an empty one, with nobody's credentials."""
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere")
    with daemon() as docker:
        assert docker.host == "unix:///nowhere"
        assert [] == list(Path(docker.settings).iterdir())


@pytest.mark.cluster
def test_a_daemon_of_our_own_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """It answers, has no bridge, and neither process nor mount outlives it."""
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    with daemon() as docker:
        folder = docker.settings
        assert docker.run(["network", "ls", "--quiet", "--filter=driver=bridge"], 30) == ""
    assert not Path(folder).exists()
    assert folder not in Path("/proc/self/mounts").read_text()
    assert [] == started_in(folder)


@pytest.mark.cluster
def test_a_killed_command_leaves_no_daemon(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel tells dockerd, which ends its containerd; the next command can have the data."""
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    code = (
        "from scripts.image.daemon import daemon\nwith daemon() as docker: print(docker.settings, flush=True); input()"
    )
    argv = [sys.executable, "-c", code]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as command:
        assert command.stdout is not None
        folder = command.stdout.readline().split()[-1]
        assert started_in(folder)
        command.kill()
    deadline = time.monotonic() + 30
    while started_in(folder) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert [] == started_in(folder)
    with daemon() as docker:
        assert docker.settings != folder
    shutil.rmtree(folder)


def started_in(folder: str) -> list[str]:
    """The programs that run with files of this folder."""
    lines = (process.info["cmdline"] or () for process in psutil.process_iter(["cmdline"]))
    return [line[0] for line in lines if folder in " ".join(line)]


def test_a_missing_program_is_named_with_the_package_that_brings_it() -> None:
    """So that the next command is clear."""
    with pytest.raises(MissingProgramError, match="no-such-program is not installed: `apt-get install the-package`"):
        find("no-such-program", "the-package")


def test_a_failed_command_shows_its_last_lines() -> None:
    """What it said is in the message, with how it ended."""
    with pytest.raises(ImageError, match=r"ended with 3:\nthis is why"):
        run(["sh", "-c", "echo this is why >&2; exit 3"], 10)


def test_a_command_that_hangs_is_ended() -> None:
    """After the time it was given."""
    with pytest.raises(ImageError, match=r"took longer than 0 s"):
        run(["sleep", "60"], 0.1)
