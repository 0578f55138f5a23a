"""What an add-on lacks to be ready, by what the cluster says of it."""

from __future__ import annotations

from typing import Any

import pytest

from scripts.cluster.addons.readiness import lacks


def workload(generation: int = 1, **status: int) -> dict[str, Any]:
    return {"kind": "Deployment", "metadata": {"generation": generation}, "spec": {"replicas": 2}, "status": status}


def conditioned(kind: str, **conditions: tuple[str, str]) -> dict[str, Any]:
    every = [{"type": name, "status": status, "message": text} for name, (status, text) in conditions.items()]
    return {"kind": kind, "metadata": {"name": "x"}, "spec": {}, "status": {"conditions": every}}


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (None, "does not exist"),
        (workload(observedGeneration=1, replicas=2, readyReplicas=2, updatedReplicas=2), ""),
        (workload(observedGeneration=1, replicas=2, readyReplicas=1, updatedReplicas=2), "1 of 2 pods new and ready"),
        # The pods that are ready are still the old ones.
        (workload(observedGeneration=1, replicas=3, readyReplicas=2, updatedReplicas=1), "1 of 2 pods new and ready"),
        # What it says is about what it was before.
        (workload(2, observedGeneration=1, replicas=2, readyReplicas=2, updatedReplicas=2), "not looked at yet"),
        (workload(), "not looked at yet"),
        (workload(observedGeneration=1, replicas=2), "0 of 2 pods new and ready"),
        (conditioned("APIService", Available=("True", "all checks passed")), ""),
        (conditioned("APIService", Available=("False", "no endpoints")), "no endpoints"),
        (conditioned("Gateway", Accepted=("True", "")), "not looked at yet"),
        (conditioned("Gateway", Programmed=("False", "no address")), "no address"),
    ],
)
def test_lacks(item: Any, expected: str) -> None:
    """A workload is ready when every pod is new and ready, anything else when its condition says so."""
    assert expected == lacks(item)
