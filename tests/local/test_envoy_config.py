"""What is written for Envoy, as files under golden/: a change of the configuration shows as a diff of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scripts.local.bootstrap import bootstrap
from scripts.local.envoy_config import Endpoint, Json, Routes, endpoints_file, parse_routes, routes_file

GOLDEN = Path(__file__).with_name("golden")
ROUTES = Routes(blue=75, green=25, note={"run": "r-7", "token": "12"}, version="1")
RENDERED = {
    "bootstrap": bootstrap(Path("/home/envoy"), edge_port=8080, admin_port=9901),
    "routes": routes_file(ROUTES, "key"),
    "endpoints": endpoints_file("green", "1", [Endpoint(8081, 9091), Endpoint(8082, 9092, draining=True)]),
    "no-endpoints": endpoints_file("green", "1", []),
}


@pytest.mark.parametrize("name", RENDERED)
def test_rendered_files_are_the_golden_ones(name: str) -> None:
    """When the change is meant: `python -m tests.local.test_envoy_config` writes them anew."""
    assert json.loads((GOLDEN / f"{name}.json").read_text()) == RENDERED[name]


def test_routes_are_read_back_as_written() -> None:
    """From the file, and from a table in which Envoy left out what is empty."""
    table: Json = routes_file(ROUTES, "key")["resources"][0]
    assert parse_routes("1", table) == ROUTES
    bare: Json = routes_file(Routes(blue=0, green=100), "key")["resources"][0]
    del bare["virtual_hosts"][0]["routes"][-1]["metadata"]
    assert parse_routes("", bare) == Routes(blue=0, green=100)


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for stem, document in RENDERED.items():
        (GOLDEN / f"{stem}.json").write_text(json.dumps(document, indent=2) + "\n")
