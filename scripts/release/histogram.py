"""What a slot's own latency histogram says of its answers, in Prometheus' text format; pure."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

from prometheus_client.parser import text_string_to_metric_families

NAME = "http_request_duration_seconds"
READS = ("GET", "HEAD")


def answers_within(text: str, methods: Collection[str] = ()) -> dict[float, int] | None:
    """Answers under status 500 by bucket bound in ms, cumulative, the infinite one included; over all routes.

    Only those to `methods` where any are named. None where the text has no such histogram, does not tell methods, or
    cannot be read, as with a count that is no number.
    """
    try:
        return _within(text, methods)
    except (KeyError, OverflowError, ValueError):
        return None


def _within(text: str, methods: Collection[str]) -> dict[float, int] | None:
    found: dict[float, int] = {}
    for family in text_string_to_metric_families(text):
        if family.name != NAME:
            continue
        for sample in family.samples:
            if sample.name != f"{NAME}_bucket" or sample.labels.get("status_code", "").startswith("5"):
                continue
            if methods and "method" not in sample.labels:
                return None
            bound = round(float(sample.labels["le"]) * 1000, 6)
            counts = not methods or sample.labels["method"] in methods
            found[bound] = found.get(bound, 0) + (round(sample.value) if counts else 0)
    return found or None


def slow_answers(within: Mapping[float, int] | None, latency_ms: float) -> int | None:
    """Answers that took longer than `latency_ms`. None where that is not one of the bounds."""
    if within is None or latency_ms not in within or math.inf not in within:
        return None
    return within[math.inf] - within[latency_ms]
