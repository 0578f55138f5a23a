"""From a route that was written to one that is in force."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest

from scripts.release.errors import ReleaseError
from scripts.release.kubernetes import settling
from scripts.release.kubernetes.client import Api
from scripts.release.kubernetes.service import Service
from scripts.release.route import Target
from scripts.release.slots import Answer, Request
from tests.release.kubernetes.apiserver import Server
from tests.release.kubernetes.routes import Shop, install

GREEN = Target.all_on("green")
OLD, NEW, ILL = Answer(200, "blue"), Answer(200, "green"), Answer(503, "")


@pytest.mark.parametrize(
    ("answers", "asked"),
    [
        ([OLD, OLD, NEW, OLD], 3),
        ([OLD, ILL, OLD], 2),  # somebody is hurt: that is for the probes of the engine
        ([Answer(200, ""), OLD], 1),  # nobody can tell
    ],
)
def test_a_switch_is_waited_for_while_users_are_served_as_before(
    server: Server, twin_api: Api, answers: list[Answer], asked: int
) -> None:
    """As by nodes that lost the API server and look for it once a minute."""
    router = Service(twin_api, Shop(edge="http://shop"))
    install(server, "service", router._active)
    router.write(GREEN, router.read().token, "r1", 1)
    left = list(answers)
    settling.settle(router, GREEN, 5.0, Request("/"), lambda probe: left.pop(0))
    assert asked == len(answers) - len(left)


@pytest.mark.parametrize(("verify", "waited"), [(5.0, 20), (90.0, 90)])
def test_a_route_that_its_owner_never_takes_over_is_an_error(
    server: Server, twin_api: Api, monkeypatch: pytest.MonkeyPatch, verify: float, waited: int
) -> None:
    """At the router's limit, or at `timeouts.verify` where that is longer; looks grow rarer meanwhile."""
    router = Service(twin_api, Shop(edge="http://shop"))
    install(server, "service", router._active)
    paused: list[float] = []
    clock = SimpleNamespace(monotonic=lambda: sum(paused), sleep=paused.append)
    monkeypatch.setattr(settling, "time", clock)
    monkeypatch.setattr(router, "settles_s", lambda: 20.0)
    words = "the route was written and is not in force after (\\d+) s: Service shop says blue 100 %"
    with pytest.raises(ReleaseError, match=words) as failed:
        settling.settle(router, GREEN, verify, Request("/"), lambda probe: NEW)
    assert waited <= int(re.search(words, str(failed.value))[1]) <= waited + settling.SLOWEST_S  # type: ignore[index]
    assert paused == sorted(paused)
    assert paused[0] == settling.POLL_S < paused[-1] <= settling.SLOWEST_S
