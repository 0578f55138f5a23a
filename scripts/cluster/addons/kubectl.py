"""kubectl on one cluster: what it prints, and what it refuses as an error."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import msgspec

from scripts.cluster.errors import ClusterError
from scripts.tools import tool

APPLY_S = 120.0
_TIMEOUT_S = 30.0


class Kubectl(msgspec.Struct, frozen=True):
    """Every method raises ClusterError with kubectl's own words."""

    kubeconfig: Path

    def run(self, *words: str, given: str = "", timeout_s: float = _TIMEOUT_S) -> str:
        """What kubectl prints when it is told `words` and gets `given` on its input."""
        argv = [str(tool("kubectl")), f"--kubeconfig={self.kubeconfig}", *words]
        try:
            done = subprocess.run(argv, input=given, capture_output=True, text=True, timeout=timeout_s, check=False)
        except subprocess.TimeoutExpired as exc:
            raise ClusterError(
                f"kubectl {' '.join(words)}: no answer in {timeout_s:.0f} s; see `primetrade cluster status`"
            ) from exc
        if done.returncode:
            raise ClusterError(f"kubectl {' '.join(words)}: {done.stderr.strip()}")
        return done.stdout

    def get(self, *words: str) -> Any:
        """The object that `kubectl get` finds, as data; None if there is none."""
        found = self.run("get", *words, "--ignore-not-found", "--output=json")
        return msgspec.json.decode(found) if found else None

    def list(self, *words: str) -> list[Any]:
        """The objects that `kubectl get` finds."""
        found = self.get(*words)
        return found["items"] if found else []

    def apply(self, manifests: str) -> None:
        """Make the cluster's objects what `manifests` say; what is so already is not written."""
        self.run("apply", "--server-side", "--force-conflicts", "--filename=-", given=manifests, timeout_s=APPLY_S)
