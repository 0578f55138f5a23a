"""What the API's objects say of a slot: its Deployment, the pods of it, and who of these gets requests; pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from scripts.release.kubernetes.values import autoscaler, laid
from scripts.release.slots import Range, Release, Slot

Object = Mapping[str, Any]

# Annotations. Of the Deployment:
RELEASE: Final = "primetrade/release"  # what it was deployed as, whole
REPLICAS: Final = "primetrade/replicas"  # pods that the engine asked for: an autoscaler may add more
DRAINING: Final = "primetrade/draining"
# Of its pods:
DIGEST: Final = "primetrade/digest"  # of the release: tells them from those of the release before

STUCK: Final = frozenset(
    {
        *("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError"),
        *("CreateContainerConfigError", "CreateContainerError", "RunContainerError"),
    }
)
CRASHING: Final = "CrashLoopBackOff"


class Says(msgspec.Struct, frozen=True):
    """What a version probe answers; an application need not state a schema range."""

    version: str = ""
    schema: Range | None = None


class Parts(msgspec.Struct, frozen=True):
    """The objects of one slot."""

    name: str  # of the slot
    deployment: Object | None = None
    pods: Sequence[Object] = ()
    slices: Sequence[Object] = ()  # of its own Service

    @property
    def release(self) -> Release | None:
        """What it was deployed as. None for one that the engine did not deploy, or whose image somebody changed."""
        try:
            found = msgspec.json.decode(self.note(RELEASE), type=Release)
        except msgspec.DecodeError:
            return None
        return found if found.image == _image(self.deployment) else None

    @property
    def version(self) -> str:
        """By the release, or else by the chart's label."""
        release, labels = self.release, _meta(self.deployment).get("labels") or {}
        return release.version if release else str(labels.get("app.kubernetes.io/version", ""))

    @property
    def digest(self) -> str:
        """Of the release; for one that is not known, of what is seen of it."""
        if self.deployment is None:
            return ""
        return (self.release or Release(self.version, (), {}, _image(self.deployment))).digest

    @property
    def current(self) -> list[Object]:
        """Pods of this release that are not on their way out."""
        wanted = self.release.digest if self.release else None
        return [pod for pod in self.staying if wanted in (None, annotation(pod, DIGEST))]

    @property
    def staying(self) -> list[Object]:
        """Pods of any release that are not on their way out."""
        return [pod for pod in self.pods if "deletionTimestamp" not in pod["metadata"]]

    @property
    def replicas(self) -> int:
        """Pods that there should be now."""
        return int(self.deployment["spec"].get("replicas", 1)) if self.deployment else 0

    @property
    def wanted(self) -> int:
        """Pods that must be ready: what an autoscaler has just added is on its way, and no reason for alarm."""
        asked = self.note(REPLICAS)
        return min(self.replicas, int(asked)) if asked.isdigit() else self.replicas

    @property
    def draining(self) -> bool:
        return bool(self.note(DRAINING))

    @property
    def running(self) -> bool:
        """Whether something runs or is about to; not when every pod of it crashes again and again."""
        return self.replicas > 0 and not (self.current and all(crashes(pod) for pod in self.current))

    @property
    def ready(self) -> bool:
        """Whether the pods that are wanted get requests, and no pod of another release does."""
        return bool(self.wanted) and self.serving >= self.wanted

    @property
    def serving(self) -> int:
        """Pods that get requests; none where one of another release does, or a change was not looked at yet."""
        if self.deployment is None or self.draining:
            return 0
        seen = int(self.deployment.get("status", {}).get("observedGeneration", 0))
        here, names = self.receiving, {pod["metadata"]["name"]: pod for pod in self.current}
        if seen < int(_meta(self.deployment)["generation"]) or not here <= names.keys():
            return 0
        return sum(is_ready(names[name]) for name in here)

    @property
    def receiving(self) -> set[str]:
        """Names of the pods that the slot's Service sends requests to."""
        return {
            (each.get("targetRef") or {}).get("name", "")
            for found in self.slices
            for each in found.get("endpoints") or ()
            if (each.get("conditions") or {}).get("ready") is not False
        }

    def note(self, name: str) -> str:
        return annotation(self.deployment, name)


def slot_values(release: Release, slot: str, replicas: int, *, allow_live: bool) -> dict[str, Any]:
    """The chart's values for a release in a slot. `allow_live`: it has users and nothing that serves them."""
    notes = {RELEASE: msgspec.json.encode(release, order="deterministic").decode(), REPLICAS: str(replicas)}
    own: dict[str, Any] = {
        "slot": slot,
        "annotations": {**notes, DRAINING: ""},
        "podAnnotations": {DIGEST: release.digest},
        "allowLiveChange": allow_live,
    }
    if autoscaler(release.values) == "none":
        own["replicas"] = replicas
    return laid(release.values, own)


