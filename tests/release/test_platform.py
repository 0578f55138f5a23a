"""What every platform promises the engine: the same tests over the twin and over real processes behind Envoy."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from scripts.release.errors import Fenced, Locked, Refused, ReleaseError, RouteMoved
from scripts.release.file import ReleaseFile
from scripts.release.journal import Entry, Holder
from scripts.release.local import Local
from scripts.release.platform import Platform
from scripts.release.route import Audience, Target, Weights
from scripts.release.slots import Load, Release, Request
from scripts.release.twin import Twin

HOLDER = Holder("ann@laptop", "r1", "deploy", "2026-01-01T00:00:00.000Z", 42)
PROBE = Request(path="/health")


@pytest.fixture(params=["twin", "local", pytest.param("kubernetes", marks=pytest.mark.cluster)])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def release_file(kind: str, request: pytest.FixtureRequest) -> ReleaseFile:
    """Of the twins that this platform runs."""
    found = request.getfixturevalue("gateway_file" if kind == "kubernetes" else "processes_file")
    assert isinstance(found, ReleaseFile)
    return found


@pytest.fixture
def platform(kind: str, request: pytest.FixtureRequest, release_file: ReleaseFile) -> Platform:
    """A platform on which 1.0.0 has all users in blue."""
    if kind == "kubernetes":
        found: Platform = request.getfixturevalue("gateway_platform")
        return found
    if kind == "local":
        local = request.getfixturevalue("local")
        assert isinstance(local, Local)
        return local
    twin = Twin()
    twin.edit(Target(Weights(0, 100)))
    twin.deploy("blue", release_file.release("1.0.0", {}), 1, 9)
    twin.edit(Target(Weights(100, 0)))
    twin.sleep(2)
    return twin


@pytest.fixture
def new(release_file: ReleaseFile) -> Release:
    return release_file.release("1.1.0", {})


@pytest.fixture
def both(platform: Platform, new: Release) -> Platform:
    """1.1.0 ready in green beside it, without users."""
    platform.deploy("green", new, 1, 9)
    until(platform, lambda: platform.observe().slots["green"].ready)
    until(platform, lambda: platform.ask(PROBE, "green").slot == "green")  # a gateway hears of its pods a moment later
    return platform


def until(platform: Platform, check: Callable[[], bool]) -> None:
    deadline = platform.now() + 60
    while not check():
        assert platform.now() < deadline
        platform.sleep(0.02)


def test_what_runs_is_seen(both: Platform, new: Release) -> None:
    """Version, digest, what the process says of itself, readiness, and who has the users."""
    seen = both.observe()
    blue, green = seen.slots["blue"], seen.slots["green"]
    assert (blue.version, blue.says, blue.running, blue.ready) == ("1.0.0", "1.0.0", True, True)
    assert (green.version, green.says, green.digest) == ("1.1.0", "1.1.0", new.digest)
    assert blue.capacity == green.capacity
    assert seen.route.weights == Weights(100, 0)


def test_deploying_what_runs_already_changes_nothing(both: Platform, new: Release) -> None:
    """It stays ready, and a drained slot takes requests again."""
    both.deploy("green", new, 1, 9)
    assert both.observe().slots["green"].ready
    both.drain("green", on=True, fence=9)
    both.deploy("green", new, 1, 9)
    until(both, lambda: both.observe().slots["green"].ready)


def test_another_release_takes_the_slot(both: Platform, release_file: ReleaseFile) -> None:
    both.deploy("green", release_file.release("1.2.0", {"LOG": "1"}), 1, 9)
    until(both, lambda: both.observe().slots["green"].says == "1.2.0")


def test_a_slot_with_users_is_neither_replaced_nor_retired(both: Platform, new: Release) -> None:
    with pytest.raises(Refused, match="blue has users"):
        both.deploy("blue", new, 1, 9)
    with pytest.raises(Refused, match="blue has users"):
        both.retire("blue", 9)
    assert both.ask(PROBE).status == 200


def test_the_route_moves_only_for_who_read_it_last(both: Platform) -> None:
    """A stale token or an older fencing number changes nothing; every write changes the token."""
    first = both.observe().route
    both.route(Target(Weights(0, 100)), first.token, "r11", 11)
    second = both.observe().route
    assert (second.weights, second.run, second.fence) == (Weights(0, 100), "r11", 11)
    assert second.token != first.token
    with pytest.raises(RouteMoved):
        both.route(Target(Weights(50, 50)), first.token, "r12", 12)
    with pytest.raises(Fenced):
        both.route(Target(Weights(50, 50)), second.token, "r10", 10)
    assert both.observe().route == second


def test_users_go_by_the_weights_and_previews_by_name(both: Platform) -> None:
    assert {both.ask(PROBE).slot for _ in range(20)} == {"blue"}
    assert [both.ask(PROBE, slot).slot for slot in ("blue", "green")] == ["blue", "green"]
    both.route(Target(Weights(50, 50)), both.observe().route.token, "r11", 11)
    until(both, lambda: {both.ask(PROBE).slot for _ in range(60)} == {"blue", "green"})
    both.route(Target(Weights(0, 100)), both.observe().route.token, "r11", 11)
    until(both, lambda: {both.ask(PROBE).slot for _ in range(20)} == {"green"})


def test_an_audience_gets_its_slot_and_counts_as_its_users(both: Platform, kind: str) -> None:
    """By any one of its headers or cookies, whatever the shares; the target is read back as it was written."""
    sticky = "" if kind == "kubernetes" else "slot-11"  # a Gateway keeps nobody on a slot
    target = Target(Weights(100, 0), "green", Audience({"x-beta": "yes"}, {"beta": "1"}), sticky=sticky)
    both.route(target, both.observe().route.token, "r11", 11)
    assert target == both.observe().route.target
    whom = [Request("/health", headers=headers) for headers in ({"x-beta": "yes"}, {"cookie": "beta=1"})]
    until(both, lambda: [both.ask(request).slot for request in whom] == ["green", "green"])
    assert both.ask(PROBE).slot == "blue"
    with pytest.raises(Refused, match="green has users"):
        both.retire("green", 11)


def test_copies_of_reads_are_counted_as_the_mirrors_and_reach_no_user(both: Platform) -> None:
    target = Target(Weights(100, 0), mirror="green")
    both.route(target, both.observe().route.token, "r11", 11)
    until(both, lambda: "green" in both.reads())
    before = both.reads()["green"].requests
    users = both.tally()["green"].requests  # a pod of the test before may be ending still

    def copied() -> bool:
        assert both.ask(PROBE).slot == "blue"
        return both.reads()["green"].requests >= before + 10

    until(both, copied)
    assert both.reads()["green"].failed == 0
    assert both.tally()["green"].requests <= users
    assert target == both.observe().route.target


def test_replicas_come_and_go(both: Platform, new: Release) -> None:
    """By scaling, and by deploying the same release in another number; a slot is ready when all of them are."""

    def ready(replicas: int) -> bool:
        green = both.observe().slots["green"]
        return green.ready and (green.capacity, green.serving, green.wanted) == (replicas, replicas, replicas)

    both.scale("green", 3, 9)
    until(both, lambda: ready(3))
    both.deploy("green", new, 2, 9)
    until(both, lambda: ready(2))
    both.scale("green", 1, 9)
    until(both, lambda: ready(1))
    assert both.ask(PROBE, "green").status == 200
    both.retire("green", 9)
    with pytest.raises(ReleaseError, match="green does not run"):
        both.scale("green", 2, 9)


def test_a_drained_slot_is_not_ready_until_it_takes_requests_again(both: Platform) -> None:
    both.drain("green", on=True, fence=9)
    until(both, lambda: both.observe().slots["green"].serving == 0)
    assert not both.observe().slots["green"].ready
    both.drain("green", on=False, fence=9)
    until(both, lambda: both.observe().slots["green"].ready)


def test_a_slot_that_does_not_run_cannot_be_drained(platform: Platform) -> None:
    with pytest.raises(ReleaseError, match="green does not run"):
        platform.drain("green", on=True, fence=9)


def test_a_retired_slot_is_gone_and_may_be_retired_again(both: Platform) -> None:
    for _ in range(2):
        both.retire("green", 9)
        green = both.observe().slots["green"]
        assert (green.version, green.running) == ("", False)
    until(both, lambda: both.ask(PROBE, "green").status in (0, 500, 503))  # where pods end, they answer for a while
    assert both.ask(PROBE).slot == "blue"


def test_analysis_load_reaches_both_slots_and_counts_as_nobodys(both: Platform, release_file: ReleaseFile) -> None:
    """Half of it to each, and no user's request on the preview slot."""
    analysis = release_file.settings.gates.analysis
    sample = both.analyse(Load(analysis.profile, analysis.rate, analysis.duration, 2000, seed=1))
    assert all(set(arms) == {"blue", "green"} for arms in sample.values())
    blue, green = (sum(arms[slot].ok for arms in sample.values()) for slot in ("blue", "green"))
    assert abs(blue - green) <= 1
    assert blue + green > 100
    assert both.tally()["green"].requests == 0


