"""Where the demo plays: a system with one version live, under an address that load can be sent to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

import msgspec

from loadtest.recording import Recording
from loadtest.result import Fact, Usage
from scripts.release.file import ReleaseFile
from scripts.release.platform import Platform


class Spent(Protocol):
    """What the parts of the system spend over one window."""

    facts: tuple[Fact, ...]

    def start(self) -> None:
        """Open the window."""

    def stop(self) -> None:
        """Close it."""

    def usage(self, recording: Recording) -> tuple[Usage, ...]:
        """CPU of each part over the users' requests of the window."""


class Scene(msgspec.Struct, frozen=True):
    """A system that is up; `first` has all users."""

    platform: Platform
    file: ReleaseFile
    edge: str  # address of the users' requests
    database_url: str  # as seen from here, for seeding
    jwt_keys: Mapping[str, str]
    folder: Path  # for the files of the demo
    first: str
    breaks: Callable[[str], object]  # makes a slot fail a share of its requests
    spent: Callable[[int], Spent]  # of the generator's process id
    parting: tuple[str, ...]  # how to look at it and how to end it, if it is kept
