"""`/users`: one's own account, and the list of all for administrators."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from app.auth.tokens import Identity, not_authenticated
from app.call import runtime
from app.pages import PageQuery, cut, position
from app.service import Service
from app.users import accounts
from app.users.accounts import User

service = Service("users")


class UserPage(msgspec.Struct, frozen=True):
    """A page of accounts; `next_cursor` is null on the last."""

    items: Sequence[User]
    next_cursor: str | None


@service.operation("GET", "/users/me", "The account the token belongs to.", answer=User)
def me(user: Identity) -> User:
    found = accounts.find(runtime().database, user.id)
    if found is None:
        raise not_authenticated("The account is gone.", error="invalid_token")
    return found


@service.operation(
    "GET",
    "/users",
    "All accounts, newest first (administrators).",
    access="admin",
    query=PageQuery,
    answer=UserPage,
    problems=("invalid-cursor",),
)
def list_users(user: Identity, query: PageQuery) -> UserPage:
    scope = f"users:{user.id}"
    rows = accounts.page(runtime().database, position(query, scope), query.limit + 1)
    return UserPage(*cut(rows, query.limit, scope))
