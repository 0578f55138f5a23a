"""What a master says on standard output, among other lines of its log, and how it is read back.

The log is how the recording leaves the master: it can be read while the run goes on and after it, over and over, also
when the reader was cut off, and asks for no right but to read it. The master stays for a while after its last word,
since some nodes drop the logs of what has ended.
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from loadtest.launch import GeneratorDied
from loadtest.recording import Recording, Second

MARK: Final = "primetrade "
LAST: Final = ("recorded", "refused", "invalid")
LINE: Final = 8000  # characters; container runtimes split lines of 16 KiB


class GarbledLog(GeneratorDied):
    """The log was cut: what it says of the recording is not the recording."""


class Log(msgspec.Struct):
    """What a log says, so far."""

    notes: list[str] = []
    waiting: bool = False  # for its workers
    seconds: list[Second] = []
    recording: Recording | None = None
    refused: str = ""  # why no run like this can be made
    invalid: str = ""  # why the run that was begun says nothing
    over: bool = False  # the last word was said


def note(text: str) -> str:
    """What goes on, for a person."""
    return _line("note", text)


def waiting(text: str) -> str:
    """The same, once everything is ready for the workers to come."""
    return _line("waiting", text)


def second(found: Second) -> str:
    """One second, provisional."""
    return _line("second", found)


def refused(text: str) -> str:
    """The last word of a master that was asked for what cannot be."""
    return _line("refused", text)


def invalid(text: str) -> str:
    """The last word of a master without anything to show."""
    return _line("invalid", text)


def recording(found: Recording) -> Iterator[str]:
    """The last words of any other."""
    packed = zlib.compress(msgspec.json.encode(found))
    text = base64.b64encode(packed).decode("ascii")
    for start in range(0, len(text), LINE):
        yield _line("recording", text[start : start + LINE])
    yield _line("recorded", hashlib.sha256(packed).hexdigest())


def read(text: str, *, whole: bool = True) -> Log:
    """What `text` says, which may end anywhere in a log; and begin anywhere if it is not `whole`: without recording.

    Raises GarbledLog where the whole recording should be there and is not.
    """
    log = Log()
    packed: list[str] = []
    for line in text.splitlines():
        if not line.startswith(MARK):
            continue
        kind, _, payload = line.removeprefix(MARK).partition(" ")
        try:
            value: Any = msgspec.json.decode(payload, type=Second if kind == "second" else str)
        except msgspec.DecodeError:  # cut, at the end of what was read
            continue
        log.over = log.over or kind in LAST
        match kind:
            case "note" | "waiting":
                log.notes.append(value)
                log.waiting = log.waiting or kind == "waiting"
            case "second":
                log.seconds.append(value)
            case "recording":
                packed.append(value)
            case "recorded" if whole:
                log.recording = _unpacked("".join(packed), value)
            case "refused":
                log.refused = value
            case "invalid":
                log.invalid = value
    return log


def _unpacked(text: str, digest: str) -> Recording:
    packed = base64.b64decode(text)
    if hashlib.sha256(packed).hexdigest() != digest:
        raise GarbledLog("the master's log was cut before its recording was read; run again, and shorter")
    return msgspec.json.decode(zlib.decompress(packed), type=Recording)


def _line(kind: str, payload: object) -> str:
    return f"{MARK}{kind} {msgspec.json.encode(payload).decode()}"
