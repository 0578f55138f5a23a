"""The exit codes of `primetrade`: one table, one meaning each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import IntEnum
from functools import wraps
from typing import ParamSpec, TypeVar

import click

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
