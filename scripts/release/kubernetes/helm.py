"""Helm as the engine uses it: what it is told, how long it may take, and what a killed one left behind.

Helm moves no users; it installs and removes slots. It runs in a process group that ends with the engine, so a release
that is pending under our label has nobody at work on it, and its pending revision is taken away before the next try.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import msgspec

from scripts.release.errors import NeedsPerson, ReleaseError
from scripts.release.external import run_command
from scripts.release.file import Kubernetes
from scripts.release.kubernetes.client import Api, Object

LIMIT_S: Final = 60.0  # for one call: it waits for no pod
FOREIGN_S: Final = 300.0  # a pending revision that is not ours and older than this has nobody at work on it
PENDING: Final = ("pending-install", "pending-upgrade", "pending-rollback")
OURS: Final = "primetrade-release"  # label of the Secrets in which Helm keeps what we told it
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
        for secret in self._pending_free(name):
            self._api.delete(f"{self._secrets}/{secret['metadata']['name']}")
        self._run(install_words(name, self._chart), f"install {name}", msgspec.json.encode(values))

    def uninstall(self, name: str) -> None:
        """Take a release away, its pods in the background; nothing to do where there is none.

        A pending revision stays where it is: Helm takes away what that one brought.
        """
        self._pending_free(name)
        self._run(["uninstall", name, "--ignore-not-found"], f"uninstall {name}")

    def pending(self, name: str) -> Sequence[Object]:
        """The revisions of a release that were begun and not ended, the oldest first."""
        found = self._api.list(self._secrets, labels=f"owner=helm,name={name},status in ({','.join(PENDING)})")
        return sorted(found, key=_revision)

    def _pending_free(self, name: str) -> Sequence[Object]:
        """The pending revisions of a release, at which nobody is at work. Raises NeedsPerson where somebody may be."""
        found = self.pending(name)
        if words := next((words for each in found if (words := at_work(each, self._api.now()))), ""):
            raise NeedsPerson(f"release {name} is pending: {words}")
        return found

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
        *("--history-max", str(_KEPT), "--labels", f"{OURS}=true", "--timeout", f"{LIMIT_S:.0f}s"),
    ]


def at_work(secret: Object, now: float) -> str:
    """Who may still be at work on a pending revision, in words; "" where nobody is. `now` is in Unix seconds."""
    labels = secret["metadata"]["labels"]
    if OURS in labels:
        return ""
    age = now - float(labels.get("modifiedAt") or labels.get("createdAt") or 0)
    if age > FOREIGN_S:
        return ""
    return (
        f"somebody's helm began revision {labels.get('version')} ({labels['status']}) {age:.0f} s ago. Wait for it; "
        f"after {FOREIGN_S:.0f} s it is taken for dead, and this command mends it"
    )


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
