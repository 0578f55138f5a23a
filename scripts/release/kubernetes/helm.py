"""Helm as the engine uses it: what it is told, how long it may take, and what a killed one left behind.

Helm moves no users; it installs and removes slots. It runs in a process group that ends with the engine, or else at its
limit: a release that is pending under our label has nobody at work on it once that engine is known to have ended, or
the limit is over. Until then it is waited for, so that no two Helms are on one release; then its pending revision is
taken away before the next try.
"""

from __future__ import annotations

import datetime as dt
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import msgspec

from scripts.release.errors import NeedsPerson, ReleaseError
from scripts.release.external import run_command
from scripts.release.file import Kubernetes
from scripts.release.kubernetes import process
from scripts.release.kubernetes.client import Api, Object

LIMIT_S: Final = 60.0  # for one call: it waits for no pod
OURS_S: Final = LIMIT_S + 5.0  # a pending revision of ours that is older than this has nobody at work on it
FOREIGN_S: Final = 300.0  # and one that is not ours
POLL_S: Final = 0.5
PENDING: Final = ("pending-install", "pending-upgrade", "pending-rollback")
UNINSTALLING: Final = "uninstalling"
# Labels of the Secrets in which Helm keeps what we told it: that it was us, and the process that did.
OURS: Final = "primetrade-release"
PROCESS: Final = "primetrade-process"
_KEPT: Final = 5  # revisions in Helm's memory
# It lives for a quarter of a second: collecting its garbage is a sixth of its CPU, and not doing so costs 30 MB.
_ENV: Final = {"GOGC": "off", "GOMEMLIMIT": "512MiB"}


class Helm:
    """Helm on one namespace."""

    def __init__(self, api: Api, settings: Kubernetes, directory: Path) -> None:
        """`directory`: of the release file, which the chart's path is relative to."""
        self._api, self._settings = api, settings
        self._chart = str(directory / settings.chart)
        self._secrets = f"/api/v1/namespaces/{settings.namespace}/secrets"

    def install(self, name: str, values: Mapping[str, Any]) -> None:
        """Install or upgrade a release; waits for no pod. Raises ReleaseError with Helm's reason, NeedsPerson."""
        found = self._pending_free(name)
        if any(_status(each) == UNINSTALLING for each in found):  # Helm upgrades none that was begun to be taken away
            self._run(uninstall_words(name), f"uninstall {name}")
        else:
            for secret in found:
                self._api.delete(f"{self._secrets}/{secret['metadata']['name']}")
        self._run(install_words(name, self._chart), f"install {name}", msgspec.json.encode(values))

    def uninstall(self, name: str) -> None:
        """Take a release away, its pods in the background; nothing to do where there is none.

        A pending revision stays where it is: Helm takes away what that one brought.
        """
        self._pending_free(name)
        self._run(uninstall_words(name), f"uninstall {name}")

    def pending(self, name: str) -> Sequence[Object]:
        """The revisions of a release that were begun and not ended, the oldest first."""
        begun = ",".join([*PENDING, UNINSTALLING])
        found = self._api.list(self._secrets, labels=f"owner=helm,name={name},status in ({begun})")
        return sorted(found, key=_revision)

    def _pending_free(self, name: str) -> Sequence[Object]:
        """The pending revisions of a release, once no Helm of ours is at work on it.

        Raises NeedsPerson where somebody else's may be: how long that takes nobody knows.
        """
        deadline = time.monotonic() + OURS_S
        while True:
            found = self.pending(name)
            busy = {words: is_ours(each) for each in found if (words := at_work(each, self._api.now()))}
            if foreign := [words for words, ours in busy.items() if not ours]:
                raise NeedsPerson(f"release {name} is pending: {foreign[0]}")
            if not busy or time.monotonic() > deadline:
                return found
            time.sleep(POLL_S)

    def _run(self, words: Sequence[str], what: str, given: bytes = b"") -> None:
        place = ["--namespace", self._settings.namespace]
        if self._api.kubeconfig:
            place += ["--kubeconfig", self._api.kubeconfig]
        if self._settings.context:
            place += ["--kube-context", self._settings.context]
        try:
            ended = run_command([program(), *words, *place], _ENV, LIMIT_S, given=given)
        except OSError as exc:
            raise ReleaseError(f"helm could not be run to {what}: {exc}") from exc
        if ended.code is None:
            raise ReleaseError(f"helm did not {what} in {LIMIT_S:g} s and was ended: {ended.said}")
        if ended.code:
            raise ReleaseError(f"helm did not {what}: {ended.said}")


def install_words(name: str, chart: str) -> list[str]:
    """What Helm is told. Fields that the engine or an autoscaler wrote since are taken over: they are written again.

    The server refuses fields that it does not know by itself; Helm's own look at its schemas took half of Helm's CPU.
    """
    return [
        *("upgrade", "--install", name, chart, "--values", "-"),
        *("--server-side=true", "--force-conflicts", "--disable-openapi-validation", "--wait=hookOnly"),
        *("--history-max", str(_KEPT), "--timeout", f"{LIMIT_S:.0f}s"),
        *("--labels", f"{OURS}=true,{PROCESS}={process.label()}"),
    ]


def uninstall_words(name: str) -> list[str]:
    """What Helm is told to take a release away."""
    return ["uninstall", name, "--ignore-not-found"]


def at_work(secret: Object, now: float) -> str:
    """Who may still be at work on a pending revision, in words; "" where nobody is.

    `now`: the server's time, Unix seconds, as that of the Secret: Helm's own is of the machine that it ran on.
    """
    ours, labels = is_ours(secret), secret["metadata"]["labels"]
    by = labels.get(PROCESS, "") if ours else ""
    ended = by and (by == process.label() or process.label_ended(by))  # a call of our own has returned
    age = now - dt.datetime.fromisoformat(secret["metadata"]["creationTimestamp"]).timestamp()
    limit = OURS_S if ours else FOREIGN_S
    if _status(secret) == UNINSTALLING or ended or age > limit:
        return ""
    whose = "another run's" if ours else "somebody's"
    return (
        f"{whose} helm began revision {labels.get('version')} ({_status(secret)}) {age:.0f} s ago. Wait for it; "
        f"after {limit:.0f} s it is taken for dead, and this command mends it"
    )


def is_ours(secret: Object) -> bool:
    """Whether a run began this revision; a rollback by hand has the labels of what it goes back to."""
    return OURS in secret["metadata"]["labels"] and _status(secret) != "pending-rollback"


def _status(secret: Object) -> str:
    return str(secret["metadata"]["labels"].get("status", ""))


def _revision(secret: Object) -> int:
    return int(secret["metadata"]["labels"].get("version", 0))


@cache
def program() -> str:
    """The Helm 4 on PATH, or else the one built from `tools/helm`. Raises ReleaseError."""
    from scripts.tools import ToolError, tool  # noqa: PLC0415 - only where there is none

    found = shutil.which("helm")
    if found and _version(found).startswith("v4."):
        return found
    try:
        return str(tool("helm"))
    except ToolError as exc:
        raise ReleaseError(f"Helm 4 is needed: put it on PATH. {exc}") from exc


def _version(helm: str) -> str:
    try:
        said = subprocess.run(
            [helm, "version", "--template", "{{.Version}}"], capture_output=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return said.stdout.decode(errors="replace").strip()
