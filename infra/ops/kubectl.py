"""What must go from a cluster before its machines and networks can: fronts and node pools."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Final, Protocol

from infra.errors import ConfigError, OpsError

LIMIT_S: Final = 60
POOLS: Final = "nodepools.karpenter.sh"


class Workloads(Protocol):
    """The real one is Kubectl; tests have a fake. Lists are empty where there is nothing left."""

    def fronts(self) -> list[str]:
        """Ingresses and Services for which a controller keeps a load balancer: "ingress team/name"."""

    def delete_fronts(self) -> None:
        """Ask for their end; their finalizers hold them until the load balancers are gone."""

    def pools(self) -> list[str]:
        """Karpenter's node pools and the nodes that it made."""

    def delete_pools(self) -> None:
        """Ask for the end of the pools; Karpenter drains and ends their nodes."""


class Kubectl:
    """The `kubectl` of the PATH, on a context of the kubeconfig. Raises OpsError with what it said."""

    def __init__(self, context: str) -> None:
        found = shutil.which("kubectl")
        if found is None:
            raise ConfigError("no kubectl in the PATH; install it, or say --context none where the cluster is gone")
        self.command = [found, "--context", context, f"--request-timeout={LIMIT_S}s"]

    def fronts(self) -> list[str]:
        """As the protocol says."""
        return [f"{kind} {space}/{name}" for kind, space, name in self._fronts()]

    def delete_fronts(self) -> None:
        """As the protocol says."""
        for kind, space, name in self._fronts():
            self._run("delete", kind, name, "--namespace", space, "--wait=false", "--ignore-not-found")

    def pools(self) -> list[str]:
        """As the protocol says."""
        nodes = self._run("get", "nodes", "--selector", "karpenter.sh/nodepool", "--output", "name")
        return self._pools() + nodes.split()

    def delete_pools(self) -> None:
        """As the protocol says."""
        for pool in self._pools():
            self._run("delete", pool, "--wait=false", "--ignore-not-found")

    def _pools(self) -> list[str]:
        known = self._run("api-resources", "--api-group", "karpenter.sh", "--output", "name")
        return self._run("get", POOLS, "--output", "name").split() if POOLS in known.split() else []

    def _fronts(self) -> list[tuple[str, str, str]]:
        found = json.loads(self._run("get", "ingresses,services", "--all-namespaces", "--output", "json"))["items"]
        return [
            (each["kind"].lower(), each["metadata"]["namespace"], each["metadata"]["name"])
            for each in found
            if each["kind"] == "Ingress" or each["spec"].get("type") == "LoadBalancer"
        ]

    def _run(self, *words: str) -> str:
        try:
            done = subprocess.run(
                [*self.command, *words], capture_output=True, text=True, timeout=2 * LIMIT_S, check=False
            )
        except subprocess.TimeoutExpired as exc:
            raise OpsError(f"kubectl {words[0]} took more than {2 * LIMIT_S} s; is the cluster there?") from exc
        if done.returncode:
            raise OpsError(f"kubectl {' '.join(words[:2])}: {done.stderr.strip()}")
        return done.stdout
