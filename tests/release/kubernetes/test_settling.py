"""From a route that was written to one that is in force."""

from __future__ import annotations

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
    settling.settle(router, GREEN, Request("/"), lambda probe: left.pop(0))
    assert asked == len(answers) - len(left)


def test_a_route_that_its_owner_never_takes_over_is_an_error(
    server: Server, twin_api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settling, "APPLY_S", 0)
    router = Service(twin_api, Shop(edge="http://shop"))
    install(server, "service", router._active)
    with pytest.raises(ReleaseError, match="written and is not in force after 0 s: Service shop says blue 100 %"):
        settling.settle(router, GREEN, Request("/"), lambda probe: NEW)
