"""Recording and alerting rules for the cluster's Prometheus: keys of a ConfigMap that it watches."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from scripts.cluster.addons.kubectl import Kubectl

NAMESPACE, CONFIG = "monitoring", "prometheus-rules"


def rules(kubeconfig: Path, name: str, text: str | None) -> None:
    """Load a rule file under `name`, or take it away (None); in force a few seconds later. Raises ClusterError."""
    kubectl = Kubectl(kubeconfig)
    patch = msgspec.json.encode({"data": {f"{name}.yaml": text}}).decode()
    kubectl.run("patch", "configmap", CONFIG, f"--namespace={NAMESPACE}", "--type=merge", f"--patch={patch}")
    # The kubelet brings a changed ConfigMap into a pod within a minute, but at once when the pod changes, too.
    changed = f"primetrade/rules={hashlib.sha256(patch.encode()).hexdigest()[:12]}"
    chosen = ("--selector=app.kubernetes.io/name=prometheus", f"--namespace={NAMESPACE}", "--overwrite")
    kubectl.run("annotate", "pods", *chosen, changed)
