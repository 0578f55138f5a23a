"""Burn rates that wake somebody, as arithmetic."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slo.budget import budget_burnt
from slo.burn import BURNS, STRAY, Burn, bad_share, fewest_requests

SHARES = st.floats(1e-6, 0.999)


def test_the_rates_are_those_of_the_workbook() -> None:
    """Table 5-8 of https://sre.google/workbook/alerting-on-slos/, and between them the same share in one day."""
    assert [14.4, 6.0, 3.0, 1.0] == [pytest.approx(each.rate(30)) for each in BURNS]
    assert [300, 1800, 7200, 21600] == [each.short_s for each in BURNS]


@given(st.sampled_from(BURNS), st.floats(1, 90))
def test_the_long_window_at_its_rate_spends_what_the_alarm_says(burn: Burn, days: float) -> None:
    """Whatever the objective's window."""
    assert budget_burnt(burn.rate(days), burn.long_s, days) == pytest.approx(burn.spends)


@given(SHARES)
def test_stray_failures_wake_nobody(share: float) -> None:
    """Of the fewest requests that are judged, five bad ones stay under the share; of one request less they do not."""
    fewest = fewest_requests(share)
    assert STRAY / fewest <= share
    assert fewest == 1 or STRAY / (fewest - 1) >= share * (1 - 1e-9)


def test_a_loose_target_can_burn_no_faster_than_all() -> None:
    """95 % leaves no room for a rate of 20 and more: every request would be bad."""
    assert bad_share(14.4, 0.05) == pytest.approx(0.72)
    assert bad_share(20, 0.05) == pytest.approx(1)
