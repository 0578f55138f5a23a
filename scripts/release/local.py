"""The local platform: slots that are processes behind Envoy, in the home of `primetrade local`."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import urllib3

from scripts.local import envoy, slots
from scripts.local.envoy_config import Routes
from scripts.local.errors import LocalError, ProbeError, UnheardError
from scripts.local.state import ROOT, State, read_state
from scripts.release import fencing, local_slots, lock
from scripts.release.analysis import measure
from scripts.release.errors import Fenced, Refused, ReleaseError, RouteMoved, Unheard, Unusable
from scripts.release.expand import expand
from scripts.release.file import ReleaseFile
from scripts.release.histogram import READS, slow_answers
from scripts.release.journal import Holder
from scripts.release.local_findings import findings
from scripts.release.local_route import routes_of, token_of
from scripts.release.local_shown import journal_at, shown
from scripts.release.memory import remember
from scripts.release.route import SLOTS, Route, Target
from scripts.release.slots import Answer, Finding, Load, Observed, Release, Request, Sample, Tally
from scripts.release.step import Step
from scripts.release.supply import measured_rate

ASK_S = 5.0  # for a request through the edge
APPLY_S = 5.0  # for Envoy to take over what was written; it takes milliseconds
POLL_S = 0.001


@contextmanager
def _ours() -> Iterator[None]:
    """The local system's errors as a release's."""
    try:
        yield
    except ProbeError as exc:
        kind = Unheard if isinstance(exc, UnheardError) else ReleaseError
        raise kind(f"{exc}; `primetrade local status` says what runs") from exc
    except LocalError as exc:
        raise ReleaseError(str(exc)) from exc
    except OSError as exc:
        raise ReleaseError(f"{exc.filename or 'the home'}: {exc.strerror}; mend it, then go on") from exc


class Local:
    """One home. Raises Unusable when there is no system in it."""

    name = "local"
    revive = "`primetrade local up` starts it again"

    def __init__(self, home: Path, file: ReleaseFile) -> None:
        try:
            self.state: State = read_state(home)
        except LocalError as exc:
            raise Unusable(str(exc)) from exc
        self.home = home
        self.probes = file.settings.artefact.probes
        self.latency_ms = file.latency_ms
        self.journal = journal_at(home)

    @contextmanager
    def lock(self, holder: Holder) -> Iterator[int]:
        with _ours():
            past = max(remember(self.journal.read()).fence, fencing.highest(self._fence), self._routed())
        with lock.hold(self._lock, holder, past) as number:
            # `local up` and `local down` hold the home and then look for our lock: of two that meet, one is refused.
            lock.refuse_while_held(self.home / "lock")
            yield number

    def holder(self) -> Holder | None:
        return lock.holder(self._lock)

    def observe(self) -> Observed:
        with _ours():
            route, at = self._route(), (self.home, self.state, self.probes)
            has = route.target.has_users
            return Observed({name: local_slots.observed(*at, name, has_users=has(name)) for name in SLOTS}, route)

    def unlock(self) -> None:
        holder = self.holder()
        if holder:
            past = max(holder.fence, remember(self.journal.read()).fence)
            with _ours(), self.journal.held(f"process {holder.pid}"):
                fencing.break_lock(self._fence, self._lock, past)

    def refusal(self, steps: Sequence[Step]) -> str:
        return ""

    def expand(self, command: Sequence[str], level: int, release: Release, fence: int) -> str:
        with self._act(fence):
            return expand(command, ROOT, {"DATABASE_URL": self.state.database_url, "SCHEMA_LEVEL": str(level)})

    def deploy(self, slot: str, release: Release, replicas: int, fence: int) -> None:
        with self._act(fence):
            self._refuse_users(slot)
            found = slots.known_slot(self.home, slot)
            if found and local_slots.release_of(found.spec).digest == release.digest and self._undrained(found):
                slots.scale_slot(self.home, self.state, slot, replicas)
                return
            spec = slots.SlotSpec(release.version, release.command, release.env)
            slots.start_slot(self.home, self.state, slot, spec, replicas)

    def scale(self, slot: str, replicas: int, fence: int) -> None:
        with self._act(fence):
            slots.scale_slot(self.home, self.state, slot, replicas)

    def route(self, target: Target, expected: str, run: str, fence: int) -> str:
        with self._act(fence):
            seen = self._route()
            if seen.fence > fence:
                raise Fenced(f"run {fence} lost its lock to run {seen.fence}: it changes nothing more")
            if seen.token != expected:
                raise RouteMoved(f"the route says {seen.target}; it was moved since this run read it")
            written = envoy.write_routes(self.home, routes_of(target, run, fence))
            self._wait_applied(written)
            return token_of(written)

    def drain(self, slot: str, on: bool, fence: int) -> None:
        with self._act(fence):
            if not on and slots.known_slot(self.home, slot) is None and envoy.healthy(self.state, slot):
                return  # whatever it is, it takes requests
            found = slots.read_slot(self.home, slot)
            if found is None or not (running := local_slots.running(found)):
                raise ReleaseError(f"{slot} does not run: there is nothing to drain")
            slots.drain(self.state, running, on=on)

    def retire(self, slot: str, fence: int) -> None:
        with self._act(fence):
            self._refuse_users(slot)
            slots.stop_slot(self.home, slot)

    def ask(self, request: Request, slot: str = "") -> Answer:
        headers = dict(request.headers)
        if slot:
            headers.update(self._leading(slot))
        address = self.state.edge_url + request.path
        try:
            with urllib3.PoolManager(retries=False) as pool:
                found = pool.request(
                    request.method, address, body=request.body or None, headers=headers, timeout=ASK_S, redirect=False
                )
        except (urllib3.exceptions.HTTPError, ValueError) as exc:  # what cannot be sent gets no answer either
            return Answer(0, "", str(exc))
        slot, kind = found.headers.get("x-slot", ""), found.headers.get("content-type", "")
        return Answer(found.status, slot, found.data.decode(errors="replace"), kind)

    def edge(self) -> str:
        return self.state.edge_url

    def preview(self, slot: str) -> tuple[str, Mapping[str, str]]:
        return self.state.edge_url, self._leading(slot)

    def tally(self) -> Mapping[str, Tally]:
        with _ours():
            return {name: self._tally(name, classes) for name, classes in envoy.slot_stats(self.state).items()}

    def arriving(self) -> float:
        return measured_rate(self.tally, self.now, self.sleep)

    def reads(self) -> Mapping[str, Tally]:
        with _ours():
            weights = self._route().weights
            own, copies = envoy.read_stats(self.state), envoy.shadow_stats(self.state)
            counts = {name: own[name] if weights.of(name) else copies[name] for name in SLOTS}
            return {name: self._tally(name, classes, READS) for name, classes in counts.items()}

    def analyse(self, load: Load) -> Sample:
        arms = {slot: self._leading(slot) for slot in SLOTS}
        return measure(load, self.state.edge_url, arms, self.home)

    def diagnose(self) -> Sequence[Finding]:
        with _ours():
            return findings(self.home, self.state, self.probes, self.holder())

    def now(self) -> float:
        return time.time()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def _leading(self, slot: str) -> dict[str, str]:
        """The headers of the preview route."""
        return {"x-route-key": self.state.route_key, "x-route-slot": slot}

    @property
    def _lock(self) -> Path:
        return self.home / "release" / "lock"

    @property
    def _fence(self) -> Path:
        return self.home / "release" / "fence"

    @contextmanager
    def _act(self, number: int) -> Iterator[None]:
        with _ours(), fencing.act(self._fence, number):
            yield

    def _route(self) -> Route:
        return shown(self.home, self.state)

    def _routed(self) -> int:
        """The number of the run that wrote the route, where that can be seen."""
        with suppress(LocalError, ReleaseError):
            return self._route().fence
        return 0

    def _wait_applied(self, written: Routes) -> None:
        """One slow answer says nothing of a route that is written: Envoy is asked until the time is over."""
        deadline = time.monotonic() + APPLY_S
        why = "it serves another one"
        while True:
            try:
                if envoy.applied(self.state) == written:
                    return
            except LocalError as exc:
                why = str(exc)
            if time.monotonic() > deadline:
                raise ReleaseError(
                    f"the route is written, and Envoy has not taken it over within {APPLY_S:g} s ({why}): see "
                    "`primetrade local logs envoy`"
                )
            time.sleep(POLL_S)

    def _undrained(self, slot: slots.Slot) -> bool:
        """Whether all that runs of a slot, if anything does, takes requests again."""
        running = local_slots.running(slot)
        with suppress(ProbeError):  # one that does not answer is started anew
            if running:
                slots.drain(self.state, running, on=False)
                return True
        return False

    def _tally(self, name: str, classes: Mapping[str, int], methods: Collection[str] = ()) -> Tally:
        within = local_slots.within(self.home, self.probes, name, methods)
        return Tally(sum(classes.values()), classes["5xx"], slow_answers(within, self.latency_ms), within)

    def _refuse_users(self, name: str) -> None:
        target = self._route().target
        if not target.has_users(name):
            return
        serving = envoy.healthy(self.state, name)
        if found := slots.known_slot(self.home, name):  # otherwise whatever Envoy sends users to is taken to run
            serving &= {replica.port for replica in local_slots.living(found)}
        if serving:
            raise Refused(f"{name} has users ({target}): move them away first (`primetrade release abort`)")
