"""Access tokens: JWT signed with HS256, a key id in the header and one fixed algorithm per key."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from typing import Any, Literal

import jwt
import msgspec

from app.expiring import Expiring
from app.problems import Problem

ALGORITHM = "HS256"
ISSUER = "primetrade"
AUDIENCE = "primetrade-api"
LEEWAY_S = 5  # clocks of two machines
VERIFIED_S = 30.0  # how long a verified token is believed without verifying it again
MAX_VERIFIED = 20_000
CLAIMS = ["exp", "iat", "sub", "aud", "iss"]

Role = Literal["user", "admin"]


class Identity(msgspec.Struct, frozen=True):
    """Who a request comes from."""

    id: int
    role: Role

    @property
    def is_admin(self) -> bool:
        return self.role == "admin"


def issue(user_id: int, role: str, keys: Mapping[str, str], ttl_s: int) -> str:
    """A token for a user, signed with the first of `keys` (kid → secret)."""
    kid, secret = next(iter(keys.items()))
    now = int(time.time())
    claims = {"sub": str(user_id), "role": role, "iss": ISSUER, "aud": AUDIENCE, "iat": now, "exp": now + ttl_s}
    return jwt.encode(claims, secret, algorithm=ALGORITHM, headers={"kid": kid})


class Tokens:
    """Issues and verifies with the keys of this process."""

    def __init__(self, keys: Mapping[str, str], ttl_s: int) -> None:
        self.ttl_s = ttl_s
        self._keys = keys
        self._verified: Expiring[bytes, Identity] = Expiring(MAX_VERIFIED)

    def issue(self, user_id: int, role: Role) -> str:
        return issue(user_id, role, self._keys, self.ttl_s)

    def verify(self, token: str) -> Identity:
        """Who the token speaks for. Raises Problem (401) for any token we would not issue now."""
        digest = hashlib.sha256(token.encode()).digest()
        identity = self._verified.get(digest)
        if identity is not None:
            return identity
        identity, expires = self._decode(token)
        self._verified.put(digest, identity, min(VERIFIED_S, expires - time.time()))
        return identity

    def _decode(self, token: str) -> tuple[Identity, float]:
        try:
            kid = jwt.get_unverified_header(token).get("kid")
            key = self._keys.get(kid) if isinstance(kid, str) else None
            if key is None:
                raise jwt.InvalidKeyError("no such key")
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                audience=AUDIENCE,
                issuer=ISSUER,
                leeway=LEEWAY_S,
                options={"require": CLAIMS},
            )
            identity = msgspec.convert({"id": claims["sub"], "role": claims.get("role")}, Identity, strict=False)
        except (jwt.PyJWTError, msgspec.ValidationError):
            raise not_authenticated("The access token is not valid, or no longer.", error="invalid_token") from None
        return identity, claims["exp"]


def not_authenticated(detail: str, error: str = "") -> Problem:
    """401 with the challenge RFC 6750 §3 asks for."""
    challenge = 'Bearer realm="primetrade"' + (f', error="{error}"' if error else "")
    return Problem("not-authenticated", detail, {"WWW-Authenticate": challenge})
