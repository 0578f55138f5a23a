"""A daemon of our own, or the one that is named; what is missing is named with its package."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from scripts.image.daemon import daemon, find, run
from scripts.image.errors import ImageError, MissingProgramError


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
    assert not any(folder in " ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"]))


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
