"""The route of a home: by its file, and where that is lost or spoilt by Envoy, which goes on with what it has."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path

import msgspec

from scripts.local import envoy
from scripts.local.envoy_config import Routes
from scripts.local.errors import LocalError, ProbeError
from scripts.local.state import State
from scripts.release.errors import ReleaseError
from scripts.release.journal import FileJournal
from scripts.release.local_route import remembered, route_of
from scripts.release.memory import remember
from scripts.release.route import Route

MEND = "`primetrade local up` writes it anew as"


def journal_at(home: Path) -> FileJournal:
    """The journal of a home's releases."""
    return FileJournal(home / "release" / "journal.jsonl")


def known(home: Path) -> Routes | None:
    """The route as the journal has it; None where it has none or cannot be read."""
    with suppress(ReleaseError):
        return remembered(remember(journal_at(home).read()))
    return None


def shown(home: Path, state: State) -> Route:
    """Where users go. Raises LocalError where nothing says it, ProbeError where only Envoy could and does not answer.

    Without its file the route's token stays the same until somebody writes one: a run may still compare and swap.
    """
    try:
        if found := envoy.read_routes(home):
            return route_of(found)
        lost = f"{envoy.routes_path(home)} is gone"
    except LocalError as exc:
        lost = str(exc)
    try:
        if served := envoy.applied(state):
            return msgspec.structs.replace(route_of(served), lost=f"{lost}; {MEND} Envoy serves it")
    except ProbeError:
        raise
    except LocalError as exc:  # edited so that Envoy takes it and nobody can tell what it means
        lost = f"{lost}, and {exc}"
    if past := known(home):
        return msgspec.structs.replace(route_of(past), token=_token(home), lost=f"{lost}; {MEND} the journal has it")
    raise LocalError(f"{lost}: `primetrade local up` writes one")


def _token(home: Path) -> str:
    with suppress(FileNotFoundError):
        return hashlib.sha256(envoy.routes_path(home).read_bytes()).hexdigest()[:16]
    return "gone"
