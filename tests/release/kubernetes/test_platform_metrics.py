"""Users' requests from what Prometheus says, and why they cannot be relied on."""

from __future__ import annotations

import json
import math
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import pytest
import yaml

from scripts.release.errors import ReleaseError, Undecided
from scripts.release.file import Kubernetes
from scripts.release.kubernetes import metrics
from scripts.release.kubernetes.counting import Counting
from scripts.release.kubernetes.metrics import Growing, Prometheus, Sample
from scripts.release.kubernetes.objects import Objects
from scripts.release.slots import Tally
from scripts.tools import tool


def bucket(pod: str, status: str, le: str, value: float) -> Sample:
    return Sample({"pod": pod, "status_code": status, "le": le}, value)


FOUND = [
    bucket("shop-blue-7d-x", "200", "0.2", 90),
    bucket("shop-blue-7d-x", "200", "+Inf", 95),
    bucket("shop-blue-7d-y", "200", "0.2", 10),
    bucket("shop-blue-7d-y", "200", "+Inf", 10),
    bucket("shop-blue-7d-y", "500", "0.2", 3),
    bucket("shop-blue-7d-y", "500", "+Inf", 3),
    Sample({"pod": "shop-green-6f-z", "__name__": "up"}, 1),
    Sample({"pod": "shop-expand-1-z", "__name__": "up"}, 1),
]


def counted(*looks: list[Sample]) -> dict[str, Tally]:
    growing = Growing()
    for look in looks:
        sums = growing.add(metrics.read_answers(look, "shop"))
    return dict(metrics.tallies(sums, 200))


def test_the_pods_of_a_slot_are_added_up() -> None:
    """Failed, slow, and by bucket; a slot that has answered nobody yet counts nothing, and is there."""
    assert counted(FOUND) == {
        "blue": Tally(108, 3, 5, {200: 100, math.inf: 105}),
        "green": Tally(0, 0, None, None),
    }


def test_a_pod_that_ends_or_begins_anew_takes_nothing_away() -> None:
    """A gate needs counters that only grow."""
    before = [bucket("shop-blue-a", "200", "+Inf", 50), bucket("shop-blue-b", "200", "+Inf", 40)]
    after = [bucket("shop-blue-b", "200", "+Inf", 5), bucket("shop-blue-c", "200", "+Inf", 7)]
    assert counted(before)["blue"].requests == 90
    assert counted(before, after)["blue"].requests == 102
    assert counted(before, after, after)["blue"].requests == 102


def test_a_gateways_own_count_beats_the_applications() -> None:
    """Previews are nobody's requests; latency is the applications' word all the same."""
    edge = [
        Sample({"envoy_endpoint_address": "10.0.0.1:8080", "kind": "success"}, 60),
        Sample({"envoy_endpoint_address": "10.0.0.1:8080", "kind": "error"}, 2),
        Sample({"envoy_endpoint_address": "10.0.0.9:8080", "kind": "success"}, 7),
    ]
    by_edge = Growing().add(metrics.read_edge(edge, {"10.0.0.1": "blue"}))
    sums = Growing().add(metrics.read_answers(FOUND, "shop"))
    assert metrics.tallies(sums, 200, by_edge)["blue"] == Tally(62, 2, 5, {200: 100, math.inf: 105})


def answer(*values: str) -> bytes:
    result = [{"metric": {"pod": "a"}, "value": [0, value]} for value in values]
    return json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}}).encode()


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (200, answer("NaN"), "says nan of .*'pod': 'a'"),
        (200, answer("1", "+Inf"), "says inf"),
        (400, b'{"status": "error", "errorType": "bad_data", "error": "parse error"}', "refuses: parse error"),
        (502, b"<html>Bad Gateway", "answers with 502 and .*is it a Prometheus?"),
        (200, b"[]", "is it a Prometheus?"),
    ],
)
def test_what_is_no_count_is_named(status: int, body: bytes, says: str) -> None:
    with pytest.raises(ReleaseError, match=says):
        metrics.samples(status, body)


def test_a_prometheus_that_is_down_or_not_named_is_an_error() -> None:
    with pytest.raises(ReleaseError, match="does not answer"):
        Prometheus("http://127.0.0.1:9").ask("up")
    with pytest.raises(ReleaseError, match=r"say kubernetes.prometheus in release.yaml"):
        Prometheus("").ask("up")


