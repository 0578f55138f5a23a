"""A load run in a cluster, followed from here: as a run by a process of this machine, to whoever follows it.

It takes the rights of role.yaml.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import msgspec

from loadtest.distributed import log
from loadtest.distributed.log import Log
from loadtest.distributed.messages import Plan
from loadtest.launch import LOG, RECORDING, STOP_S, BadRun, GeneratorDied, RunConfig, RunInvalid, check, make_folder
from loadtest.recording import Recording, Second
from scripts.load_job import manifests
from scripts.load_job.manifests import Object, Place
from scripts.load_job.pods import Pod, Pods, component, started, stuck
from scripts.release.errors import ReleaseError
from scripts.release.kubernetes.client import Api
from scripts.release.kubernetes.slots import pod_trouble

LOOK_S: Final = 1.0
UNMADE_S: Final = 8.0  # for a Job to make its pods: a namespace that was just made refuses them for a moment
START_S: Final = 180.0  # for a pod to run: its image is fetched, perhaps a node is added
SEED_S: Final = 300.0
LINGER_S: Final = 120.0  # of the master, for its last words to be read
LINES: Final = 30  # of the log, while it grows: seconds come one a second

Say = Callable[[str], object]


class JobRun:
    """Jobs at work; deleted when the block is left."""

    def __init__(self, api: Api, place: Place, plan: Plan, say: Say) -> None:
        self.place = place
        self._api, self._plan, self._say = api, plan, say
        self._pods = Pods(api, place)
        self._out = Path(plan.config.out_dir)
        self._jobs = f"/apis/batch/v1/namespaces/{place.namespace}/jobs"
        self._owner: Object | None = None  # the master's Job
        self._workers_made = 0.0  # when; 0: not yet
        self._begun = self._looked = time.monotonic()
        self._told: set[str] = set()  # notes
        self._seconds: list[Second] = []  # not yet asked for
        self._last = -1  # the last second that was told
        self._trouble = ""  # why it cannot go on
        self._log: Log | None = None  # whole, once the master has ended
        self._stopped = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def start(self) -> None:
        """Make the master's Job; the workers' follows when the master waits for them. Raises ReleaseError."""
        self._owner = self._api.create(self._jobs, manifests.master_job(self.place))
        secret = manifests.plan_secret(self.place, self._plan, self._owner)
        self._api.create(f"/api/v1/namespaces/{self.place.namespace}/secrets", secret)

    def seconds(self) -> list[Second]:
        """The seconds told since the last call; provisional, the recording has them whole."""
        found, self._seconds = self._seconds, []
        return found

    def poll(self) -> int | None:
        """None while it goes on. Looks at the cluster once a second at most. Raises ReleaseError."""
        if not self._over and time.monotonic() - self._looked >= LOOK_S:
            self._looked = time.monotonic()
            self._look()
        return 0 if self._over else None

    @property
    def overdue(self) -> bool:
        """Whether the run outlived its own plan; `wait` raises then."""
        return time.monotonic() - self._begun > self.place.limit_s

    def stop(self) -> None:
        """End the run now: the workers go, the master tells what there is. Raises ReleaseError."""
        self._stopped = True
        if self._workers_made:
            self._delete(self.place.workers)
            self._until(time.monotonic() + 4 * STOP_S)
        else:
            self._trouble = "it was stopped before it began"

    def wait(self) -> Recording:
        """The recording, once the run is over, written to the run's folder as well.

        Raises GeneratorDied where there is none, RunInvalid where workers were missing, BadRun for what cannot be.
        """
        self._until(self._begun + self.place.limit_s)
        found = self._log or Log()
        if found.refused:
            raise BadRun(found.refused)
        if found.recording is None:
            unstarted = self._pods.unstarted() if found.invalid else ""
            if found.invalid and not unstarted:
                raise RunInvalid(f"{found.invalid}; {self._pods.last_words()}")
            trouble = self._trouble or unstarted or "the master ended without a recording, or not in time"
            raise GeneratorDied(f"load run {self.place.name}: {trouble}; {self._pods.last_words()}")
        recording = msgspec.structs.replace(found.recording, interrupted=self._stopped)
        (self._out / RECORDING).write_bytes(msgspec.json.encode(recording))
        return recording

    def close(self) -> None:
        """Delete the master's Job, and with it all that belongs to it; the logs are kept in the run's folder."""
        if self._owner is None:
            return
        try:
            (self._out / LOG).write_text(self._pods.logs(), "utf-8")
            self._delete(self.place.master)
        except ReleaseError as exc:
            command = f"kubectl -n {self.place.namespace} delete job {self.place.master}"
            self._say(f"{exc}; Job {self.place.master} may be left: `{command}`")
        self._owner = None

    @property
    def _over(self) -> bool:
        return self._log is not None or bool(self._trouble)

    def _until(self, deadline: float) -> None:
        while self.poll() is None and time.monotonic() < deadline:
            time.sleep(LOOK_S / 5)

    def _look(self) -> None:
        pods = self._pods.all()
        self._trouble = next(self._troubles(pods), "")
        for master in filter(started, component(pods, "master")):
            self._listen(master, ended=master["status"].get("phase") in {"Succeeded", "Failed"})

    def _listen(self, master: Pod, *, ended: bool) -> None:
        found = log.read(self._pods.text(master, f"?tailLines={LINES}"), whole=False)
        for words in found.notes:
            if words not in self._told:
                self._told.add(words)
                self._say(words)
        for second in found.seconds:
            if second.t > self._last:
                self._last = second.t
                self._seconds.append(second)
        if found.waiting and not self._workers_made and not self._stopped:
            assert self._owner is not None  # made by `start`
            job = manifests.workers_job(self.place, self._plan, master["status"]["podIP"], self._owner)
            self._api.create(self._jobs, job)
            self._workers_made = time.monotonic()
        if found.over or ended:
            self._log = log.read(self._pods.text(master))

    def _troubles(self, pods: list[Pod]) -> Iterator[str]:
        """What will not get better by itself."""
        yield from (pod_trouble(pod) for pod in pods if stuck(pod))
        now, masters, workers = time.monotonic(), component(pods, "master"), component(pods, "worker")
        if not masters and now - self._begun > UNMADE_S:
            yield from self._pods.refusals(self.place.master)
        if self._workers_made and len(workers) < self._plan.workers and now - self._workers_made > UNMADE_S:
            yield from self._pods.refusals(self.place.workers)
        if not masters and self._workers_made:
            yield "the master's pod was deleted"
        if not any(map(started, masters)) and now - self._begun > START_S:
            yield self._pods.unstarted() or f"the master's pod was not made within {START_S:g} s"

    def _delete(self, job: str) -> None:
        self._api.delete(f"{self._jobs}/{job}", {"propagationPolicy": "Background"})


def launch_job(config: RunConfig, place: Place, workers: int, api: Api, say: Say = print) -> JobRun:
    """Start a run in the cluster; its name and limit are made here. Raises BadRun, ReleaseError."""
    check(config)
    plan = Plan(config, workers, gather_s=START_S, linger_s=LINGER_S, seeds=bool(place.secret))
    if config.profile.journeys == "tasks" and not plan.seeds:
        raise BadRun(
            f"profile {config.profile.name!r} sends the task API's own journeys, which need users with tokens: give "
            "--secret, the Secret with the API's DATABASE_URL and JWT_KEYS, so that the master seeds them, or use a "
            "profile that declares journeys"
        )
    limit_s = 2 * START_S + LINGER_S + (SEED_S if plan.seeds else 0.0) + config.longest_s()
    name = f"load-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
    make_folder(Path(config.out_dir))
    run = JobRun(api, msgspec.structs.replace(place, name=name, limit_s=round(limit_s)), plan, say)
    try:
        run.start()
    except BaseException:
        run.close()
        raise
    return run
