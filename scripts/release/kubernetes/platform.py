"""The platform `kubernetes`: slots that Helm installs, behind one of three routers, in one namespace of a cluster."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from scripts.release.errors import NeedsPerson, Refused, ReleaseError, Unheard
from scripts.release.file import ReleaseFile
from scripts.release.journal import Holder
from scripts.release.kubernetes import configs, refusals
from scripts.release.kubernetes.client import Api
from scripts.release.kubernetes.counting import Counting
from scripts.release.kubernetes.expansion import Expansion
from scripts.release.kubernetes.findings import Place, findings
from scripts.release.kubernetes.floor import Floor
from scripts.release.kubernetes.helm import Helm
from scripts.release.kubernetes.journal import ConfigMapJournal
from scripts.release.kubernetes.lease import Lease
from scripts.release.kubernetes.objects import Objects
from scripts.release.kubernetes.pods import Pods
from scripts.release.kubernetes.router import Router
from scripts.release.kubernetes.routers import router_of
from scripts.release.kubernetes.sending import Sender
from scripts.release.kubernetes.settling import prepare, settle
from scripts.release.kubernetes.slots import DRAINING, REPLICAS, Parts, is_ready, slot_of, slot_values, started
from scripts.release.kubernetes.values import autoscaler
from scripts.release.memory import remember
from scripts.release.route import SLOTS, Route, Target
from scripts.release.slots import Answer, Finding, Load, Observed, Release, Request, Sample, Slot, Tally
from scripts.release.step import Step


class Kubernetes:
    """One application in one namespace. Raises Unusable where no API server can be found."""

    name = "kubernetes"

    def __init__(self, home: Path, file: ReleaseFile, api: Api | None = None) -> None:
        self.settings = settings = file.settings.cluster
        self.file = file
        self.revive = (
            f"`kubectl -n {settings.namespace} describe pods -l app.kubernetes.io/instance={settings.app}` says what "
            "keeps Kubernetes from running it"
        )
        self.api = api = api or Api.connect(settings.context)
        self.router: Router = router_of(api, settings)
        self.journal = ConfigMapJournal(api, settings.namespace, settings.app)
        self._lease = Lease(api, settings.namespace, settings.app)
        self._objects = Objects(api, settings.namespace, settings.app)
        self._helm = Helm(api, settings, file.path.absolute().parent)
        self._pods = Pods(api, settings, file.settings.artefact.probes)
        self._sender = Sender(self.router, settings, home / "kubernetes" / settings.app)
        self._counting = Counting(settings, file.latency_ms, self._objects)

    @contextmanager
    def lock(self, holder: Holder) -> Iterator[int]:
        past = max(remember(self.journal.read()).fence, self._route().fence)
        lease = Lease(
            self.api, self.settings.namespace, self.settings.app
        )  # one that two runs share would confuse them
        with lease.hold(holder, past) as number:
            earlier, self._lease = self._lease, lease
            try:
                yield number
            finally:
                self._settle(number)
                self._lease = earlier

    def holder(self) -> Holder | None:
        return self._lease.holder()

    def unlock(self) -> None:
        if self.holder():
            self._lease.break_(remember(self.journal.read()).fence)

    def observe(self) -> Observed:
        parts = self._objects.both()
        return Observed({name: self._slot(parts[name]) for name in SLOTS}, self._route())

    def refusal(self, steps: Sequence[Step]) -> str:
        return refusals.refusal(steps, self.file.settings, self.settings, self.router)

    def expand(self, command: Sequence[str], level: int, release: Release, fence: int) -> str:
        with self._lease.act(fence, f"the migration of {release.version}"):
            return Expansion(self.api, self._helm, self.settings).run(command, level, release)

    def deploy(self, slot: str, release: Release, replicas: int, fence: int) -> None:
        with self._lease.act(fence, f"helm upgrade of {self._name(slot)}"):
            parts, target = self._objects.one(slot), self._route().target
            self._refuse_users(parts, target)
            if parts.digest == release.digest and parts.running and self._undrained(parts):
                self._resize(parts, replicas)
                return
            if parts.replicas:  # at once, rather than one by one as the new pods come: nobody is there
                self._objects.change(slot, {"spec": {"replicas": 0}})
            live = target.has_users(slot)
            self._helm.install(self._name(slot), slot_values(release, slot, replicas, allow_live=live))
            self.router.frame()
            self._sender.forget(slot)
            self._grow(slot, release, replicas)
            configs.reap(self.api, self.settings.namespace, self._name(slot))

    def scale(self, slot: str, replicas: int, fence: int) -> None:
        self._lease.confirm(fence)
        parts = self._objects.one(slot)
        if parts.deployment is None:
            raise ReleaseError(f"{slot} does not run: there is nothing to scale")
        self._resize(parts, replicas)

    def route(self, target: Target, expected: str, run: str, fence: int) -> str:
        self._lease.confirm(fence)
        if prepare(self.router, target):
            self._lease.confirm(fence)
        had = self._route().target
        with suppress(ReleaseError):  # forward, the deploy has lifted one before; back, it holds nobody up
            self._hold_sizes(had, target)
        token = self.router.write(target, expected, run, fence)
        if "weights" not in self.router.capabilities:  # kept connections stay where they are until they are closed
            for slot in SLOTS:
                if had.has_users(slot) and not target.has_users(slot):
                    with suppress(ReleaseError):  # said by the step that drains it
                        self._drain(self._objects.one(slot), on=True)
        probe = Request(path=self.file.settings.artefact.probes.traffic)
        settle(self.router, target, self.file.settings.timeouts.verify, probe, self.ask)
        return token

    def drain(self, slot: str, on: bool, fence: int) -> None:
        self._lease.confirm(fence)
        self._drain(self._objects.one(slot), on=on)

    def retire(self, slot: str, fence: int) -> None:
        with self._lease.act(fence, f"helm uninstall of {self._name(slot)}"):
            self._refuse_users(self._objects.one(slot), self._route().target)
            self._helm.uninstall(self._name(slot))
            self._objects.delete(slot)  # where Helm's memory of it was lost
            self.router.frame()
            self._sender.forget(slot)
            configs.reap(self.api, self.settings.namespace, self._name(slot))

    def ask(self, request: Request, slot: str = "") -> Answer:
        return self._sender.ask(request, slot)

    def edge(self) -> str:
        return self.router.edge()

    def preview(self, slot: str) -> tuple[str, Mapping[str, str]]:
        return self.router.preview(slot)

    def tally(self) -> Mapping[str, Tally]:
        return self._counting.tally()

    def reads(self) -> Mapping[str, Tally]:
        return self._counting.reads()

    def arriving(self) -> float:
        return self._counting.arriving()

    def analyse(self, load: Load) -> Sample:
        return self._sender.analyse(load)

    def diagnose(self) -> Sequence[Finding]:
        held, directory = self._lease.holder, self.file.path.absolute().parent
        return findings(Place(self.api, self.settings, self._objects, self.router, self._helm, held, directory))

    def now(self) -> float:
        return time.time()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def _name(self, slot: str) -> str:
        return f"{self.settings.app}-{slot}"

    def _route(self) -> Route:
        """Where users go; by the journal where somebody edited the route until it says nothing. Raises NeedsPerson."""
        try:
            return self.router.read()
        except NeedsPerson:
            routed = remember(self.journal.read()).routed
            if not routed:
                raise
            return self.router.read(routed[0])

    def _slot(self, parts: Parts) -> Slot:
        if parts.deployment is None:
            return Slot(parts.name)
        where = self._pods.where(parts.name)
        trouble = "" if parts.ready or parts.draining else self._pods.trouble(parts)
        flying = self._pods.in_flight(parts.current) if parts.draining else None
        return slot_of(parts, self._pods.says(parts), flying, f"{trouble}; {where}" if trouble else where)

    def _undrained(self, parts: Parts) -> bool:
        """Whether a slot takes requests again; one of whose pods one does not answer is started anew."""
        with suppress(ReleaseError):
            return not self._told(parts, on=False)
        return False

    def _drain(self, parts: Parts, *, on: bool) -> None:
        """Nobody is sent to a pod that is not ready: on the way back it need not hear of it."""
        ready = {pod["metadata"]["name"] for pod in parts.current if is_ready(pod)}
        deaf = [f"pod {name}: {why}" for name, why in self._told(parts, on=on).items() if on or name in ready]
        if deaf:
            raise ReleaseError(f"{len(deaf)} of the pods of {parts.name} did not hear it: {'; '.join(deaf)}")

    def _told(self, parts: Parts, *, on: bool) -> Mapping[str, str]:
        """The pods that did not hear whether they drain, and why; a slot drains once one of them has."""
        running = [pod for pod in parts.current if started(pod)]
        if not running:
            raise ReleaseError(f"{parts.name} does not run: there is nothing to drain")
        try:
            deaf = self._pods.drain(running, on=on)
        except ReleaseError as exc:  # none was asked
            raise Unheard(str(exc)) from exc
        if len(deaf) == len(running):
            raise Unheard(f"no pod of {parts.name} heard it: {next(iter(deaf.values()))}")
        if on != parts.draining:
            self._objects.change(parts.name, {"metadata": {"annotations": {DRAINING: "true" if on else None}}})
        return deaf

    def _resize(self, parts: Parts, replicas: int) -> None:
        """So many pods; one that is autoscaled keeps what its autoscaler added."""
        floor = self._floor(parts)
        autoscaled = floor.found is not None
        if autoscaled:
            floor.lift(replicas)
        change: dict[str, object] = {"metadata": {"annotations": {REPLICAS: str(replicas)}}}
        if not autoscaled or parts.replicas < replicas:
            change["spec"] = {"replicas": replicas}
        self._objects.change(parts.name, change)

    def _grow(self, slot: str, release: Release, replicas: int) -> None:
        """The size of a slot that was just installed: an autoscaler begins with one pod, and looks every 15 s."""
        driver = autoscaler(release.values)
        if driver != "none":
            Floor(self.api, self.settings.namespace, self._name(slot), driver).lift(replicas, installed=True)
            self._objects.change(slot, {"spec": {"replicas": replicas}})

    def _hold_sizes(self, had: Target, has: Target) -> None:
        """Neither slot shrinks while users move between them; a smaller one that gets them grows with the move."""
        both = self._objects.both()
        most = max(parts.replicas if had.has_users(slot) else 0 for slot, parts in both.items())
        for slot, parts in both.items():
            if parts.deployment and (had.has_users(slot) or has.has_users(slot)):
                size = max(parts.replicas, most) if has.has_users(slot) else parts.replicas
                if self._floor(parts).lift(size) and size > parts.replicas:
                    self._objects.change(slot, {"spec": {"replicas": size}})

    def _settle(self, fence: int) -> None:
        """At the end of a run the slot that has all users is its autoscaler's again."""
        with suppress(ReleaseError):
            sole = self._route().target.sole
            if sole:
                self._lease.confirm(fence)
                self._floor(self._objects.one(sole)).put_back()

    def _floor(self, parts: Parts) -> Floor:
        driver = autoscaler(parts.release.values) if parts.release else "hpa"
        return Floor(self.api, self.settings.namespace, self._name(parts.name), driver)

    def _refuse_users(self, parts: Parts, target: Target) -> None:
        if parts.receiving and target.has_users(parts.name):
            raise Refused(f"{parts.name} has users ({target}): move them away first (`primetrade release abort`)")
