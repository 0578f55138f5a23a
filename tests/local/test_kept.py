"""What `up` makes of a route that is lost: never another one than users had."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.local import envoy, slots, system
from scripts.local.envoy_config import Routes
from scripts.local.errors import LocalError
from scripts.local.kept import Remembered
from scripts.local.slots import Slot, SlotSpec, read_slot
from scripts.local.state import State, replace_file
from tests.local.traffic import route, send

SHARED = Routes(blue=30, green=70, note={"run": "r1", "fence": "7"})


def nothing(home: Path) -> Routes | None:
    """A home without releases."""
    return None


def up(state: State, remembered: Remembered = nothing) -> list[str]:
    """What is said of the route."""
    said: list[str] = []
    system.up(Path(state.home), said.append, migrate=lambda url, report: None, remembered=remembered)
    return [line for line in said if line.startswith("route: ")]


def lose(state: State, content: bytes | None) -> None:
    path = envoy.routes_path(Path(state.home))
    if content is None:
        path.unlink()
    else:
        replace_file(path, content)


LOST = pytest.mark.parametrize("content", [b"garbage", b"", None], ids=["garbage", "empty", "gone"])


@LOST
def test_a_lost_route_is_written_anew_as_envoy_serves_it(edge: State, green: Slot, content: bytes | None) -> None:
    """With its note, so that the next release knows who wrote it."""
    before = route(edge, SHARED)
    lose(edge, content)
    [said] = up(edge, lambda home: Routes(blue=100, green=0))
    assert said.endswith("written anew as Envoy serves it: blue 30 %, green 70 %")
    found = envoy.read_routes(Path(edge.home))
    assert found
    assert (found.blue, found.green, found.note) == (30, 70, before.note)
    assert up(edge) == []


@LOST
def test_a_route_lost_while_nothing_ran_is_written_anew_as_the_journal_has_it(
    edge: State, green: Slot, content: bytes | None
) -> None:
    route(edge, Routes(blue=0, green=100))
    system.down(Path(edge.home), print)
    lose(edge, content)
    [said] = up(edge, lambda home: Routes(blue=0, green=100))
    assert said.endswith("as the journal of releases has it: blue 0 %, green 100 %")
    assert send(edge).headers["x-slot"] == "green"


def test_a_lost_route_leads_to_the_only_slot(edge: State, green: Slot) -> None:
    """Whichever it is: nobody else could answer."""
    route(edge, Routes(blue=0, green=100))
    slots.stop_slot(Path(edge.home), "blue")
    system.down(Path(edge.home), print)
    lose(edge, b"garbage")
    [said] = up(edge)
    assert said.endswith("for green, the only slot there is: blue 0 %, green 100 %")
    assert send(edge).headers["x-slot"] == "green"


def test_no_route_is_made_up_where_either_slot_may_have_the_users(
    edge: State, green: Slot, artefact: Callable[..., SlotSpec]
) -> None:
    """The one who knows is told how to say it."""
    home = Path(edge.home)
    route(edge, Routes(blue=0, green=100))
    system.down(home, print)
    lose(edge, b"garbage")
    with pytest.raises(LocalError, match=r"routes.json is not a route.*blue \(1\.0\.0\) or green \(2\.0\.0\).*delete"):
        up(edge)
    assert envoy.routes_path(home).read_bytes() == b"garbage"
    assert read_slot(home, "blue")
    (home / "slots" / "blue.json").unlink()
    up(edge)
    assert send(edge).headers["x-slot"] == "green"
