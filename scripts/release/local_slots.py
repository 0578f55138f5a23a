"""What the local platform sees of a slot: its processes, and what these and Envoy say of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path

import msgspec

from scripts.local import envoy, slots
from scripts.local.envoy_config import Endpoint
from scripts.local.errors import ProbeError, SlotUnknownError
from scripts.local.processes import alive, marked_names
from scripts.local.state import State
from scripts.release.file import Probes
from scripts.release.histogram import answers_within
from scripts.release.slots import UNKNOWN, Range, Release, Slot

PROBE_S = 2.0  # for a probe of an admin port


class _Says(msgspec.Struct):
    """What the version probe answers; an artefact need not state a schema range."""

    version: str = ""
    schema: Range | None = None


def observed(home: Path, state: State, probes: Probes, name: str, *, has_users: bool) -> Slot:
    """A slot as it is now. Raises ProbeError when Envoy does not answer."""
    try:
        found = slots.read_slot(home, name)
    except SlotUnknownError as exc:  # no reason to close the way to the other slot
        lost = Slot(name, digest=UNKNOWN, log=str(exc))
        return _serving(home, state, probes, lost) if has_users else lost
    if found is None:
        return _serving(home, state, probes, Slot(name)) if has_users else Slot(name)
    live = living(found)
    hosts = {host.port: host for host in envoy.hosts(state, name)}
    told = _told(live, probes)
    healthy = [each for each in live if each.port in hosts and hosts[each.port].healthy and told[each.port][0]]
    says = [told[each.port][1] for each in healthy or live]  # who hangs says nothing
    release = release_of(found.spec)
    dead = [each for each in found.replicas if each not in live]
    return Slot(
        name=name,
        version=release.version,
        digest=release.digest,
        says=_joined(says),
        running=bool(live),
        ready=len(healthy) == len(found.replicas),
        serving=len(healthy),
        wanted=len(found.replicas),
        capacity=len(live),
        in_flight=sum(host.in_flight for host in hosts.values()),
        schema=_schema(says),
        spec=release,
        log=[*dead, *found.replicas][0].process.log,
    )


def _serving(home: Path, state: State, probes: Probes, lost: Slot) -> Slot:
    """A slot with users of which no file says what it is: whatever runs in its name, as that says itself.

    For one that does not run, `lost`. Raises ProbeError, and LocalError where Envoy's file of it is spoilt too.
    """
    if all(slots.slot_of(each) != lost.name for each in marked_names(home)):
        return lost
    told = envoy.read_endpoints(home, lost.name)
    hosts = envoy.hosts(state, lost.name)
    healthy = {each.port for each in told} & {host.port for host in hosts if host.healthy}
    says = [_says(each, probes) for each in told]
    return Slot(
        name=lost.name,
        version=_joined(says),
        digest=UNKNOWN,
        says=_joined(says),
        running=True,
        ready=len(healthy) == len(told),
        serving=len(healthy),
        wanted=len(told),
        capacity=len(told),
        in_flight=sum(host.in_flight for host in hosts),
        schema=_schema(says),
        log=lost.log or str(home / "log" / f"{slots.process_name(lost.name)}.log"),
    )


def living(slot: slots.Slot) -> list[slots.Replica]:
    """The replicas whose processes run."""
    return [each for each in slot.replicas if alive(each.process)]


def running(slot: slots.Slot) -> slots.Slot | None:
    """The slot as if it were no more than what runs of it."""
    replicas = living(slot)
    return msgspec.structs.replace(slot, replicas=tuple(replicas)) if replicas else None


def release_of(spec: slots.SlotSpec) -> Release:
    """What the slot was started as."""
    return Release(spec.version, spec.command, spec.env)


def within(home: Path, probes: Probes, name: str, methods: Collection[str] = ()) -> dict[float, int] | None:
    """Ok answers of all replicas by bucket bound in ms, cumulative. None where one of them does not say."""
    found = slots.known_slot(home, name)
    total: Counter[float] = Counter()
    for replica in living(found) if found else []:
        said = _within(replica, probes, methods)
        if said is None:
            return None
        total.update(said)
    return dict(total) or None


def _within(replica: slots.Replica, probes: Probes, methods: Collection[str]) -> dict[float, int] | None:
    with suppress(ProbeError):
        status, body = slots.probe(replica, probes.metrics, PROBE_S)
        return answers_within(body.decode(errors="replace"), methods) if status == 200 else None
    return None


def ready(replica: slots.Replica, probes: Probes) -> bool:
    with suppress(ProbeError):
        return slots.probe(replica, probes.ready, PROBE_S)[0] == 200
    return False


def _told(replicas: Sequence[slots.Replica], probes: Probes) -> dict[int, tuple[bool, _Says]]:
    """By port, whether it is ready and what it says: those that hang take their time all together."""
    with ThreadPoolExecutor(max(1, len(replicas))) as pool:
        told = pool.map(partial(_tells, probes=probes), replicas)
        return {each.port: found for each, found in zip(replicas, told, strict=True)}


def _tells(replica: slots.Replica, probes: Probes) -> tuple[bool, _Says]:
    """One that does not answer is not asked twice."""
    try:
        fit = slots.probe(replica, probes.ready, PROBE_S)[0] == 200
    except ProbeError:
        return False, _Says()
    return fit, _says(replica, probes)


def _joined(says: Sequence[_Says]) -> str:
    """The version they all say, or each of those they say; "" where one of them says none."""
    versions = sorted({each.version for each in says})
    return " and ".join(versions) if all(versions) else ""


def _schema(says: Sequence[_Says]) -> Range | None:
    return next((each.schema for each in says if each.schema), None)


def _says(replica: slots.Replica | Endpoint, probes: Probes) -> _Says:
    with suppress(ProbeError, msgspec.DecodeError):
        status, body = slots.probe(replica, probes.version, PROBE_S)
        if status == 200:
            return msgspec.json.decode(body, type=_Says)
    return _Says()
