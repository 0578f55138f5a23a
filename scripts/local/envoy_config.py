"""Envoy's configuration as plain data: the bootstrap, the routes and the endpoints of a slot.

Field names: https://www.envoyproxy.io/docs/envoy/v1.40.0/api-v3/api
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from scripts.local.ports import LOOPBACK

Json = dict[str, Any]  # Envoy's own schema; it refuses what it does not know

SLOTS = ("blue", "green")
ROUTE_S = 60  # an answer's, from the request's end
UPSTREAM_IDLE_S = 60  # below the server's keep-alive of 75 s, so that the edge is always the one to close
REQUEST_S = 10  # for a whole request to arrive, in whatever rhythm
_TYPE = "type.googleapis.com/"
_METADATA = "primetrade"


class Routes(msgspec.Struct, frozen=True):
    """How users' requests are shared out, in percent."""

    blue: int
    green: int
    note: dict[str, str] = {}  # free: who moved it, for which run, with which fencing token
    version: str = ""  # stamped by every write, so that what is applied can be told from what was asked

    def __post_init__(self) -> None:
        if min(self.blue, self.green) < 0 or self.blue + self.green != 100:
            raise ValueError(f"weights blue {self.blue} and green {self.green}: none below 0, together 100")


def bootstrap(directory: Path, edge_port: int, admin_port: int) -> Json:
    """One listener, one cluster per slot; routes and endpoints come from watched files in `directory`."""
    return {
        "node": {"id": "edge", "cluster": "local"},
        "admin": {"address": _address(admin_port)},
        "static_resources": {
            "listeners": [
                {"name": "edge", "address": _address(edge_port), "filter_chains": [{"filters": [_http(directory)]}]}
            ],
            "clusters": [_cluster(directory, slot) for slot in SLOTS],
        },
    }


def routes_file(routes: Routes, route_key: str) -> Json:
    """The watched file of routes."""
    users = {
        "match": {"prefix": "/"},
        "metadata": {"filter_metadata": {_METADATA: routes.note}},
        "route": {
            "weighted_clusters": {
                "clusters": [
                    {"name": slot, "weight": getattr(routes, slot), "response_headers_to_add": [_slot_header(slot)]}
                    for slot in SLOTS
                ]
            },
            **_FORWARDING,
        },
    }
    table = {
        "@type": f"{_TYPE}envoy.config.route.v3.RouteConfiguration",
        "name": "edge",
        "virtual_hosts": [
            {
                "name": "edge",
                "domains": ["*"],
                # The key and the wish are between the caller and the edge.
                "request_headers_to_remove": ["x-route-key", "x-route-slot"],
                # One address, the caller's: what a client claims about itself is dropped.
                "request_headers_to_add": [
                    _header("x-forwarded-for", "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%")
                ],
                "routes": [*(_preview(slot, route_key) for slot in SLOTS), users],
            }
        ],
    }
    return {"version_info": routes.version, "resources": [table]}


def parse_routes(version: str, table: Json) -> Routes:
    """The inverse of `routes_file`, from the file's or from Envoy's own route table."""
    users = table["virtual_hosts"][0]["routes"][-1]
    weights = {each["name"]: each.get("weight", 0) for each in users["route"]["weighted_clusters"]["clusters"]}
    note = users.get("metadata", {}).get("filter_metadata", {}).get(_METADATA, {})
    return Routes(blue=weights["blue"], green=weights["green"], note=note, version=version)


def endpoints_file(slot: str, version: str, ports: tuple[int, int] | None) -> Json:
    """The watched file of a slot's endpoint: (traffic port, admin port), or none."""
    endpoints = []
    if ports:
        health = {"port_value": ports[1]}
        endpoints = [{"endpoint": {"address": _address(ports[0]), "health_check_config": health}}]
    assignment = {
        "@type": f"{_TYPE}envoy.config.endpoint.v3.ClusterLoadAssignment",
        "cluster_name": slot,
        "endpoints": [{"lb_endpoints": endpoints}],
    }
    return {"version_info": version, "resources": [assignment]}


# Only what an upstream cannot have seen is sent again: a write must never be done twice.
_FORWARDING: Json = {
    "timeout": f"{ROUTE_S}s",
    "retry_policy": {"retry_on": "connect-failure,refused-stream,reset-before-request", "num_retries": 2},
}


def _preview(slot: str, route_key: str) -> Json:
    match = [{"name": "x-route-key", "string_match": {"exact": route_key}}]
    match.append({"name": "x-route-slot", "string_match": {"exact": slot}})
    return {
        "match": {"prefix": "/", "headers": match},
        "stat_prefix": f"preview-{slot}",
        "response_headers_to_add": [_slot_header(slot)],
        "route": {"cluster": slot, **_FORWARDING},
    }


def _slot_header(slot: str) -> Json:
    return _header("x-slot", slot)


def _header(name: str, value: str) -> Json:
    return {"header": {"key": name, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}


def _http(directory: Path) -> Json:
    return {
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": {
            "@type": f"{_TYPE}envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "edge",
            "rds": {"route_config_name": "edge", "config_source": _watched(directory / "rds" / "routes.json")},
            "use_remote_address": True,
            "internal_address_config": {},  # nobody is internal: x-envoy-* and x-request-id of a client are dropped
            "skip_xff_append": True,
            "common_http_protocol_options": {"idle_timeout": "300s"},
            "stream_idle_timeout": "60s",
            "request_headers_timeout": f"{REQUEST_S}s",
            "request_timeout": f"{REQUEST_S}s",
            "http_filters": [
                {
                    "name": "envoy.filters.http.router",
                    "typed_config": {
                        "@type": f"{_TYPE}envoy.extensions.filters.http.router.v3.Router",
                        "suppress_envoy_headers": True,
                    },
                }
            ],
        },
    }


def _cluster(directory: Path, slot: str) -> Json:
    return {
        "name": slot,
        "type": "EDS",
        "eds_cluster_config": {"eds_config": _watched(directory / "eds" / f"{slot}.json"), "service_name": slot},
        "connect_timeout": "2s",
        "ignore_health_on_host_removal": True,
        # One endpoint per slot: when it is down, say so at once rather than try it all the same.
        # And a change of health is in force when the admin port shows it: by default it waits up to 1 s for others.
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}, "update_merge_window": "0s"},
        # A stall of seconds at 1,000 requests/s queues here instead of failing.
        "circuit_breakers": {
            "thresholds": [
                {"max_connections": 64, "max_pending_requests": 8192, "max_requests": 8192, "max_retries": 64}
            ]
        },
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": f"{_TYPE}envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "common_http_protocol_options": {"idle_timeout": f"{UPSTREAM_IDLE_S}s"},
                "explicit_http_config": {"http_protocol_options": {}},
            }
        },
        "health_checks": [
            {
                "http_health_check": {"path": "/readyz"},
                "timeout": "3s",
                "unhealthy_threshold": 3,  # a 503 counts at once, only silence needs three
                "healthy_threshold": 1,
                "interval": "0.5s",
                "no_traffic_interval": "0.1s",
                "no_traffic_healthy_interval": "0.5s",
                "unhealthy_interval": "0.1s",  # a warm slot that stops draining must be usable at once
            }
        ],
    }


def _watched(file: Path) -> Json:
    source = {"path": str(file), "watched_directory": {"path": str(file.parent)}}
    return {"path_config_source": source, "resource_api_version": "V3"}


def _address(port: int) -> Json:
    return {"socket_address": {"address": LOOPBACK, "port_value": port}}
