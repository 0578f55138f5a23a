"""What users lose in a plain rolling update, beside the switches that lose nothing under the same load."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.release.kubernetes.rolling import PLAIN, SLEEPING, rolling

pytestmark = pytest.mark.cluster


def test_a_plain_rolling_update_loses_requests_unless_its_pods_sleep_before_they_end(
    cluster: Path, python_image: str
) -> None:
    """A pod that ends is still asked until kube-proxy has heard of it."""
    found = {name: rolling(cluster, python_image, how, 2) for name, how in (("plain", PLAIN), ("sleeping", SLEEPING))}
    for name, lost in found.items():
        print(f"{name}: {len(lost.failed)} of {lost.asked:,} lost; {lost.kinds}")
    assert [] == found["sleeping"].failed
    assert found["plain"].failed
    assert all(lost.asked > 1000 for lost in found.values())
