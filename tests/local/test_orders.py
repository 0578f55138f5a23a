"""Orders to the replicas of a slot."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import cast

import pytest

from scripts.local import slots
from scripts.local.errors import ProbeError, UnheardError
from scripts.local.processes import Process
from scripts.local.slots import Replica, Slot, SlotSpec
from scripts.local.state import State

REPLICAS = 3
STATE = cast(State, SimpleNamespace(admin_token="t"))
SLOT = Slot("blue", SlotSpec("1"), tuple(Replica(Process(n, 0, "slot", "log"), n, n) for n in range(REPLICAS)), "")


def test_replicas_are_told_together_so_that_those_that_hang_take_their_time_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A rollback waits for it before it writes the route."""
    all_asked = threading.Barrier(REPLICAS)

    def exchange(port: int, *arguments: object, **more: object) -> tuple[int, bytes]:
        all_asked.wait(2)
        return 200, b""

    monkeypatch.setattr(slots, "exchange", exchange)
    slots.drain(STATE, SLOT, on=False)


@pytest.mark.parametrize(("deaf", "kind"), [((1,), ProbeError), ((0, 1, 2), UnheardError)])
def test_who_did_not_hear_it_is_said_and_whether_anybody_did(
    monkeypatch: pytest.MonkeyPatch, deaf: tuple[int, ...], kind: type[ProbeError]
) -> None:
    def exchange(port: int, *arguments: object, **more: object) -> tuple[int, bytes]:
        return (401, b"no") if port in deaf else (200, b"")

    monkeypatch.setattr(slots, "exchange", exchange)
    with pytest.raises(ProbeError, match="POST /admin/drain was refused with 401: no") as refused:
        slots.drain(STATE, SLOT, on=True)
    assert type(refused.value) is kind