def test_one_run_at_a_time_and_later_ones_have_higher_numbers(platform: Platform) -> None:
    with platform.lock(HOLDER) as first:
        found = platform.holder()
        assert found
        assert found.actor == HOLDER.actor
        with pytest.raises(Locked, match="ann@laptop"), platform.lock(HOLDER):
            pass
        platform.journal.append(Entry(at=0, time="", run="r1", fence=first, verb="deploy", actor="ann", phase="begin"))
    assert platform.holder() is None
    with platform.lock(HOLDER) as second:
        assert second > first


def test_a_run_whose_lock_was_broken_changes_nothing_more(platform: Platform) -> None:
    with platform.lock(HOLDER) as old:
        platform.unlock()
        assert platform.holder() is None
        with platform.lock(HOLDER) as later:
            assert later > old
            with pytest.raises(Fenced):
                platform.drain("blue", on=True, fence=old)
            platform.drain("blue", on=False, fence=later)


def test_a_sound_platform_has_no_findings(both: Platform) -> None:
    assert not both.diagnose()


def test_migrations_are_told_a_level_and_say_how_they_ended(platform: Platform, new: Release) -> None:
    tells = ("{python}", "-c", "import os; print('schema level', os.environ['SCHEMA_LEVEL'])")
    assert platform.expand(tells, 7, new, 9) == "schema level 7"
