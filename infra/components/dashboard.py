"""The board of an environment, as the text that CloudWatch takes: alarms, users' traffic, database, cache.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

import msgspec

from infra.components.burning import NAMESPACE
from infra.components.saturation import Full
from slo.objective import Kind, Targets

WIDTH: Final = 24  # columns of a board
Line = tuple[str, str, str, str, str]  # namespace, metric, dimension, its value, statistic


class Graph(msgspec.Struct, frozen=True):
    """Lines over time, and levels to compare them with: (value, words)."""

    title: str
    lines: tuple[Line, ...]
    levels: tuple[tuple[float, str], ...] = ()


def traffic(load_balancer: str, targets: Targets) -> tuple[Graph, ...]:
    """What users get: requests and failures, and latency beside its thresholds."""

    def line(metric: str, stat: str) -> Line:
        return (NAMESPACE, metric, "LoadBalancer", load_balancer, stat)

    latency = [each for each in targets.objectives if each.kind is Kind.LATENCY and each.threshold_ms]
    failed = ("RequestCount", "HTTPCode_Target_5XX_Count", "HTTPCode_ELB_5XX_Count")
    return (
        Graph("Requests and failures", tuple(line(metric, "Sum") for metric in failed)),
        Graph(
            "Latency, s",
            tuple(line("TargetResponseTime", f"p{100 * each.target:g}") for each in latency),
            tuple(((each.threshold_ms or 0) / 1000, each.says) for each in latency),
        ),
    )


def resources(kind: str, namespace: str, dimension: str, names: Sequence[str], asked: Sequence[Full]) -> list[Graph]:
    """A graph for each metric that is asked, with a line for each resource and the level that is too much."""
    return [
        Graph(
            f"{kind}: {full.metric}",
            tuple((namespace, full.metric, dimension, name, full.stat) for name in names),
            ((full.threshold, full.words),),
        )
        for full in asked
    ]


def body(region: str, alarms: Sequence[str], graphs: Sequence[Graph]) -> str:
    """The board: the state of alarms (ARNs) on top, then the graphs, two a row."""
    widgets: list[dict[str, object]] = [
        {
            "type": "alarm",
            "x": 0,
            "y": 0,
            "width": WIDTH,
            "height": 3,
            "properties": {"title": "Alarms", "alarms": list(alarms)},
        }
    ]
    for at, graph in enumerate(graphs):
        place = {"x": at % 2 * WIDTH // 2, "y": 3 + at // 2 * 6, "width": WIDTH // 2, "height": 6}
        widgets.append({"type": "metric", **place, "properties": _properties(region, graph)})
    return json.dumps({"widgets": widgets}, sort_keys=True)


def _properties(region: str, graph: Graph) -> dict[str, object]:
    return {
        "title": graph.title,
        "region": region,
        "view": "timeSeries",
        "metrics": [[*line[:4], {"stat": line[4]}] for line in graph.lines],
        "annotations": {"horizontal": [{"value": value, "label": label} for value, label in graph.levels]},
    }
