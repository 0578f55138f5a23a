"""Whether an add-on does its work, and if not, why: in the words of the cluster."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from scripts.cluster.addons.kubectl import Kubectl
from scripts.cluster.errors import ClusterError
from scripts.tools import Say

_POLL_S = 1.0
_SAYS_SO_EVERY_S = 10.0
_UNSEEN = "not looked at yet"


class Addon(msgspec.Struct, frozen=True):
    """One object whose state stands for a whole add-on."""

    name: str
    kind: str  # as kubectl takes it and the object says it, in lower case
    object: str
    namespace: str = ""


def wait(kubectl: Kubectl, addons: Iterable[Addon], limit_s: float, say: Say) -> None:
    """Wait until all are ready, saying what is; raises ClusterError with the reason of each that is not."""
    started = told = time.monotonic()
    waiting = list(addons)
    while True:
        missing = _missing(kubectl, waiting)
        now = time.monotonic()
        for addon in waiting:
            if addon not in missing:
                say(f"{addon.name}: ready after {now - started:.0f} s")
        waiting = list(missing)
        if not waiting:
            return
        if now - started > limit_s:
            reasons = "\n".join(f"  {addon.name}: {reason(kubectl, addon, missing[addon])}" for addon in waiting)
            raise ClusterError(f"not ready after {limit_s:.0f} s:\n{reasons}")
        if now - told > _SAYS_SO_EVERY_S:
            told = now
            say(f"waiting for {', '.join(f'{addon.name} ({missing[addon]})' for addon in waiting)}")
        time.sleep(_POLL_S)


def _missing(kubectl: Kubectl, addons: list[Addon]) -> dict[Addon, str]:
    kinds = ",".join(sorted({addon.kind for addon in addons}))
    found = {_key(item): item for item in kubectl.list(kinds, "--all-namespaces")}
    missing = {addon: lacks(found.get((addon.kind, addon.namespace, addon.object))) for addon in addons}
    return {addon: what for addon, what in missing.items() if what}


def _key(item: Any) -> tuple[str, str, str]:
    metadata = item["metadata"]
    return item["kind"].lower(), metadata.get("namespace", ""), metadata["name"]


def lacks(item: Any) -> str:
    """What an object lacks to be ready; empty if nothing. Workloads are judged by their pods, others by a condition."""
    if item is None:
        return "does not exist"
    status = item.get("status", {})
    if wanted := item.get("spec", {}).get("replicas"):
        if status.get("observedGeneration") != item["metadata"]["generation"]:
            return _UNSEEN
        ready = min(status.get(each, 0) for each in ("readyReplicas", "updatedReplicas"))
        return "" if ready == wanted == status["replicas"] else f"{ready} of {wanted} pods new and ready"
    condition = _condition(status, {"apiservice": "Available", "gateway": "Programmed"}[item["kind"].lower()])
    return "" if condition.get("status") == "True" else condition.get("message", _UNSEEN)


def _condition(status: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    return next((each for each in status.get("conditions", []) if each["type"] == kind), {})


def reason(kubectl: Kubectl, addon: Addon, missing: str) -> str:
    """Why an add-on is not ready: what its pods wait for or said last, or what the cluster warned of."""
    if addon.kind not in {"deployment", "statefulset"}:
        return missing
    item = kubectl.get(addon.kind, addon.object, f"--namespace={addon.namespace}")
    if item is None:
        return missing
    labels = ",".join(f"{key}={value}" for key, value in item["spec"]["selector"]["matchLabels"].items())
    pods = kubectl.list("pods", f"--selector={labels}", f"--namespace={addon.namespace}")
    words = [word for pod in pods for word in _waits(pod)] or _warnings(kubectl, addon)
    logs = [_complaint(kubectl, pod) for pod in pods]
    return "; ".join([missing, *words, *(log for log in logs if log)])


def _waits(pod: Any) -> Iterable[str]:
    """Why the containers of a pod do not run."""
    status = pod["status"]
    scheduled = _condition(status, "PodScheduled")
    if scheduled.get("status") == "False":
        yield scheduled["message"]
    for container in [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]:
        waiting = container["state"].get("waiting", {})
        ended = container.get("lastState", {}).get("terminated", {})
        if waiting:
            yield f"{container['name']}: {waiting['reason']} {waiting.get('message', '')}".rstrip()
        if ended:
            yield f"{container['name']} ended with {ended['exitCode']}"


def _warnings(kubectl: Kubectl, addon: Addon) -> list[str]:
    events = kubectl.list("events", f"--namespace={addon.namespace}", "--field-selector=type=Warning")
    about = [event for event in events if event["involvedObject"]["name"].startswith(addon.object)]
    return [event["message"] for event in about[-1:]]


def _complaint(kubectl: Kubectl, pod: Any) -> str:
    """The first line of a pod's log that speaks of an error, or its last line; empty before it has started."""
    name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
    try:
        said = kubectl.run("logs", name, f"--namespace={namespace}", "--all-containers", "--tail=300").splitlines()
    except ClusterError:
        return ""
    return next((line for line in said if "error" in line.lower()), said[-1] if said else "")
