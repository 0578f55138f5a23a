"""The image of the commit at hand, made once."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.image.image import Made, make

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A function that makes a fresh clone of the commit at hand, under the file mode mask given."""

    def copy(umask: str) -> Path:
        target = tmp_path_factory.mktemp("clone")
        line = f'umask {umask} && exec git clone --quiet --no-hardlinks "$1" "$2"'
        subprocess.run(["sh", "-c", line, "sh", str(ROOT), str(target)], check=True, timeout=120)
        return target

    return copy


@pytest.fixture(scope="session")
def made(clone: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The image of the commit at hand."""
    return make(clone("022"), tmp_path_factory.mktemp("image"))
