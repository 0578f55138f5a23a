"""The migration of a release as a Job, which the slot chart renders alone under the release APP-expand."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final

from scripts.release.errors import ReleaseError
from scripts.release.file import Kubernetes
from scripts.release.kubernetes import slots
from scripts.release.kubernetes.client import Api, Object
from scripts.release.kubernetes.helm import Helm
from scripts.release.kubernetes.values import laid
from scripts.release.levels import reached
from scripts.release.slots import Release

POLL_S: Final = 0.2
STUCK_S: Final = 20.0  # for an image to be pulled after all, or a node to be found
SLACK_S: Final = 30.0  # over the Job's own deadline
DEADLINE_S: Final = 600.0  # of the chart, where the values say none
LINES: Final = 5
LEVEL: Final = "SCHEMA_LEVEL"  # of its environment: where it stops
ENDED: Final = ("Failed", "Succeeded")  # phases of a pod


class Expansion:
    """One Job a release, named by its digest.

    One that runs is waited for, one that ended is run anew: migrations are idempotent, and what an old one did may have
    been undone since.
    """

    def __init__(self, api: Api, helm: Helm, settings: Kubernetes) -> None:
        self._api, self._helm, self._settings = api, helm, settings
        self._space = settings.namespace

    def run(self, command: Sequence[str], level: int, release: Release) -> str:
        """Run the migration to `level`; its last line. Raises ReleaseError."""
        name, values = f"{self._settings.app}-expand", migration_values(command, level, release)
        if not values["migration"]["command"]:
            return "this service has no migrations"
        path = f"/apis/batch/v1/namespaces/{self._space}/jobs/{name}-{release.digest}"
        if not goes_on(self._api.get(path), values["migration"]["command"], level):
            self._helm.uninstall(name)
            self._helm.install(name, values)
        limit = float(values["migration"].get("activeDeadlineSeconds", DEADLINE_S)) + SLACK_S
        ended = self._ended(path, limit)
        said = self._said(release)
        if ended != "complete" and not ended.startswith("failed"):
            self._helm.uninstall(name)  # or it would run some time later, when nobody waits for it
        if ended != "complete":
            ending = "\n".join(f"  {line}" for line in said[-LINES:])
            raise ReleaseError(f"schema.expand: Job {name}-{release.digest} {ended}; no slot was touched:\n{ending}\n")
        # A log has stderr too: what tells the level counts, whatever a library says behind it.
        telling = [line for line in said if reached(line) is not None]
        return (telling or said or [""])[-1]

    def _ended(self, path: str, limit: float) -> str:
        """How the Job ended; one whose pod cannot be started is not waited for to its deadline."""
        begun = fit = time.monotonic()
        while (found := outcome(self._api.get(path))) == "running":
            why, now = self._why(path), time.monotonic()
            fit = fit if why else now
            if now - fit > STUCK_S or now - begun > limit:
                return f"does not get on: {why}" if why else f"has not ended in {limit:g} s"
            time.sleep(POLL_S)
        return found or "is gone: somebody deleted it before it had ended"

    def _why(self, path: str) -> str:
        """What keeps it from running. A pod that failed does not: whether it is tried again is for the Job to say."""
        job = path.rpartition("/")[2]
        pods = self._pods(job)
        if trying := [pod for pod in pods if pod["status"].get("phase") not in ENDED]:
            return next((words for pod in trying if (words := slots.pod_trouble(pod))), "")
        events = f"/api/v1/namespaces/{self._space}/events"  # a quota or a policy that refuses them says so only there
        found = self._api.list(events, fields=f"involvedObject.name={job},type=Warning")
        return refused(found, max((str(pod["metadata"]["creationTimestamp"]) for pod in pods), default=""))

    def _said(self, release: Release) -> list[str]:
        pods = self._pods(f"{self._settings.app}-expand-{release.digest}")
        newest = max(pods, key=lambda pod: str(pod["metadata"]["creationTimestamp"]), default=None)
        if newest is None:
            return []
        at = f"/api/v1/namespaces/{self._space}/pods/{newest['metadata']['name']}/log?tailLines={2 * LINES}"
        return [line for line in (self._api.text(at) or "").splitlines() if line.strip()]

    def _pods(self, job: str) -> list[Object]:
        return self._api.list(f"/api/v1/namespaces/{self._space}/pods", labels=f"batch.kubernetes.io/job-name={job}")


def migration_values(command: Sequence[str], level: int, release: Release) -> dict[str, Any]:
    """The release's values for its migration: the values' own command, or the file's in the image's Python."""
    given = (release.values.get("migration") or {}).get("command")
    words = given or ["python3" if word == "{python}" else word for word in command]
    own = {"releaseId": release.digest, "command": words}
    return laid(release.values, {"render": "migration", "migration": own, "config": {LEVEL: str(level)}})


def goes_on(job: Object | None, command: Sequence[str], level: int) -> bool:
    """Whether a Job runs, with this command and to this level: it need only be waited for."""
    if job is None or outcome(job) != "running":
        return False
    container = job["spec"]["template"]["spec"]["containers"][0]
    asked = next((each["value"] for each in container.get("env") or () if each["name"] == LEVEL), "")
    return list(container["command"]) == list(command) and asked == str(level)


def refused(events: Sequence[Object], since: str) -> str:
    """Why no pod was made after the one of `since`, in words; "" where nothing says so. Times are the API's."""
    later = [each for each in events if not since or str(each.get("lastTimestamp") or "") > since]
    return f"{later[-1]['reason']}: {later[-1]['message']}" if later else ""


def outcome(job: Object | None) -> str:
    """`complete`, `running`, `failed: …`, or "" where there is no Job."""
    if job is None:
        return ""
    for condition in job.get("status", {}).get("conditions") or ():
        if condition["status"] == "True" and condition["type"] == "Complete":
            return "complete"
        if condition["status"] == "True" and condition["type"] == "Failed":
            return f"failed: {condition.get('reason')}: {condition.get('message')}"
    return "running"
