"""The image of the commit at hand, made once."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.image.image import Made, make

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def commit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of the commit at hand, which nobody adds to."""
    return _clone(ROOT, tmp_path_factory.mktemp("commit"), "022")


@pytest.fixture
def clone(commit: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A function that makes another clone of it, its files' rights cut by the mask given."""
    return lambda umask: _clone(commit, tmp_path_factory.mktemp("clone"), umask)


@pytest.fixture(scope="session")
def made(commit: Path, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The image of the commit at hand."""
    return make(commit, tmp_path_factory.mktemp("image"))


def _clone(source: Path, target: Path, umask: str) -> Path:
    line = f'umask {umask} && exec git clone --quiet --no-hardlinks "$1" "$2"'
    subprocess.run(["sh", "-c", line, "sh", str(source), str(target)], check=True, timeout=120)
    return target
