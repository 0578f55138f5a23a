"""What a plan takes: seconds, requests and replicas, as `plan` prints them."""

from __future__ import annotations

import msgspec
import pytest

from scripts.commands.release.text import plan_lines, span
from scripts.release import engine
from scripts.release.cost import Cost, cost
from scripts.release.engine import Caller, Options
from scripts.release.file import ReleaseFile, override_one
from scripts.release.step import Kind
from scripts.release.twin import Twin


def price(twin: Twin, file: ReleaseFile, rate: float = 1000, options: Options = Options()) -> Cost:  # noqa: B008 - frozen
    """The plan of 1.1.0, priced; it changed nothing."""
    before = twin.observe(), twin.journal.read(), list(twin.calls), twin.held
    found = cost(engine.look(twin), engine.preview_plan(twin, file, "1.1.0", options), rate, file, twin.now())
    assert before == (twin.observe(), twin.journal.read(), twin.calls, twin.held)
    return found


def changed(file: ReleaseFile, *overrides: str) -> ReleaseFile:
    settings = file.settings
    for each in overrides:
        settings = override_one(settings, each)
    return msgspec.structs.replace(file, settings=settings)


def test_the_whole_takes_as_long_as_its_steps(twin: Twin, file: ReleaseFile) -> None:
    found = price(twin, file)
    assert sum(each.seconds for each in found.steps) == found.seconds
    assert found.seconds >= 10 + 10 + 10 + 20  # analysis, two holds, bake


def test_a_gate_takes_the_longer_of_its_window_and_the_time_its_requests_need(twin: Twin, file: ReleaseFile) -> None:
    """Half the traffic: twice the time, once that is what the gate waits for."""
    holds = [
        next(each for each in price(twin, file, rate).steps if each.step.kind is Kind.HOLD) for rate in (1000, 100, 50)
    ]
    busy, quiet, quieter = holds
    assert busy.feeding is not None
    assert busy.feeding < busy.seconds == busy.step.seconds
    assert quiet.feeding == quiet.seconds == quiet.step.requests / (100 * busy.step.share / 100)
    assert 2 * quiet.seconds == quieter.seconds


def test_a_hold_waits_for_the_slot_with_fewer_users(twin: Twin, file: ReleaseFile) -> None:
    """Beyond half of the users that is the old one: 95 % lasts as long as 5 %."""
    holds = [
        each for each in price(twin, changed(file, "steps=[5, 95, 100]"), rate=100).steps if each.step.kind is Kind.HOLD
    ]
    assert [5, 95] == [each.step.share for each in holds]
    assert holds[0].feeding == holds[1].feeding


def test_a_rate_that_cannot_feed_a_gate_is_a_shortage_and_none_at_all_is_never(twin: Twin, file: ReleaseFile) -> None:
    found = price(twin, file, rate=0)
    assert "hold gate of green at 5 %" in found.shortage
    assert None in [each.feeding for each in found.steps if each.step.kind is Kind.HOLD]
    assert "never at this rate" in "\n".join(plan_lines(found))
    assert price(twin, file).shortage == ""


def test_the_old_slot_stays_beside_the_new_one_through_the_bake_and_then_warm(twin: Twin, file: ReleaseFile) -> None:
    found = price(twin, file)
    begun = [each.step.kind for each in found.steps].index(Kind.DEPLOY)
    assert (found.extra.replicas, found.extra.there, found.extra.warm) == (1, 0, 1)
    assert found.extra.warm_seconds == file.settings.warm
    assert found.extra.seconds == sum(each.seconds for each in found.steps[begun:])


def test_a_small_preview_grows_and_both_count(twin: Twin, file: ReleaseFile) -> None:
    """A tenth at first: what is paid for at most is what the slot grows to, or what it leaves behind."""
    big = changed(file, "artefact.replicas=10", "preview.capacity=10")
    found = price(twin, big)
    assert [each.step.replicas for each in found.steps if each.step.kind in (Kind.DEPLOY, Kind.SCALE)] == [1, 10]
    assert (found.extra.replicas, found.extra.warm) == (10, 1)


def test_a_release_that_stops_in_preview_costs_until_a_person_says_so(twin: Twin, file: ReleaseFile) -> None:
    found = price(twin, file, options=Options(to_preview=True))
    assert (found.extra.replicas, found.extra.seconds, found.extra.warm) == (1, None, 0)
    assert "1 replica beside the slot with the users, until `primetrade release promote`" in "\n".join(
        plan_lines(found)
    )


def test_the_first_release_costs_nothing_beside_it(empty: Twin, file: ReleaseFile) -> None:
    found = price(empty, file)
    assert found.extra.replicas == 0
    assert "no capacity beside the slot with the users" in list(plan_lines(found))


def test_the_plan_says_when_it_takes_the_warm_slot(twin: Twin, file: ReleaseFile, caller: Caller) -> None:
    """Then there is no instant rollback any more, and the capacity is there already."""
    assert price(twin, file).replaces == ""
    engine.deploy(twin, file, "1.0.5", caller)
    found = price(twin, file)
    assert ("1.0.0", 1) == (found.replaces, found.extra.there)
    assert "takes the slot of 1.0.0, which is warm" in "\n".join(plan_lines(found))


def test_the_plan_says_what_is_overdue_and_comes_first(twin: Twin, file: ReleaseFile, caller: Caller) -> None:
    """A deploy stops the slot whose warm time is over before it begins, and that is part of what will happen."""
    engine.deploy(twin, file, "1.0.5", caller)
    assert price(twin, file).overdue == ""
    twin.clock += file.settings.warm + 1
    assert "first  1.0.0 on blue is stopped" in "\n".join(plan_lines(price(twin, file)))


def test_the_answer_of_a_person_has_a_limit_and_no_length(twin: Twin, file: ReleaseFile) -> None:
    asking = changed(file, "approvals={before: [50], limit: 4h}")
    found = price(twin, asking)
    assert (found.approvals, found.seconds) == (1, price(twin, file).seconds)
    lines = list(plan_lines(found))
    assert [line for line in lines if " approval " in line and "≤ 4 h" in line]
    assert [line for line in lines if ", plus 1 approval" in line]


def test_a_release_that_is_live_already_is_only_looked_at(twin: Twin, file: ReleaseFile) -> None:
    found = cost(engine.look(twin), engine.preview_plan(twin, file, "1.0.0", Options()), 1000, file, twin.now())
    assert ([each.step.kind for each in found.steps], found.seconds, found.shortage) == (["verify"], 0, "")
    lines = list(plan_lines(found))
    assert "1.0.0 on blue has all users already: probes on their route see it, and nothing changes" in lines[0]
    assert lines[1:] == [
        "about 0 s at 1,000 users' requests per second",
        "no capacity beside the slot with the users",
    ]


@pytest.mark.parametrize(("seconds", "words"), [(0, "0 s"), (95, "95 s"), (1800, "30 min"), (86400, "24 h")])
def test_times_are_told_in_the_unit_that_says_enough(seconds: float, words: str) -> None:
    assert span(seconds) == words
