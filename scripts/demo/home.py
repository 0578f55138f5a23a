"""The demo's own home: made empty before it, and ended after it."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scripts.demo.errors import DemoError
from scripts.demo.late import SHARE
from scripts.demo.scene import Scene
from scripts.demo.screen import Screen
from scripts.demo.spent import Spending
from scripts.local import slots, system
from scripts.local.errors import LockedError
from scripts.local.state import ROOT, State
from scripts.release.file import read_release_file
from scripts.release.local import Local

MARK = "demo"  # a file in a home this demo made; no other home is ever emptied


@contextmanager
def local_scene(home: Path, overrides: tuple[str, ...], screen: Screen, *, out: Path, keep: bool) -> Iterator[Scene]:
    """The local system, empty and of this demo's own."""
    file = read_release_file(ROOT / "release.yaml", overrides)
    with fresh_system(home, screen, out=out, keep=keep) as state:

        def breaks(name: str) -> None:
            slot = slots.read_slot(home, name)
            assert slot is not None  # it has all users
            slots.faults(state, slot, error_share=SHARE)

        yield Scene(
            platform=Local(home, file),
            file=file,
            edge=state.edge_url,
            database_url=state.database_url,
            jwt_keys=state.jwt_keys,
            folder=home,
            first=system.FIRST.version,
            breaks=breaks,
            spent=lambda generator: Spending(state, home, generator),
            parting=(
                f"Left up: {state.edge_url}; database: primetrade local psql --home {home}",
                f"See it: primetrade local status --home {home}",
                f"End it: primetrade local down --home {home}",
            ),
        )


@contextmanager
def fresh_system(home: Path, screen: Screen, *, out: Path, keep: bool = False) -> Iterator[State]:
    """An empty local system of this demo's own; gone afterwards unless it is to be kept and all went well."""
    kept = False
    with _alone(home):
        _empty(home, screen)
        try:
            yield system.up(home, screen.note)
            kept = keep
        except BaseException:
            screen.note(f"stopping; logs stay in {home / 'log'}, what was recorded in {out}")
            raise
        finally:
            if not kept:
                system.down(home, screen.note)


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Be the only demo in this home. Raises LockedError; a killed demo holds nothing."""
    try:
        home.parent.mkdir(parents=True, exist_ok=True)
        file = home.with_name(f"{home.name}.lock").open("w")
    except OSError as exc:
        raise DemoError(f"{exc.filename}: {exc.strerror}: give another --home") from exc
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LockedError(f"another demo runs in {home}: wait for its end, or give another --home") from None
        yield


def _empty(home: Path, screen: Screen) -> None:
    """Make room: what an earlier demo left there goes, anything else stays. Raises DemoError."""
    try:
        if home.exists() and any(home.iterdir()):
            if not (home / MARK).exists():
                raise DemoError(f"{home} is not empty and was not made by the demo: give another --home, or none")
            screen.note(f"replacing what an earlier demo left in {home}")
        system.down(home, screen.note)  # also what runs without its folder
        shutil.rmtree(home, ignore_errors=not home.exists())
        home.mkdir(parents=True, exist_ok=True)
        (home / MARK).touch()
    except OSError as exc:  # made by root, say
        raise DemoError(f"{exc.filename}: {exc.strerror}: remove {home}, or give another --home") from exc
