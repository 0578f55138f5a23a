"""What stops at night: times as arithmetic, and what a plan makes of each choice."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.components.night import cron, hours_on, may_stop
from infra.config.night import Night
from infra.plan.graph import Graph

TIMES = st.builds(lambda hours, minutes: f"{hours:02}:{minutes:02}", st.integers(0, 23), st.integers(0, 59))


@pytest.mark.parametrize(
    ("time", "days", "expected"),
    [("20:00", "*", "cron(0 20 * * ? *)"), ("07:05", "MON-FRI", "cron(5 7 ? * MON-FRI *)")],
)
def test_a_time_is_written_as_the_scheduler_reads_it(time: str, days: str, expected: str) -> None:
    """Of the day of the month and that of the week one must be a question mark."""
    assert expected == cron(time, days)


@given(TIMES, TIMES)
def test_a_night_is_between_two_times_of_one_day(start: str, stop: str) -> None:
    """Never more than the workdays; whatever ends before it begins is refused."""
    if stop <= start:
        with pytest.raises(ValueError, match="is not after start"):
            Night(stop=stop, start=start)
    else:
        assert 0 < hours_on(Night(stop=stop, start=start)) < 5 * 24


def test_without_a_night_it_runs_all_week() -> None:
    """168 hours."""
    assert 168 == hours_on(Night())
    assert 65 == hours_on(Night(stop="20:00", start="07:00"))


def test_development_sleeps(committed: Callable[[str], Graph]) -> None:
    """The database and the managed nodes, each by a call of its own, in the time of those who use it."""
    schedules = {each.name: each.inputs for each in committed("dev").of("scheduler/schedule")}
    assert {
        f"primetrade-dev-night-{part}-{action}" for part in ("database", "nodes") for action in ("start", "stop")
    } == schedules.keys()
    assert {"Europe/Berlin"} == {each["scheduleExpressionTimezone"] for each in schedules.values()}
    target: Any = schedules["primetrade-dev-night-nodes-stop"]["target"]
    assert {"MinSize": 0, "DesiredSize": 0, "MaxSize": 1} == json.loads(target["input"])["ScalingConfig"]


def test_it_may_do_that_and_no_more() -> None:
    """On these two resources."""
    statements = json.loads(may_stop("DATABASE", "NODES"))["Statement"]
    assert [
        (["rds:StopDBInstance", "rds:StartDBInstance"], ["DATABASE"]),
        (["eks:UpdateNodegroupConfig"], ["NODES"]),
    ] == [(each["Action"], each["Resource"]) for each in statements]
    assert 1 == len(json.loads(may_stop("DATABASE"))["Statement"])


def test_nothing_sleeps_where_users_are(committed: Callable[[str], Graph]) -> None:
    """Production and the second region may not; staging does not, since load tests run there at any hour."""
    schedules = [each for name in ("prod", "dr", "staging") for each in committed(name).of("scheduler/schedule")]
    assert [] == [each.name for each in schedules if each.parent == "night"]


@settings(max_examples=10)  # each runs the whole program
@given(
    st.fixed_dictionaries(
        {"stop": st.sampled_from([None, "18:00", "23:59"])},
        optional={"start": st.sampled_from(["00:00", "09:30"]), "time_zone": st.sampled_from(["UTC", "Asia/Tokyo"])},
    ),
    st.integers(0, 1),
    st.sampled_from(["karpenter", "auto"]),
)
def test_every_night_has_a_morning(
    graph_of: Callable[..., Graph], changes: dict[str, Any], replicas: int, mode: str
) -> None:
    """As many starts as stops; RDS stops no database with replicas, so that is refused."""
    sections = {"night": changes, "cluster": {"mode": mode}, "database": {"replicas": replicas, "password": "written"}}
    if changes["stop"] and replicas:
        with pytest.raises(msgspec.ValidationError, match="RDS stops no database with replicas"):
            graph_of(**sections)
        return
    names = [each.name for each in graph_of(**sections).of("scheduler/schedule")]
    parts = (1 if mode == "auto" else 2) if changes["stop"] else 0
    assert [parts, parts] == [sum(name.endswith(end) for name in names) for end in ("-stop", "-start")]
