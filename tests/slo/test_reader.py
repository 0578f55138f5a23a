"""`slo.yaml` is read once, and what it may not say is named by file, line and key."""

from __future__ import annotations

from pathlib import Path

import pytest

from slo.objective import Judge, Kind, RouteObjective
from slo.reader import SloFileError, read_targets

ROOT = Path(__file__).parents[2]

GOOD = """\
version: 1
service: shop
traffic_floor: 100
objectives:
  - name: fast
    kind: latency
    says: 95 % under 200 ms
    threshold_ms: 200
    target: 0.95
    judged_by: load
  - name: up
    kind: availability
    says: 99.9 % over 30 days
    target: 0.999
    window_days: 30
    judged_by: prometheus
routes:
  - route: GET /x
    threshold_ms: 100
    target: 0.9
excluded_routes: [/health]
"""


def test_the_projects_own_targets_are_read() -> None:
    """The four targets that a load run proves, and the thresholds a recorder must count."""
    targets = read_targets(ROOT / "slo.yaml")
    assert [o.name for o in targets.judged_by(Judge.LOAD)] == ["latency-p95", "latency-p99", "errors", "throughput"]
    assert targets.thresholds_ms() == (100, 200, 500)
    assert targets.traffic_floor == 3000
    assert "/livez" in targets.excluded_routes


def test_a_route_is_judged_like_an_objective() -> None:
    """A per-route target becomes a latency objective with its own name and sentence."""
    objective = RouteObjective("GET /tasks/{task_id}", 100, 0.995).objective()
    assert (
        objective.name,
        objective.kind,
        objective.threshold_ms,
        objective.target,
    ) == ("get-tasks-task-id", Kind.LATENCY, 100, 0.995)
    assert objective.says == "99.5 % of GET /tasks/{task_id} under 100 ms"


REFUSALS = [
    ("version: 1", "version: 2", "slo.yaml:1: version: invalid enum value 2; one of 1 is expected"),
    ("service: shop\n", "", "slo.yaml:1: service: is missing; add it"),
    ("service: shop", "service: ' '", "slo.yaml:2: service: is empty; name the service"),
    ("floor: 100", "floor: 0", "slo.yaml:3: traffic_floor: 0 is no floor; write 1 or more requests"),
    ("floor: 100", "floor: 1.5", "slo.yaml:3: traffic_floor: expected a whole number, got a number, found '1.5'"),
    ("target: 0.95", "target: 95", "slo.yaml:9: objectives[0].target: 95 is not a share between 0 and 1; write 0.95"),
    ("target: 0.95", "target: 1", "slo.yaml:9: objectives[0].target: 1 is not a share between 0 and 1, both excluded"),
    ("target: 0.95", "target: -1", "slo.yaml:9: objectives[0].target: -1 is not a share between 0 and 1"),
    ("target: 0.95", "target: 95 %", "slo.yaml:9: objectives[0].target: expected a number, got text, found '95 %'"),
    ("target: 0.9\n", "target: 90\n", "slo.yaml:20: routes[0].target: 90 is not a share between 0 and 1; write 0.9"),
    ("    threshold_ms: 200\n", "", "slo.yaml:5: objectives[0].threshold_ms: is missing, and latency needs it; add"),
    ("threshold_ms: 200", "threshold_ms: 0", "slo.yaml:8: objectives[0].threshold_ms: 0 is not above 0"),
    ("window_days: 30", "threshold_ms: 9", "slo.yaml:15: objectives[1].threshold_ms: availability has none; remove it"),
    ("    window_days: 30\n", "", "slo.yaml:11: objectives[1].window_days: is missing, and availability needs it"),
    (
        "kind: availability",
        "kind: throughput",
        "slo.yaml:15: objectives[1].window_days: throughput has none; remove it",
    ),
    ("kind: latency", "kind: latencies", "slo.yaml:6: objectives[0].kind: invalid enum value 'latencies'; one of lat"),
    (
        "by: load",
        "by: me",
        "slo.yaml:10: objectives[0].judged_by: invalid enum value 'me'; one of load, prometheus, model",
    ),
    ("name: up", "name: fast", "slo.yaml:11: objectives[1].name: fast stands at objectives[0] already; keep one"),
    ("name: up", "name: Up time", "slo.yaml:11: objectives[1].name: 'Up time' is not a name; use small letters"),
    ("says: 95 % under 200 ms", "says: ''", "slo.yaml:7: objectives[0].says: is empty; write the sentence"),
    ("GET /x", "/x", "slo.yaml:18: routes[0].route: '/x' is not a method and a path; write one such as GET /tasks/"),
    ("[/health]", "[/health, up]", "slo.yaml:21: excluded_routes[1]: 'up' is not a path; start it with /"),
    ("judged_by: load", "judge: load", "slo.yaml:10: objectives[0].judge: unknown key; the keys known here are name, "),
    ("target: 0.95", "target: 0.95\n    target: 0.9", "slo.yaml:10: key target stands in line 9 already; keep one"),
]


@pytest.mark.parametrize(("old", "new", "message"), REFUSALS)
def test_a_refusal_names_file_line_and_key(tmp_path: Path, old: str, new: str, message: str) -> None:
    """One wrong thing in a good file is refused by name; the file without it is read."""
    path = tmp_path / "slo.yaml"
    path.write_text(GOOD)
    assert read_targets(path).service == "shop"
    assert old in GOOD
    path.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(SloFileError) as caught:
        read_targets(path)
    assert message == str(caught.value).removeprefix(f"{tmp_path}/")[: len(message)]


def test_no_objectives_are_no_targets(tmp_path: Path) -> None:
    """A file that would judge nothing is refused."""
    path = tmp_path / "slo.yaml"
    path.write_text("version: 1\nservice: x\ntraffic_floor: 1\nobjectives: []\n")
    with pytest.raises(SloFileError, match=r":4: objectives: is empty, so nothing would be judged; add one"):
        read_targets(path)
