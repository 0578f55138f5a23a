"""`/auth`: registration and login."""

from __future__ import annotations

import hashlib
from typing import Annotated

import msgspec
from msgspec import Meta

from app.call import current, runtime
from app.problems import Problem
from app.service import Service
from app.users import accounts
from app.users.accounts import User

service = Service("auth")

# Python's `$` also matches before a final newline, and `\Z` is none of OpenAPI's (ECMA-262's) words.
Email = Annotated[str, Meta(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$(?!\n)", max_length=254)]
Username = Annotated[str, Meta(pattern=r"^[\w.-]+$(?!\n)", min_length=3, max_length=50)]
# No rule but length (NIST SP 800-63B §3.1.1.2); the upper bound keeps the hash's input small.
NewPassword = Annotated[str, Meta(min_length=8, max_length=128)]


class Registration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A new account. The role is not the caller's to choose."""

    email: Email
    username: Username
    password: NewPassword


class Login(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Credentials to exchange for a token."""

    email: Annotated[str, Meta(max_length=254)]
    password: Annotated[str, Meta(max_length=128)]


class AccessToken(msgspec.Struct, frozen=True):
    """`expires_in` in seconds."""

    access_token: str
    token_type: str
    expires_in: int


@service.operation(
    "POST",
    "/auth/register",
    "Create an account.",
    access="public",
    body=Registration,
    answer=User,
    status=201,
    problems=("email-taken", "username-taken", "login-busy"),
)
def register(body: Registration) -> User:
    parts = runtime()
    parts.limiter.take(parts.logins_per_address, current.get().client)
    return accounts.create(parts.database, body.email, body.username, parts.passwords.hash(body.password))


@service.operation(
    "POST",
    "/auth/login",
    "Exchange e-mail and password for an access token.",
    access="public",
    body=Login,
    answer=AccessToken,
    problems=("wrong-credentials", "login-busy"),
)
def login(body: Login) -> AccessToken:
    """Unknown account and wrong password look the same, in words and in time."""
    parts = runtime()
    parts.limiter.take(parts.logins_per_address, current.get().client)
    account = hashlib.sha256(body.email.lower().encode()).hexdigest()  # no addresses in the shared cache
    parts.limiter.take(parts.logins_per_account, account)
    found = accounts.credentials(parts.database, body.email)
    if not parts.passwords.verify(found.password_hash if found else None, body.password) or found is None:
        raise Problem("wrong-credentials")
    return AccessToken(parts.tokens.issue(found.id, found.role), "Bearer", parts.tokens.ttl_s)
