"""The file that seeding leaves for the journeys: who may log in, and whose tasks are whose."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from loadtest.errors import LoadError


class SeededUser(msgspec.Struct, frozen=True):
    """One user: the access token is good for the length of a test, the tasks are in order of popularity."""

    id: int
    email: str
    token: str
    task_ids: tuple[int, ...]


class Tokens(msgspec.Struct, frozen=True):
    """All seeded users; one password serves them all."""

    password: str
    users: tuple[SeededUser, ...]
    expires_at: float  # Unix seconds; no access token here is good for longer


class TokensError(LoadError):
    """A tokens file that cannot be used."""


def write_tokens(path: Path, tokens: Tokens) -> None:
    """Write the file anew, readable by its owner only. Raises TokensError when it cannot be."""
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.unlink(missing_ok=True)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(msgspec.json.encode(tokens))
        part.replace(path)
    except OSError as exc:
        raise TokensError(f"{path}: cannot be written: {exc.strerror}; give another --tokens") from exc


def read_tokens(path: Path) -> Tokens:
    """Read the file. Raises TokensError when it cannot be used."""
    try:
        tokens = msgspec.json.decode(path.read_bytes(), type=Tokens)
    except OSError as exc:
        raise TokensError(f"{path}: cannot be read: {exc.strerror}; `primetrade db seed` writes it") from exc
    except msgspec.DecodeError as exc:
        raise TokensError(f"{path}: not a tokens file: {exc}; `primetrade db seed` writes it anew") from exc
    if len(tokens.users) < 2 or not all(user.task_ids for user in tokens.users):
        raise TokensError(f"{path}: fewer than two users with tasks; seed more with `primetrade db seed`")
    return tokens


def check_lasting(path: Path, until: float) -> None:
    """Raise TokensError when the file cannot be used, or its tokens may be refused before `until` (Unix seconds)."""
    expires_at = read_tokens(path).expires_at
    if expires_at < until:
        ends, wanted = (f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M} UTC" for at in (expires_at, until))
        raise TokensError(
            f"{path}: its tokens expire at {ends}, and this run may last until {wanted}; "
            "`primetrade db seed` writes fresh ones"
        )
