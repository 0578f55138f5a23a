"""Files that a release file of the tests names."""

from __future__ import annotations

TARGETS = """
version: 1
service: shop
traffic_floor: 100
objectives:
  - {name: p95, kind: latency, says: fast, threshold_ms: 200, target: 0.95, judged_by: load}
  - {name: errors, kind: errors, says: whole, target: 0.999, judged_by: load}
"""
PROFILE = """
name: analysis
rate: 100
steady_s: 2
journeys: [{name: tasks, path: /tasks}]
"""
