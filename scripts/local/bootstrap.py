"""What of Envoy's configuration stays the same while it runs: one listener, and two clusters for each slot."""

from __future__ import annotations

from pathlib import Path

from scripts.local.envoy_config import REQUEST_S, SHADOW, SLOTS, TYPE, UPSTREAM_IDLE_S, Json, address


def bootstrap(directory: Path, edge_port: int, admin_port: int) -> Json:
    """Routes and endpoints come from watched files in `directory`.

    Copies of reads have clusters of their own: a slot that hangs under copies takes no connection from a user, and its
    answers are counted apart.
    """
    return {
        "node": {"id": "edge", "cluster": "local"},
        "admin": {"address": address(admin_port)},
        "static_resources": {
            "listeners": [
                {"name": "edge", "address": address(edge_port), "filter_chains": [{"filters": [_http(directory)]}]}
            ],
            "clusters": [
                *(_cluster(directory, slot, slot, _USERS) for slot in SLOTS),
                *(_cluster(directory, slot, slot + SHADOW, _COPIES) for slot in SLOTS),
            ],
        },
    }


def _http(directory: Path) -> Json:
    return {
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": {
            "@type": f"{TYPE}envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
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
                        "@type": f"{TYPE}envoy.extensions.filters.http.router.v3.Router",
                        "suppress_envoy_headers": True,
                    },
                }
            ],
        },
    }


# A stall queues here instead of failing, but only for as long as that is of use: the application refuses what waited
# 3 s (its QUEUE_LIMIT), which is 3,000 requests at 1,000/s. Measured at that rate with a slot whose core was taken away
# for 14 s: with 8,192 places and no limit it answered nobody, then and afterwards; with 3,000 it was itself again
# 2 s after. With 1,500 it answered 250/s meanwhile, but a stall of 1.5 s, as small machines have them, would fail.
_USERS = {"max_connections": 64, "max_pending_requests": 3000, "max_requests": 3000, "max_retries": 64}
_COPIES = {"max_connections": 64, "max_pending_requests": 1024, "max_requests": 1024, "max_retries": 0}


def _cluster(directory: Path, slot: str, name: str, limits: Json) -> Json:
    return {
        "name": name,
        "type": "EDS",
        "eds_cluster_config": {"eds_config": _watched(directory / "eds" / f"{slot}.json"), "service_name": slot},
        "connect_timeout": "2s",
        "ignore_health_on_host_removal": True,
        "lb_policy": "LEAST_REQUEST",  # replicas share cores: one that stalls must not get every other request
        # When no replica is healthy, say so at once rather than try one all the same.
        # And a change of health is in force when the admin port shows it: by default it waits up to 1 s for others.
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}, "update_merge_window": "0s"},
        "circuit_breakers": {"thresholds": [limits]},
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": f"{TYPE}envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
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
