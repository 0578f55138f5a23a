"""The journal: what every run meant to do and what it saw done; append-only, one JSON object a line.

The route says who is live; the journal says who wanted it, why, and what the gates found.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Literal, Protocol

import msgspec

from scripts.release.errors import Fenced, NeedsPerson, ReleaseError
from scripts.release.flock import give_back, taken
from scripts.release.route import Target
from scripts.release.slots import Range, Release
from scripts.release.step import Step

Phase = Literal["adopt", "begin", "turn", "intent", "done", "failed", "watch", "wait", "approve", "end"]


TAIL = 1 << 18  # bytes; longer than any line
WAIT_S = 2.0  # for another process to write its line


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line. `intent` stands before an act and `done` after it was seen to have happened.

    `begin` and `turn` (back) hold the plan that the lines after them carry out; `wait` and `approve` stand for an
    approval point, whose `name` they say. `watch` stands before a gate looks at users' traffic: at whose, `name` says.
    """

    at: float  # Unix seconds
    time: str  # the same in ISO 8601, UTC, for people
    run: str
    fence: int
    verb: str
    actor: str
    phase: Phase
    reason: str = ""
    step: str = ""
    name: str = ""
    slot: str = ""
    version: str = ""
    release: str = ""  # digest of version, command and environment
    file: str = ""  # SHA-256 of release.yaml
    target: Target | None = None
    plan: tuple[Step, ...] = ()
    spec: Release | None = None  # what a deploy brings, to start it again
    schema: Range | None = None  # the levels the slot says it works with
    level: int | None = None  # of the database from now on
    outcome: str = ""  # of a gate, or of the whole run
    words: str = ""
    until: float | None = None  # Unix seconds; an absolute deadline, which binds any later command too


class Holder(msgspec.Struct, frozen=True):
    """Who holds the lock."""

    actor: str
    run: str
    verb: str
    since: str  # ISO 8601, UTC
    pid: int
    fence: int = 0


class Journal(Protocol):
    """Where entries are kept, oldest first."""

    def read(self) -> Sequence[Entry]: ...

    def append(self, entry: Entry) -> None: ...


def refuse_late(entry: Entry, newest: Sequence[Entry]) -> None:
    """Raises Fenced where a run with a higher number has written already."""
    if newest and entry.fence < newest[-1].fence:
        last = newest[-1]
        raise Fenced(
            f"run {entry.run} lost its lock: {last.actor} has begun run {last.run} ({last.verb}) since. This one "
            "changes nothing more; `primetrade release status` says where things stand"
        )


class FileJournal:
    """The journal as a file; an entry is on the disk before `append` returns."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> Sequence[Entry]:
        """Every entry. A last line cut short by a crash was never acted on and is left out."""
        try:
            lines = self.path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return ()
        except OSError as exc:
            raise ReleaseError(
                f"{self.path}: cannot be read: {exc.strerror}; run as the owner of {self.path.parent}"
            ) from exc
        entries = []
        for number, line in enumerate(lines, start=1):
            if not line:
                continue
            try:
                entries.append(msgspec.json.decode(line, type=Entry))
            except (msgspec.DecodeError, ReleaseError) as exc:
                if number == len(lines):  # no newline behind it
                    break
                raise ReleaseError(
                    f"{self.path}:{number}: not a journal entry ({exc}); move the file away, and the next run adopts "
                    "the route as it stands"
                ) from exc
        return entries

    def append(self, entry: Entry) -> None:
        """Write one line and wait for the disk. Raises ReleaseError where that fails: nothing is done unrecorded.

        Between the look at the newest line and the write no other run adds one: whoever is late is refused.
        """
        try:
            with self.held() as file:
                self._cut_torn_line(file.fileno())
                refuse_late(entry, self._newest(file.fileno()))
                file.write(msgspec.json.encode(entry) + b"\n")
                file.flush()
                give_back(file.fileno())  # the order stands: nobody waits for this one's disk
                os.fsync(file.fileno())
        except OSError as exc:
            raise ReleaseError(
                f"{self.path}: cannot be written: {exc.strerror}; free the disk, then see `primetrade release status`"
            ) from exc

    @contextmanager
    def held(self, who: str = "another process") -> Iterator[BinaryIO]:
        """The file, while nobody else writes it. Raises NeedsPerson where `who` does not end writing it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab+") as file:
            if not taken(file.fileno(), WAIT_S):
                raise NeedsPerson(
                    f"{who} is inside a write of {self.path} and does not end it: wait for it, or end it (`kill -9`, "
                    f"`fuser {self.path}` tells its number); nothing more was written down"
                )
            yield file

    def _newest(self, descriptor: int) -> Sequence[Entry]:
        size = os.fstat(descriptor).st_size
        lines = os.pread(descriptor, TAIL, max(0, size - TAIL)).split(b"\n")
        try:
            return [msgspec.json.decode(line, type=Entry) for line in lines[-2:-1]]
        except (msgspec.DecodeError, ReleaseError) as exc:
            raise ReleaseError(
                f"{self.path}: its last line is not a journal entry ({exc}); move the file away, and the next run "
                "adopts the route as it stands"
            ) from exc

    @staticmethod
    def _cut_torn_line(descriptor: int) -> None:
        size = os.fstat(descriptor).st_size
        if not size:
            return
        tail = os.pread(descriptor, TAIL, max(0, size - TAIL))
        if not tail.endswith(b"\n"):
            os.ftruncate(descriptor, size - len(tail) + tail.rfind(b"\n") + 1)