def slot_of(parts: Parts, says: Sequence[Says], in_flight: int | None, log: str) -> Slot:
    """The slot as the engine sees it. `says`: what each pod that runs answers."""
    versions = sorted({each.version for each in says})
    return Slot(
        name=parts.name,
        version=parts.version,
        digest=parts.digest,
        says=" and ".join(versions) if all(versions) else "",
        running=parts.running,
        ready=parts.ready,
        serving=parts.serving,
        wanted=parts.wanted,
        capacity=sum(started(pod) for pod in parts.current),
        in_flight=in_flight,
        schema=next((each.schema for each in says if each.schema), None),
        spec=parts.release,
        log=log if parts.deployment else "",
    )


def trouble(parts: Parts) -> str:
    """Why a slot has not all its pods, in words; "" where nothing speaks against its getting them."""
    for condition in (parts.deployment or {}).get("status", {}).get("conditions") or ():
        if condition["type"] == "ReplicaFailure" and condition["status"] == "True":
            return f"{condition['reason']}: {condition['message']}"
    return next((words for pod in parts.current if (words := pod_trouble(pod))), "")


def pod_trouble(pod: Object) -> str:
    """Why a pod does not run; "" where it does or is about to."""
    name = pod["metadata"]["name"]
    for each in containers(pod):
        waiting, last = _state(each, "waiting"), each.get("lastState", {}).get("terminated") or {}
        if waiting.get("reason") in STUCK:
            return f"pod {name}: {waiting['reason']}: {waiting.get('message', 'no message')}"
        if each.get("restartCount") and not each.get("ready"):
            ended = last or _state(each, "terminated")
            times = f"{each['restartCount']} time{'s' * (each['restartCount'] > 1)}"
            return f"pod {name} was started again {times}: {ended.get('reason')}, exit code {ended.get('exitCode')}"
    for condition in pod["status"].get("conditions") or ():
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return f"pod {name} finds no node: {condition.get('message', condition.get('reason'))}"
    if pod["status"].get("phase") == "Failed":
        return f"pod {name} failed: {pod['status'].get('reason', '')} {pod['status'].get('message', '')}".rstrip()
    return ""


def restarted(pod: Object) -> bool:
    """Whether it ended by itself at least once: its earlier log says why."""
    return any(each.get("restartCount") for each in containers(pod))


def crashes(pod: Object) -> bool:
    """Whether it ended so often that the kubelet waits before it starts it again."""
    failed = pod["status"].get("phase") == "Failed"
    return failed or any(_state(each, "waiting").get("reason") == CRASHING for each in containers(pod))


def started(pod: Object) -> bool:
    """Whether its application runs and has passed its startup probe."""
    found = containers(pod)
    return bool(found) and all(each.get("started") and "running" in each.get("state", {}) for each in found)


def running_for(pod: Object, now: float) -> float:
    """Seconds since its application was started; 0 where it does not run. `now` is in Unix seconds."""
    since = [str(_state(each, "running").get("startedAt", "")) for each in containers(pod)]
    return now - dt.datetime.fromisoformat(max(since)).timestamp() if since and all(since) else 0.0


def is_ready(pod: Object) -> bool:
    conditions = pod["status"].get("conditions") or ()
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def port_of(pod: Object) -> int:
    """The port of its probes: the admin port, or that of the users' requests where there is none."""
    ports = {each["name"]: int(each["containerPort"]) for each in _container(pod["spec"]).get("ports") or ()}
    return ports.get("admin") or ports["traffic"]


def has_admin(pod: Object) -> bool:
    return any(each["name"] == "admin" for each in _container(pod["spec"]).get("ports") or ())


def identity(pod: Object) -> str:
    """Another one as soon as anything in it is started again."""
    ids = [str(each.get("containerID")) for each in containers(pod)]
    return " ".join([str(pod["metadata"]["uid"]), *ids])


def annotation(found: Object | None, name: str) -> str:
    return str((_meta(found).get("annotations") or {}).get(name, ""))


def containers(pod: Object) -> Sequence[Object]:
    """The statuses of its containers."""
    return pod["status"].get("containerStatuses") or ()


def _state(status: Object, name: str) -> Mapping[str, Any]:
    return (status.get("state") or {}).get(name) or {}


def _meta(found: Object | None) -> Mapping[str, Any]:
    return found["metadata"] if found else {}


def _image(deployment: Object | None) -> str:
    return str(_container(deployment["spec"]["template"]["spec"])["image"]) if deployment else ""


def _container(spec: Object) -> Object:
    """The application's, whatever a mesh put beside it."""
    found: Sequence[Object] = spec["containers"]
    return next((each for each in found if each["name"] == "app"), found[0])
