"""Never two Helms on one release: one that may be alive is waited for, a dead one's revision is taken away."""

from __future__ import annotations

import datetime as dt
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from scripts.release.errors import NeedsPerson
from scripts.release.external import Ended
from scripts.release.file import Kubernetes
from scripts.release.kubernetes import helm, process
from scripts.release.kubernetes.client import Api
from scripts.release.kubernetes.helm import Helm
from tests.release.kubernetes.apiserver import Server
from tests.release.kubernetes.objects import Object

SECRETS = "/api/v1/namespaces/shop-space/secrets"
LABEL = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
NOW = 1_700_000_000.0


def secret(status: str, age: float, now: float = NOW, **labels: str) -> Object:
    made = dt.datetime.fromtimestamp(now - age, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    marks = {"status": status, "version": "3", **labels}
    return {"metadata": {"name": "revision-3", "creationTimestamp": made, "labels": marks}}


def ours(by: str = "another-machine.42.7") -> dict[str, str]:
    return {helm.OURS: "true", helm.PROCESS: by}


@pytest.fixture(scope="module")
def dead() -> str:
    """The label of a process of this machine that has ended."""
    code = "from scripts.release.kubernetes import process; print(process.label())"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What Helm is told: its verb and the release."""
    said: list[str] = []

    def run(argv: Sequence[str], *args: Any, **more: Any) -> Ended:
        said.append(" ".join(word for word in argv[1:4] if not word.startswith("-")))
        return Ended(0, "")

    monkeypatch.setattr(helm, "run_command", run)
    monkeypatch.setattr(helm, "program", lambda: "helm")
    return said


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], object]]:
    """What happens while it waits, one each time; it fails where it waits once more."""
    then: list[Callable[[], object]] = []
    ticking = SimpleNamespace(monotonic=time.monotonic, sleep=lambda seconds: then.pop(0)())
    monkeypatch.setattr(helm, "time", ticking)
    return then


@pytest.fixture
def made(twin_api: Api, tmp_path: Path) -> Helm:
    return Helm(twin_api, Kubernetes(namespace="shop-space", app="shop"), tmp_path)


def test_the_label_of_a_process_is_a_label_and_tells_when_it_has_ended(dead: str) -> None:
    assert LABEL.fullmatch(process.label())
    assert not process.label_ended(process.label())
    assert process.label_ended(dead)
    assert not process.label_ended("another-machine.42.7")
    assert not process.label_ended("")


def test_a_revision_is_somebodys_until_he_is_dead(dead: str) -> None:
    """A run that was cut off may have its Helm alive for as long as Helm may take; by the server's clock."""
    assert helm.at_work(secret("pending-upgrade", 40, **ours()), NOW).startswith("another run's helm began revision 3")
    assert helm.at_work(secret("pending-upgrade", helm.LIMIT_S, **ours()), NOW)
    assert not helm.at_work(secret("pending-upgrade", helm.OURS_S + 1, **ours()), NOW)
    assert not helm.at_work(secret("pending-upgrade", 1, **ours(dead)), NOW)
    assert not helm.at_work(secret("pending-upgrade", 1, **ours(process.label())), NOW)  # our own call has returned
    assert helm.at_work(secret("pending-upgrade", 1, **ours("")), NOW)  # where the kernel says nothing


def test_somebody_elses_is_given_more_time(dead: str) -> None:
    words = helm.at_work(secret("pending-install", 20), NOW)
    assert words.startswith("somebody's helm began revision 3 (pending-install) 20 s ago")
    assert not helm.at_work(secret("pending-upgrade", helm.FOREIGN_S + 1), NOW)
    assert helm.at_work(secret("pending-rollback", 200, **ours(dead)), NOW).startswith("somebody's")  # by hand


@pytest.mark.parametrize("verb", ["upgrade", "uninstall"])
def test_a_helm_of_another_run_is_waited_for(
    server: Server, made: Helm, told: list[str], slept: list[Callable[[], object]], verb: str
) -> None:
    """And what it has done by then stays."""
    server.answer("POST", SECRETS, "", secret("pending-upgrade", 1, time.time(), **ours()))

    def nothing() -> None:
        assert told == []

    slept += [nothing, lambda: server.objects.pop(f"{SECRETS}/revision-3")]  # deployed: no longer among them
    made.install("shop-green", {}) if verb == "upgrade" else made.uninstall("shop-green")
    assert slept == []
    assert not any(each.startswith("DELETE") for each in server.asked)
    assert len(told) == 1


def test_a_revision_of_a_dead_one_is_taken_away_at_once(
    server: Server, made: Helm, told: list[str], slept: list[Callable[[], object]], dead: str
) -> None:
    server.answer("POST", SECRETS, "", secret("pending-upgrade", 1, time.time(), **ours(dead)))
    made.install("shop-green", {})
    assert f"DELETE {SECRETS}/revision-3" in server.asked
    assert told == ["upgrade shop-green"]


def test_a_helm_by_hand_is_for_a_person(
    server: Server, made: Helm, told: list[str], slept: list[Callable[[], object]]
) -> None:
    server.answer("POST", SECRETS, "", secret("pending-upgrade", 1, time.time()))
    with pytest.raises(NeedsPerson, match="release shop-green is pending: somebody's helm"):
        made.install("shop-green", {})
    assert told == []


def test_what_was_begun_to_be_taken_away_is_taken_away_first(
    server: Server, made: Helm, told: list[str], slept: list[Callable[[], object]]
) -> None:
    """By a run that was killed at it; Helm refuses to upgrade it."""
    server.answer("POST", SECRETS, "", secret(helm.UNINSTALLING, 1, time.time(), **ours()))
    made.install("shop-green", {})
    assert told == ["uninstall shop-green", "upgrade shop-green"]
