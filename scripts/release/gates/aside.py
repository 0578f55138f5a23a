"""A call on a thread of its own: whoever waits for it can look after other things meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import TypeVar

Found = TypeVar("Found")


def aside(function: Callable[[], Found]) -> Future[Found]:
    """Call `function` now. One that hangs holds nobody up, not even the end of the process."""
    future: Future[Found] = Future()

    def call() -> None:
        try:
            future.set_result(function())
        except BaseException as exc:  # noqa: BLE001 - raised to whoever asks for the result
            future.set_exception(exc)

    threading.Thread(target=call, daemon=True, name=f"aside {future!r}").start()
    return future


def ended(future: Future[Found], limit_s: float) -> bool:
    """Whether it has ended, after at most `limit_s`."""
    wait([future], limit_s)
    return future.done()
