"""The exit codes of `primetrade`: one table, one meaning each."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from enum import IntEnum
from functools import wraps
from typing import ParamSpec, TypeVar

import click

NEXT = re.compile(r"`(primetrade [^`]+)`")  # how a message names a command
P = ParamSpec("P")
R = TypeVar("R")


class Exit(IntEnum):
    """What a finished command tells its caller."""

    DONE = 0
    ERROR = 1
    USAGE = 2
    SLO_MISSED = 3
    RUN_INVALID = 4
    REGRESSION = 5
    NEEDS_PERSON = 6
    REVERTED = 7
    LOCKED = 8
    AWAITING_APPROVAL = 9
    INCONCLUSIVE = 10
    INTERRUPTED = 130
    TERMINATED = 143


MEANING = {
    Exit.DONE: "done",
    Exit.ERROR: "something failed; the message says what to do",
    Exit.USAGE: "a wrong flag, file or setting; nothing was changed",
    Exit.SLO_MISSED: "the run is valid and a target was missed",
    Exit.RUN_INVALID: "the generator could not be believed; run again on a quieter machine",
    Exit.REGRESSION: "worse than a baseline; kept for it, no command ends so yet",
    Exit.NEEDS_PERSON: "a person must decide; the message says between what",
    Exit.REVERTED: "the release failed and was taken back safely",
    Exit.LOCKED: "another command holds the lock; the message says who",
    Exit.AWAITING_APPROVAL: "waits for a person's approval",
    Exit.INCONCLUSIVE: "too little was seen to decide",
    Exit.INTERRUPTED: "interrupted (ctrl-C)",
    Exit.TERMINATED: "terminated (SIGTERM)",
}


def document(words: str, code: int) -> dict[str, str | int]:
    """A failure as data: its words, its exit code, and the command that they say comes next, or ""."""
    told = words.rpartition("Now: ")[2]
    found = NEXT.search(told) or NEXT.search(words)
    return {"error": words, "exit": int(code), "next": found[1] if found else ""}


class Failed(click.ClickException):
    """A failure to show once, with the exit code of its kind."""

    def __init__(self, message: str, exit_code: Exit) -> None:
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc]  # click types it per class, and reads it per instance


def exits(table: Mapping[type[Exception], Exit]) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Turn the exceptions of an area into one message and the exit code of its kind.

    The most derived class that matches wins, so a table may name a whole tree and single out a branch.
    """

    def decorate(command: Callable[P, R]) -> Callable[P, R]:
        @wraps(command)
        def run(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return command(*args, **kwargs)
            except tuple(table) as exc:
                kind = next(k for k in type(exc).__mro__ if k in table)
                raise Failed(str(exc), table[kind]) from exc

        return run

    return decorate
