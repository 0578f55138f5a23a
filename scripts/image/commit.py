"""What git says of the files that go into the image."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec

from scripts.image.daemon import find, run

# What the Dockerfile copies or reads; a test compares.
CONTENT = ("Dockerfile", ".dockerignore", "app", "loadtest", "slo", "locks/app.txt")
GIT_S = 30.0


class Commit(msgspec.Struct, frozen=True):
    """The commit an image is built from; `dirty` where a file of the image is not as committed."""

    revision: str
    time: int  # seconds since 1970
    dirty: bool

    @property
    def version(self) -> str:
        return self.revision[:12] + ("-dirty" if self.dirty else "")

    @property
    def created(self) -> str:
        """RFC 3339, as the label wants it."""
        return datetime.fromtimestamp(self.time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def read_commit(root: Path, more: str = "") -> Commit:
    """The commit of a clone; `more`: a lock that counts besides. Raises ImageError where there is none."""
    git = [find("git", "git"), "-C", str(root)]
    revision, time = run([*git, "log", "-1", "--format=%H %ct"], GIT_S).split()
    changed = run([*git, "status", "--porcelain", "--", *CONTENT, *([f"locks/{more}"] if more else [])], GIT_S)
    return Commit(revision, int(time), bool(changed.strip()))
