"""Ports are chosen before anything listens on them: whoever chooses next, here or elsewhere, must choose others."""

from __future__ import annotations

import subprocess
import sys
from collections import deque
from collections.abc import Iterator

import pytest

from scripts.local import ports

RANGE = "ports._LOWEST, ports._HIGHEST, ports._TRIES = 20_000, 20_060, 60"  # so few that choices would meet
CODE = f"from scripts.local import ports; {RANGE}; print(*(ports.free_port() for _ in range(20)), flush=True); input()"


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(ports, "_LOWEST", 20_000)
    monkeypatch.setattr(ports, "_HIGHEST", 20_060)
    monkeypatch.setattr(ports, "_TRIES", 60)
    monkeypatch.setattr(ports, "_claims", claims := deque())
    yield
    for claim in claims:
        claim.close()


def test_two_calls_and_two_processes_never_choose_the_same_port() -> None:
    here = [ports.free_port() for _ in range(20)]
    other = subprocess.Popen([sys.executable, "-c", CODE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert other.stdout
    try:
        there = [int(word) for word in other.stdout.readline().split()]
        assert len({*here, *there}) == 40
    finally:
        other.communicate("\n", timeout=10)


def test_the_oldest_choices_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "_KEPT_CLAIMS", 3)
    for _ in range(100):  # more than there are ports
        ports.free_port()
    assert len(ports._claims) == 3
