"""Signed cursors of key-set pages: the last row's (created_at, id), bound to one user and one set of filters."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from datetime import datetime

import msgspec

from app.problems import Problem

MAC_BYTES = 16
MAX_LENGTH = 120  # characters; ours have 60


class Position(msgspec.Struct, frozen=True, array_like=True):
    """A row's place in a list ordered by created_at, then id."""

    created_at: datetime
    id: int


class Cursors:
    """Makes and reads cursors. Clients hold them, so they are signed; they are no secret, so they are not encrypted."""

    def __init__(self, key: str) -> None:
        self._key = key.encode()

    def make(self, position: Position, scope: str) -> str:
        """`scope` names everything the cursor is bound to: list, user, filters."""
        payload = msgspec.msgpack.encode(position)
        return base64.urlsafe_b64encode(self._mac(payload, scope) + payload).rstrip(b"=").decode()

    def read(self, cursor: str, scope: str) -> Position:
        """Raises Problem for a cursor of another scope, or one that was not made here."""
        problem = Problem("invalid-cursor", "Start again without a cursor; it is bound to the user and the filters.")
        if len(cursor) > MAX_LENGTH:
            raise problem
        try:
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raise problem from None
        mac, payload = raw[:MAC_BYTES], raw[MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(payload, scope)):
            raise problem
        return msgspec.msgpack.decode(payload, type=Position)

    def _mac(self, payload: bytes, scope: str) -> bytes:
        return hmac.digest(self._key, scope.encode() + b"\0" + payload, hashlib.sha256)[:MAC_BYTES]
