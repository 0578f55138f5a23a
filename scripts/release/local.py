"""The local platform: slots that are processes behind Envoy, in the home of `primetrade local`."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
import urllib3

from scripts.local import envoy, slots
from scripts.local.envoy_config import Routes
from scripts.local.errors import LocalError, ProbeError
from scripts.local.processes import alive
from scripts.local.state import ROOT, State, read_state
from scripts.local.web import exchange
from scripts.release import lock
from scripts.release.analysis import measure
from scripts.release.errors import Fenced, Refused, ReleaseError, RouteMoved, Unusable
from scripts.release.expand import expand
from scripts.release.file import ReleaseFile
from scripts.release.histogram import slow_answers
from scripts.release.journal import FileJournal, Holder
from scripts.release.memory import remember
from scripts.release.route import SLOTS, Route, Target, Weights
from scripts.release.slots import (
    Answer,
    Finding,
    Load,
    Observed,
    Range,
    Release,
    Request,
    Sample,
    Slot,
    Tally,
)

PROBE_S = 2.0  # for a probe of an admin port
ASK_S = 5.0  # for a request through the edge
APPLY_S = 5.0  # for Envoy to take over what was written; it takes milliseconds
POLL_S = 0.001


class _Version(msgspec.Struct):
    """What the version probe answers; an artefact need not state a schema range."""

    version: str = ""
    schema: Range | None = None


@contextmanager
def _ours() -> Iterator[None]:
    """The local system's errors as a release's."""
    try:
        yield
    except ProbeError as exc:
        raise ReleaseError(f"{exc}; `primetrade local status` says what runs") from exc
    except LocalError as exc:
        raise ReleaseError(str(exc)) from exc
    except OSError as exc:
        raise ReleaseError(f"{exc.filename or 'the home'}: {exc.strerror}; mend it, then go on") from exc


class Local:
    """One home. Raises Unusable when there is no system in it."""

    name = "local"

    def __init__(self, home: Path, file: ReleaseFile) -> None:
        try:
            self.state: State = read_state(home)
        except LocalError as exc:
            raise Unusable(str(exc)) from exc
        self.home = home
        self.probes = file.settings.artefact.probes
        self.latency_ms = file.latency_ms
        self.journal = FileJournal(home / "release" / "journal.jsonl")

    @contextmanager
    def lock(self, holder: Holder) -> Iterator[int]:
        with lock.hold(self._lock, holder, past=remember(self.journal.read()).fence) as fence:
            # `local up` and `local down` hold the home and then look for our lock: of two that meet, one is refused.
            lock.refuse_while_held(self.home / "lock")
            yield fence

    def holder(self) -> Holder | None:
        return lock.holder(self._lock)

    def observe(self) -> Observed:
        with _ours():
            return Observed({name: self._observed(name) for name in SLOTS}, self._route())

    def unlock(self) -> None:
        raise ReleaseError("the lock of a process ends with it: end the process that `primetrade release status` names")

    def expand(self, command: Sequence[str], fence: int) -> str:
        return expand(command, ROOT, {"DATABASE_URL": self.state.database_url})

    def deploy(self, slot: str, release: Release, replicas: int, fence: int) -> None:
        with _ours():
            self._refuse_users(slot)
            found = self._running(slot)
            if found and _release(found.spec).digest == release.digest:
                with suppress(ProbeError):  # one that does not answer is started anew
                    slots.drain(self.state, found, on=False)
                    return
            spec = slots.SlotSpec(release.version, release.command, release.env)
            slots.start_slot(self.home, self.state, slot, spec)

    def scale(self, slot: str, replicas: int, fence: int) -> None:
        raise ReleaseError(f"{slot}: a slot is one process here")

    def route(self, target: Target, expected: str, run: str, fence: int) -> str:
        with _ours():
            seen = self._route()
            if seen.fence > fence:
                raise Fenced(f"run {fence} lost its lock to run {seen.fence}: it changes nothing more")
            if seen.token != expected:
                raise RouteMoved(f"the route says {seen.target}; it was moved since this run read it")
            note = {"run": run, "fence": str(fence)}
            written = envoy.write_routes(self.home, Routes(target.weights.blue, target.weights.green, note))
            self._wait_applied(written)
            return _token(written)

    def drain(self, slot: str, on: bool, fence: int) -> None:
        with _ours():
            found = self._running(slot)
            if found is None:
                raise ReleaseError(f"{slot} does not run: there is nothing to drain")
            slots.drain(self.state, found, on=on)

    def retire(self, slot: str, fence: int) -> None:
        with _ours():
            self._refuse_users(slot)
            slots.stop_slot(self.home, slot)

    def ask(self, request: Request, slot: str = "") -> Answer:
        headers = dict(request.headers)
        if slot:
            headers |= self._preview(slot)
        address = self.state.edge_url + request.path
        try:
            with urllib3.PoolManager(retries=False) as pool:
                found = pool.request(
                    request.method, address, body=request.body or None, headers=headers, timeout=ASK_S, redirect=False
                )
        except urllib3.exceptions.HTTPError as exc:
            return Answer(0, "", str(exc))
        return Answer(found.status, found.headers.get("x-slot", ""), found.data.decode(errors="replace"))

    def tally(self) -> Mapping[str, Tally]:
        with _ours():
            stats = envoy.slot_stats(self.state)
            return {
                name: Tally(sum(classes.values()), classes["5xx"], self._slow(name)) for name, classes in stats.items()
            }

    def reads(self) -> Mapping[str, Tally]:
        return self.tally()

    def analyse(self, load: Load) -> Sample:
        arms = {slot: self._preview(slot) for slot in SLOTS}
        return measure(load, self.state.edge_url, arms, self.home)

    def diagnose(self) -> Sequence[Finding]:
        return ()

    def now(self) -> float:
        return time.time()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    @property
    def _lock(self) -> Path:
        return self.home / "release" / "lock"

    def _preview(self, slot: str) -> dict[str, str]:
        return {"x-route-key": self.state.route_key, "x-route-slot": slot}

    def _route(self) -> Route:
        found = envoy.read_routes(self.home)
        if found is None:
            raise ReleaseError("there is no route yet: `primetrade local up` writes the first one")
        fence = found.note.get("fence", "0")
        target = Target(Weights(found.blue, found.green))
        return Route(target, _token(found), found.note.get("run", ""), int(fence) if fence.isdigit() else 0)

    def _wait_applied(self, written: Routes) -> None:
        deadline = time.monotonic() + APPLY_S
        while envoy.applied(self.state) != written:
            if time.monotonic() > deadline:
                raise ReleaseError(
                    f"Envoy has not taken over the route within {APPLY_S:g} s: see `primetrade local logs envoy`"
                )
            time.sleep(POLL_S)

    def _running(self, name: str) -> slots.Slot | None:
        found = slots.read_slot(self.home, name)
        return found if found and alive(found.process) else None

    def _observed(self, name: str) -> Slot:
        found = slots.read_slot(self.home, name)
        if found is None:
            return Slot(name)
        running = alive(found.process)
        status, says = (0, _Version())
        if running:
            with suppress(ProbeError):
                status, _ = slots.probe(found, self.probes.ready, PROBE_S)
                says = _version(slots.probe(found, self.probes.version, PROBE_S))
        release = _release(found.spec)
        return Slot(
            name=name,
            version=release.version,
            digest=release.digest,
            says=says.version,
            running=running,
            ready=status == 200 and envoy.healthy(self.state, name) == found.port,
            capacity=1,  # a slot is one process here
            in_flight=self._in_flight(name),
            schema=says.schema,
            log=found.process.log,
        )

    def _in_flight(self, name: str) -> int:
        path = f"/stats?format=json&filter=^cluster\\.{name}\\.upstream_rq_active$"
        _, body = exchange(self.state.envoy_admin_port, path, PROBE_S)
        return sum(stat.get("value", 0) for stat in msgspec.json.decode(body)["stats"])

    def _slow(self, name: str) -> int | None:
        found = self._running(name)
        if found is None:
            return None
        with suppress(ProbeError):
            status, body = slots.probe(found, self.probes.metrics, PROBE_S)
            return slow_answers(body.decode(errors="replace"), self.latency_ms) if status == 200 else None
        return None

    def _refuse_users(self, name: str) -> None:
        target = self._route().target
        if target.has_users(name) and self._observed(name).ready:
            raise Refused(f"{name} has users ({target}): move them away first (`primetrade release abort`)")


def _token(routes: Routes) -> str:
    return hashlib.sha256(msgspec.json.encode(routes, order="deterministic")).hexdigest()[:16]


def _release(spec: slots.SlotSpec) -> Release:
    return Release(spec.version, spec.command, spec.env)


def _version(answer: tuple[int, bytes]) -> _Version:
    status, body = answer
    with suppress(msgspec.DecodeError):
        if status == 200:
            return msgspec.json.decode(body, type=_Version)
    return _Version()
