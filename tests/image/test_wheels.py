"""What is fetched for the image is what the lock pins."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

from scripts.image import wheels
from scripts.image.errors import ImageError
from scripts.image.wheels import TOOLS, download, pins, wheelhouse

LOCKS = Path(__file__).parents[2] / "locks"


def test_every_pin_comes_with_its_hashes_and_without_its_marker() -> None:
    """A marker would be judged by the Python that fetches, not by the one that installs."""
    lock = (LOCKS / "app.txt").read_text()
    found = pins(LOCKS / "app.txt")
    kept = [line for line in re.findall(r"^\S+==.*", lock, re.MULTILINE) if "win32" not in line]
    assert [line.split()[0] for line in kept] == re.findall(r"^\S+==\S+", found, re.MULTILINE)
    assert len(kept) == len(re.findall(r"^\S+==\S+ +\\\n    --hash=sha256:", found, re.MULTILINE))
    assert ";" in lock
    assert ";" not in found


def test_the_tools_that_build_are_pinned_too() -> None:
    """They are pip and setuptools, by the development lock."""
    found = pins(LOCKS / "dev.txt", TOOLS)
    assert list(TOOLS) == re.findall(r"^(\S+)==", found, re.MULTILINE)
    assert found.count("--hash=") >= len(TOOLS)


def test_a_tool_that_is_not_pinned_is_named(tmp_path: Path) -> None:
    """Nothing is fetched without a hash."""
    lock = tmp_path / "dev.txt"
    lock.write_text("pip==26.3 \\\n    --hash=sha256:00\n")
    with pytest.raises(ImageError, match=r"dev\.txt does not pin setuptools: `make lock`"):
        pins(lock, TOOLS)


def test_wheels_are_fetched_for_the_base_and_not_for_this_machine() -> None:
    """The Python and the C library of the base, by hashes."""
    words = download(Path("listed"), Path("target"), "x86_64")
    assert {"--require-hashes", "--python-version=3.11", "--platform=manylinux_2_36_x86_64"} <= set(words)
    assert "--platform=manylinux_2_37_x86_64" not in words


def test_two_clones_that_fetch_at_once_fetch_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They have one cache; the second one waits, and takes what the first one brought."""
    fetched: list[str] = []
    waits = Event()

    def fetch(argv: list[str], timeout_s: float) -> str:
        fetched.append(argv[-1])
        waits.wait(20)
        return ""

    monkeypatch.setattr(wheels, "run", fetch)
    monkeypatch.setattr(wheels, "cache", lambda: tmp_path)

    def say(words: str) -> None:
        if "waiting" in words:
            waits.set()

    with ThreadPoolExecutor() as pool:
        first, second = (pool.submit(wheelhouse, LOCKS, say=say) for _ in range(2))
        assert first.result() == second.result()
    assert 1 == len(fetched)
    assert [*pins(LOCKS / "dev.txt", TOOLS)] == [*(first.result() / "build.txt").read_text()]


def test_what_a_killed_command_left_half_fetched_is_fetched_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is in nobody's way, and in no image."""
    monkeypatch.setattr(wheels, "run", lambda argv, timeout_s: "")
    monkeypatch.setattr(wheels, "cache", lambda: tmp_path)
    home = wheelhouse(LOCKS, say=print)
    home.rename(home.with_suffix(".new"))
    (home.with_suffix(".new") / "half.whl").touch()
    assert {"build.txt", "more.txt"} == {file.name for file in wheelhouse(LOCKS, say=print).iterdir()}
