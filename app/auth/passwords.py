"""argon2id password hashes, a bounded number at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from app.problems import Problem

# OWASP Password Storage Cheat Sheet: argon2id with 19 MiB, 2 passes, 1 lane.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
AT_ONCE = 2
WAIT_S = 0.2  # a hash takes tens of milliseconds: a short queue is no overload


def hash_password(password: str) -> str:
    """The hash to store, in PHC string format."""
    return _HASHER.hash(password)


class Passwords:
    """Hashes and verifies, two at once in this process; memory and CPU stay bounded whatever arrives."""

    def __init__(self) -> None:
        self._permits = threading.BoundedSemaphore(AT_ONCE)

    @cached_property
    def dummy(self) -> str:
        """Verified when there is no such account, so that both cases take the same time."""
        return hash_password("of nobody")

    def hash(self, password: str) -> str:
        """Raises Problem (429) when too many are under way."""
        with self._permit():
            return hash_password(password)

    def verify(self, stored: str | None, password: str) -> bool:
        """Whether the password is the stored one; False, after the same work, for None. Raises Problem (429)."""
        with self._permit():
            try:
                _HASHER.verify(stored or self.dummy, password)
            except (VerificationError, InvalidHashError):
                return False
        return stored is not None

    @contextmanager
    def _permit(self) -> Iterator[None]:
        if not self._permits.acquire(timeout=WAIT_S):
            raise Problem("login-busy", headers={"Retry-After": "1"})
        try:
            yield
        finally:
            self._permits.release()
