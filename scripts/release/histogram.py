"""Slow answers from a slot's own latency histogram, in Prometheus' text format; pure."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

NAME = "http_request_duration_seconds"


def slow_answers(text: str, latency_ms: float) -> int | None:
    """Answers under status 500 that took longer than `latency_ms`, over all routes.

    None where there is no such histogram, or where the threshold is not one of its bucket bounds.
    """
    total = within = 0.0
    bounds: set[float] = set()
    for family in text_string_to_metric_families(text):
        if family.name != NAME:
            continue
        for sample in family.samples:
            if sample.labels.get("status_code", "").startswith("5"):
                continue
            if sample.name == f"{NAME}_count":
                total += sample.value
            elif sample.name == f"{NAME}_bucket":
                bound = float(sample.labels["le"])
                bounds.add(bound)
                if bound == latency_ms / 1000:
                    within += sample.value
    return round(total - within) if latency_ms / 1000 in bounds else None