def test_a_pod_may_say_what_it_has_in_flight() -> None:
    assert metrics.in_flight("# TYPE http_requests_in_flight gauge\nhttp_requests_in_flight 3.0\n") == 3
    assert metrics.in_flight("# TYPE other gauge\nother 3.0\n") is None
    assert metrics.in_flight("<html>") is None


@pytest.mark.parametrize("router", ["service", "gateway"])
def test_users_who_are_looked_at_too_rarely_are_no_lack_of_users(router: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A release would be refused for want of traffic, or begin and hold until its limit."""
    answers: dict[str, Sequence[Sample]] = {}
    monkeypatch.setattr(Prometheus, "ask", lambda self, query: answers.get(query, []))
    settings = Kubernetes(namespace="shop", app="shop", router=router, prometheus="http://p")  # type: ignore[arg-type]
    counting = Counting(settings, 200, cast(Objects, None))
    edge = router == "gateway"

    assert counting.arriving() == 0
    answers[metrics.rate_query("shop", "shop", edge=edge)] = [Sample({}, 12.5)]
    assert counting.arriving() == 12.5
    answers[metrics.scrapes_query("shop", "shop", edge=edge)] = [Sample({}, 3)]
    with pytest.raises(Undecided, match=r"3 times in the last 15s, and gates .* every 2 s or more often"):
        counting.arriving()
    answers[metrics.scrapes_query("shop", "shop", edge=edge)] = [Sample({}, 4)]
    assert counting.arriving() == 12.5


BLUE = '{namespace="shop",pod="shop-blue-7d-x",__name__="http_request_duration_seconds_count"}'
GREEN = BLUE.replace("blue", "green")
COUNTED = 'http_request_duration_seconds_bucket{namespace="shop",pod="shop-blue-7d-x",status_code="200",le="+Inf"}'


@pytest.mark.cluster  # nothing runs, but its tools are built
@pytest.mark.parametrize(
    ("every", "rate", "scrapes"), [(1, 10, 15), (2, 10, 8), (3, 10, 5), (15, None, 1), (30, None, 0), (150, None, 0)]
)
def test_prometheus_tells_how_often_it_looks(every: int, rate: float | None, scrapes: int, tmp_path: Path) -> None:
    """By its own word, also where the window has no look at all; a pod that ended counts for nothing."""
    asked: dict[str, float | None] = {
        f"round({metrics.rate_query('shop', 'shop', edge=False)}, 0.01)": rate,
        metrics.scrapes_query("shop", "shop", edge=False): scrapes,
    }
    if every <= metrics.EVERY_S:
        asked[f"count({metrics.answers_query('shop', 'shop')})"] = 1
    whole = f"0+{10 * every}x{1200 // every}"
    series = [
        {"series": BLUE, "values": whole},
        {"series": COUNTED, "values": whole},
        {"series": GREEN, "values": f"0+{10 * every}x{540 // every} stale"},
    ]
    told(tmp_path, every, series, asked)


@pytest.mark.cluster
def test_pods_that_replaced_others_a_moment_ago_are_not_looked_at_too_rarely(tmp_path: Path) -> None:
    """The others were looked at for a part of the time only, and so are they."""
    series = [{"series": GREEN, "values": "0+10x612 stale"}, {"series": BLUE, "values": "_x612 0+10x600"}]
    told(tmp_path, 1, series, {metrics.scrapes_query("shop", "shop", edge=False): None})


def told(tmp_path: Path, every: int, series: list[dict[str, str]], asked: dict[str, float | None]) -> None:
    """What Prometheus answers at 620 s, as it says itself."""
    expr = [
        {"expr": query, "eval_time": "620s", "exp_samples": [] if value is None else [{"labels": "{}", "value": value}]}
        for query, value in asked.items()
    ]
    test = {"interval": f"{every}s", "input_series": series, "promql_expr_test": expr}
    (tmp_path / "test.yaml").write_text(yaml.safe_dump({"evaluation_interval": "10s", "tests": [test]}))
    words = [str(tool("promtool")), "test", "rules", "test.yaml"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
