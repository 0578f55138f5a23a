"""One run at a time on a cluster: a Lease, whose `leaseTransitions` is the fencing number.

The number only grows, also while nobody holds the Lease, which therefore stays; where somebody deletes it, the next
holder goes on over the highest number that the journal and the route have seen.

Who is alive: a holder renews its Lease every 10 s. After 35 s of silence, or as soon as a process on the holder's own
machine sees that the holder has ended, the next run takes over. Times are the API server's (its `Date` headers), for
who writes as for who reads: no clock of any deployer's machine counts, however wrong it is.

How a run that lost its Lease is kept from writing: every act begins with `confirm`, a renewal by compare-and-swap,
which only the owner of the highest number can do; for 35 s from then nobody takes over unless by `unlock`. What
remains is a run that is frozen, or cut off, between that renewal and its own write, for as long as that. Then the
write's own precondition decides (the route's token, a resourceVersion); only what has none, a `helm upgrade` that has
begun, goes on to its end: `act` writes down that one is under way, and `unlock` refuses meanwhile. Who takes over after
silence does not wait for it, since a rollback of the route needs no Helm; only its own Helm does (`helm.at_work`).
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import msgspec

from scripts.release import lock
from scripts.release.errors import Fenced, Locked, NeedsPerson, ReleaseError
from scripts.release.journal import Holder
from scripts.release.kubernetes import process
from scripts.release.kubernetes.client import Api, Conflict, Missing, Object

DURATION_S, EVERY_S = 30, 10.0
GRACE_S = 5.0  # API servers behind one address may differ a little
RENEW_S = 5.0  # for a renewal beside a run; the next one comes soon
_AGAIN_S = 1.0
_NEVER = "1970-01-01T00:00:00Z"
HOLDER, PROCESS, ACT = "primetrade/holder", "primetrade/process", "primetrade/act"


class Lease:
    """The Lease `APP-rollout` of a namespace."""

    def __init__(
        self, api: Api, namespace: str, app: str, *, duration_s: int = DURATION_S, every_s: float = EVERY_S
    ) -> None:
        self.api, self.name, self.namespace = api, f"{app}-rollout", namespace
        self.duration_s, self.every_s = duration_s, every_s
        self._all = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self.path = f"{self._all}/{self.name}"
        self._held: Object | None = None  # as last written, while it is ours
        self._guard = threading.RLock()  # of the Lease between the run and its renewals

    @contextmanager
    def hold(self, holder: Holder, past: int) -> Iterator[int]:
        """Hold the Lease and renew it; yields a fencing number over `past` and every earlier one. Raises Locked."""
        fence = self._take(holder, past)
        stop, owner = threading.Event(), threading.current_thread()
        threading.Thread(target=self._keep, args=(stop, owner, fence), daemon=True, name=self.name).start()
        try:
            yield fence
        finally:
            stop.set()
            self._give_back(fence)

    def holder(self) -> Holder | None:
        """Who holds the Lease now; None when nobody does, and when whoever did is dead."""
        found = self.api.get(self.path)
        return _holder(found) if found and self._alive(found) else None

    def break_(self, past: int) -> None:
        """Refuse every number up to `past` and the Lease's own from now on, and free it.

        Raises NeedsPerson, changing nothing, while its holder is inside an act that nothing else can stop.
        """
        while True:
            found = self.api.get(self.path)
            if found and self._alive(found) and (doing := _notes(found).get(ACT)):
                holder = _holder(found)
                raise NeedsPerson(
                    f"process {holder.pid} of {holder.actor} is inside {doing}: wait for it, or end it "
                    f"(`kill -9 {holder.pid}` on its machine); nothing was changed"
                )
            if self._written(self._body(found, max(past, _fence(found)) + 1)):
                return

    def confirm(self, fence: int) -> None:
        """Raises Fenced unless `fence` is the highest number seen, which it is from now on.

        Whoever holds the Lease renews it by that. Before every act.
        """
        with self._guard:
            if self._held and _fence(self._held) == fence:
                self._renew(fence, self.api)
                return
            while True:
                found = self.api.get(self.path)
                _refuse_old(fence, _fence(found))
                if _fence(found) == fence or self._written(self._body(found, fence)):
                    return

    @contextmanager
    def act(self, fence: int, what: str) -> Iterator[None]:
        """`confirm`, for an act that nothing can stop once it has begun: until its end `unlock` refuses. Raises Fenced.

        `what` are words for a person, such as "helm upgrade of shop-green".
        """
        self._say(fence, what)
        try:
            yield
        finally:
            with suppress(ReleaseError):  # whoever is fenced hears of it at the next act
                self._say(fence, "")

    def _say(self, fence: int, what: str) -> None:
        with self._guard:
            if self._held:
                self._held["metadata"]["annotations"][ACT] = what
            self.confirm(fence)

    def _take(self, holder: Holder, past: int) -> int:
        while True:
            found = self.api.get(self.path)
            if found and self._alive(found):
                raise self._refusal(found)
            fence = max(past, _fence(found)) + 1
            if written := self._written(self._body(found, fence, msgspec.structs.replace(holder, fence=fence))):
                self._held = written
                return fence

    def _keep(self, stop: threading.Event, owner: threading.Thread, fence: int) -> None:
        """Renew until the run has ended, however it did."""
        pause = self.every_s
        while not stop.wait(pause) and owner.is_alive():
            try:
                with self._guard:
                    if stop.is_set():
                        return
                    self._renew(fence, self.api.within(RENEW_S))
                pause = self.every_s
            except Fenced:
                return
            except ReleaseError:
                pause = min(_AGAIN_S, self.every_s)

    def _renew(self, fence: int, api: Api, *, free: bool = False) -> None:
        """Write the Lease as its owner. Raises Fenced."""
        while True:
            ours = self._held
            assert ours
            try:
                ours["spec"]["renewTime"] = self._now()
                self._held = api.replace(self.path, self._body(ours, fence) if free else ours)
            except (Conflict, Missing):
                self._held = self._still_ours(fence, ours, api)
            else:
                return

    def _still_ours(self, fence: int, ours: Object, api: Api) -> Object:
        """The Lease as somebody left it who may only have put a label on it. Raises Fenced."""
        found = api.get(self.path)
        if found is None:
            raise Fenced(f"run {fence} lost its lock: the Lease {self.name} was deleted. It changes nothing more")
        _refuse_old(fence, _fence(found))
        if _spec(found).get("holderIdentity") != ours["spec"]["holderIdentity"]:
            raise Fenced(f"run {fence} lost its lock: somebody cleared the Lease {self.name}. It changes nothing more")
        return {**ours, "metadata": {**found["metadata"], "annotations": {**_notes(found), **_notes(ours)}}}

    def _give_back(self, fence: int) -> None:
        """Free the Lease, where it is still ours; where that fails it runs out by itself."""
        with self._guard:
            with suppress(ReleaseError):
                self._renew(fence, self.api.within(RENEW_S), free=True)
            self._held = None

    def _written(self, body: Object) -> Object | None:
        """The Lease as written; None where somebody else was faster."""
        with suppress(Conflict):
            if "resourceVersion" not in body["metadata"]:
                return self.api.create(self._all, body)
            with suppress(Missing):  # deleted since it was read
                return self.api.replace(self.path, body)
        return None

    def _body(self, found: Object | None, fence: int, holder: Holder | None = None) -> Object:
        """The Lease with a number and a holder, or none."""
        metadata: Object = found["metadata"] if found else {"name": self.name, "namespace": self.namespace}
        notes = {HOLDER: msgspec.json.encode(holder).decode(), PROCESS: process.mark()} if holder else {}
        now = self._now()
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {**metadata, "annotations": {**_notes(found), HOLDER: "", ACT: "", **notes}},
            "spec": {
                "holderIdentity": f"{holder.actor}/{holder.run}" if holder else "",
                "leaseDurationSeconds": self.duration_s,
                "acquireTime": now,
                "renewTime": now,
                "leaseTransitions": fence,
            },
        }

    def _now(self) -> str:
        return dt.datetime.fromtimestamp(self.api.now(), dt.UTC).isoformat(timespec="microseconds")[:-6] + "Z"

    def _silence(self, found: Object) -> float:
        """Seconds since the holder was last heard of; negative by the rounding of the server's clock."""
        return self.api.now() - dt.datetime.fromisoformat(_spec(found).get("renewTime") or _NEVER).timestamp()

    def _limit(self, found: Object) -> float:
        return float(_spec(found).get("leaseDurationSeconds") or self.duration_s) + GRACE_S

    def _alive(self, found: Object) -> bool:
        if not _spec(found).get("holderIdentity") or process.ended(_notes(found).get(PROCESS, "")):
            return False
        return abs(self._silence(found)) <= self._limit(found)  # a server's clock may be set back by hours

    def _refusal(self, found: Object) -> Locked:
        heard = f"It was heard of {max(0, self._silence(found)):.0f} s ago"
        return Locked(f"{lock.refusal(_holder(found))}. {heard}; {self._limit(found):.0f} s of silence mean it is dead")


def _spec(found: Object) -> Object:
    return found.get("spec") or {}


def _notes(found: Object | None) -> Object:
    return (found["metadata"].get("annotations") or {}) if found else {}


def _fence(found: Object | None) -> int:
    return int(_spec(found).get("leaseTransitions") or 0) if found else 0


def _refuse_old(fence: int, highest: int) -> None:
    if fence < highest:
        raise Fenced(f"run {fence} lost its lock to run {highest}: it changes nothing more")


def _holder(found: Object) -> Holder:
    """Who holds it; somebody else's program is known by the Lease's own fields alone."""
    with suppress(msgspec.DecodeError, KeyError):
        return msgspec.json.decode(_notes(found)[HOLDER], type=Holder)
    spec = _spec(found)
    since = spec.get("acquireTime") or spec.get("renewTime") or _NEVER
    return Holder(spec["holderIdentity"], "unknown", "unknown", since, 0, _fence(found))
