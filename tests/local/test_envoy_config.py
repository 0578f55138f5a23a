"""What is written for Envoy, as files under golden/: a change of the configuration shows as a diff of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.local.bootstrap import bootstrap
from scripts.local.envoy_config import SLOTS, Endpoint, Json, Routes, endpoints_file, parse_routes, routes_file

GOLDEN = Path(__file__).with_name("golden")
ROUTES = Routes(blue=75, green=25, note={"run": "r-7", "token": "12"}, version="1")
AUDIENCE = Routes(blue=75, green=25, version="1", first="green", headers={"x-beta": "yes"}, cookies={"beta": "1"})
RENDERED = {
    "bootstrap": bootstrap(Path("/home/envoy"), edge_port=8080, admin_port=9901),
    "routes": routes_file(ROUTES, "key"),
    "routes-audience": routes_file(AUDIENCE, "key"),
    "routes-sticky": routes_file(Routes(blue=75, green=25, version="1", sticky="slot-7"), "key"),
    "routes-mirror": routes_file(Routes(blue=100, green=0, version="1", mirror="green"), "key"),
    "endpoints": endpoints_file("green", "1", [Endpoint(8081, 9091), Endpoint(8082, 9092, draining=True)]),
    "no-endpoints": endpoints_file("green", "1", []),
}


@pytest.mark.parametrize("name", RENDERED)
def test_rendered_files_are_the_golden_ones(name: str) -> None:
    """When the change is meant: `python -m tests.local.test_envoy_config` writes them anew."""
    assert json.loads((GOLDEN / f"{name}.json").read_text()) == RENDERED[name]


names = st.from_regex(r"[A-Za-z0-9_.-]{1,8}", fullmatch=True)
texts = st.dictionaries(names, st.from_regex(r"[a-z0-9=&]{1,8}", fullmatch=True), max_size=3)


@st.composite
def any_routes(draw: st.DrawFn) -> Routes:
    blue = draw(st.integers(0, 100))
    headers, cookies = draw(texts), draw(texts)
    mirrors = [slot for slot, weight in (("blue", blue), ("green", 100 - blue)) if not weight]
    return Routes(
        blue=blue,
        green=100 - blue,
        note=draw(texts),
        version=draw(names),
        first=draw(st.sampled_from(SLOTS)) if headers or cookies else "",
        headers=headers,
        cookies=cookies,
        mirror=draw(st.sampled_from(["", *mirrors])),
        sticky=draw(st.just("") | names),
    )


@given(any_routes())
def test_routes_are_read_back_as_written(routes: Routes) -> None:
    """Whatever they ask for."""
    assert parse_routes(routes.version, routes_file(routes, "key")["resources"][0]) == routes


def test_routes_are_read_back_where_envoy_left_out_what_is_empty() -> None:
    """Its own table has no empty metadata."""
    bare: Json = routes_file(Routes(blue=0, green=100), "key")["resources"][0]
    del bare["virtual_hosts"][0]["routes"][-1]["metadata"]
    assert parse_routes("", bare) == Routes(blue=0, green=100)


def test_a_table_whose_routes_disagree_is_no_table_of_ours() -> None:
    """Weights changed by hand in one of two places are not read as either."""
    whole = routes_file(Routes(blue=75, green=25, sticky="slot-7"), "key")
    table: Json = json.loads(json.dumps(whole["resources"][0]))
    table["virtual_hosts"][0]["routes"][-1]["route"]["weighted_clusters"]["clusters"][0]["weight"] = 50
    with pytest.raises(ValueError, match="different weights"):
        parse_routes("", table)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"first": "red", "cookies": {"a": "1"}}, "slot 'red': there are blue and green"),
        ({"first": "green"}, "an audience needs a slot"),
        ({"headers": {"x-beta": "1"}}, "a slot needs an audience"),
        ({"mirror": "blue"}, "blue has users"),
        ({"sticky": "slot 7"}, "cookie 'slot 7': use letters"),
        ({"first": "green", "cookies": {"a;b": "1"}}, "cookie 'a;b': use letters"),
        ({"first": "green", "cookies": {"a": "1; b=2"}}, "the value of 'a' cannot be sent"),
        ({"first": "green", "headers": {"x-beta": "yes\n"}}, "the value of 'x-beta' cannot be sent"),
        ({"first": "green", "headers": {"x-beta": ""}}, "the value of 'x-beta' cannot be sent"),
    ],
)
def test_routes_that_envoy_would_refuse_or_misread_are_never_written(fields: dict[str, Any], says: str) -> None:
    """Said at once; Envoy would go on with the old ones and write it in its log."""
    with pytest.raises(ValueError, match=says):
        Routes(blue=100, green=0, **fields)


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for stem, document in RENDERED.items():
        (GOLDEN / f"{stem}.json").write_text(json.dumps(document, indent=2) + "\n")
