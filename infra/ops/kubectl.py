"""What must go from a cluster before its machines and networks can: fronts, node pools, and disks."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any, Final, Protocol

from infra.errors import ConfigError, OpsError

LIMIT_S: Final = 60
POOLS: Final = "nodepools.karpenter.sh"
DISKS: Final = ("ebs.csi.aws.com", "ebs.csi.eks.amazonaws.com")  # drivers; the second is Auto Mode's
SYSTEM: Final = "kube-system"  # its pods run on the managed nodes too, and EKS brings back what is its own


class Workloads(Protocol):
    """The real one is Kubectl; tests have a fake. Lists are empty where there is nothing left."""

    def fronts(self) -> list[str]:
        """Ingresses and Services for which a controller keeps a load balancer: "ingress team/name"."""

    def delete_fronts(self) -> None:
        """Ask for their end; their finalizers hold them until the load balancers are gone."""

    def budgets(self) -> list[str]:
        """Disruption budgets that would keep pods on nodes which are to go: "budget team/name"."""

    def delete_budgets(self) -> None:
        """Take them away: the pods that they speak of find no other node."""

    def pools(self) -> list[str]:
        """Karpenter's node pools and the nodes that it made."""

    def delete_pools(self) -> None:
        """Ask for the end of the pools; Karpenter drains and ends their nodes."""

    def disks(self) -> list[str]:
        """Volumes of EBS that end with their claims: "disk team/claim"."""

    def delete_disks(self) -> None:
        """Ask for the end of the claims; the driver deletes their volumes once no pod has them."""


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
            self._delete(kind, space, name)

    def budgets(self) -> list[str]:
        """As the protocol says."""
        return [f"budget {space}/{name}" for space, name in self._budgets()]

    def delete_budgets(self) -> None:
        """As the protocol says."""
        for space, name in self._budgets():
            self._delete("poddisruptionbudget", space, name)

    def pools(self) -> list[str]:
        """As the protocol says."""
        nodes = self._run("get", "nodes", "--selector", "karpenter.sh/nodepool", "--output", "name")
        return self._pools() + nodes.split()

    def delete_pools(self) -> None:
        """As the protocol says."""
        for pool in self._pools():
            self._run("delete", pool, "--wait=false", "--ignore-not-found")

    def disks(self) -> list[str]:
        """As the protocol says."""
        return [f"disk {space}/{claim}" for space, claim in self._claims()]

    def delete_disks(self) -> None:
        """As the protocol says."""
        for space, claim in self._claims():
            self._delete("persistentvolumeclaim", space, claim)

    def _budgets(self) -> list[tuple[str, str]]:
        places = [_place(each["metadata"]) for each in self._found("poddisruptionbudgets", "--all-namespaces")]
        return [each for each in places if each[0] != SYSTEM]

    def _claims(self) -> list[tuple[str, str]]:
        """By their volumes, which are there until the driver has deleted the disk."""
        specs = [each["spec"] for each in self._found("persistentvolumes")]
        return [
            _place(each["claimRef"])
            for each in specs
            if each.get("csi", {}).get("driver") in DISKS
            and each["persistentVolumeReclaimPolicy"] == "Delete"
            and "claimRef" in each
        ]

    def _pools(self) -> list[str]:
        known = self._run("api-resources", "--api-group", "karpenter.sh", "--output", "name")
        return self._run("get", POOLS, "--output", "name").split() if POOLS in known.split() else []

    def _fronts(self) -> list[tuple[str, str, str]]:
        return [
            (each["kind"].lower(), *_place(each["metadata"]))
            for each in self._found("ingresses,services", "--all-namespaces")
            if each["kind"] == "Ingress" or each["spec"].get("type") == "LoadBalancer"
        ]

    def _found(self, *words: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self._run("get", *words, "--output", "json"))["items"]
        return found

    def _delete(self, kind: str, space: str, name: str) -> None:
        self._run("delete", kind, name, "--namespace", space, "--wait=false", "--ignore-not-found")

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


def _place(named: dict[str, str]) -> tuple[str, str]:
    return named["namespace"], named["name"]
