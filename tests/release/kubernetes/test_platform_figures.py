"""Releases that fail a twentieth of their requests, as a real Prometheus tells it, whoever counts them."""

from __future__ import annotations

import pytest

from scripts.release import engine
from scripts.release.carry import look
from scripts.release.engine import Caller
from scripts.release.errors import Reverted
from scripts.release.memory import Role
from scripts.release.step import Kind, Step
from tests.release.kubernetes.bed import Bed, until
from tests.release.kubernetes.live import Users

pytestmark = pytest.mark.cluster
SHARE = 0.05


def breaking(place: Bed, kind: Kind) -> Caller:
    """A caller under whom the new slot turns bad at the first step of that kind: its analysis was passed."""

    def turn(step: Step) -> None:
        if step.kind is kind and step.slot == "green":
            place.break_("green", error_share=SHARE)

    return Caller("ann@laptop", on_step=turn)


def lost(users: Users) -> list[str]:
    """Failures that the bad slot did not answer itself."""
    return [each.said for each in users.failed if '"version": "1.1.0", "slot": "green"' not in each.said]


def test_a_release_that_fails_with_its_first_users_is_refused_and_never_live(gateway_bed: Bed) -> None:
    """Half of the users see it, as the gateway counts them; nobody loses a request but by its own errors."""
    file = gateway_bed.file("[50, 100]")
    shop = gateway_bed.anew(file)
    with Users(shop.edge()).at_work() as users:
        until(lambda: shop.arriving() > 100)
        with pytest.raises(Reverted, match=r"1\.1\.0 was refused by hold of green: .* its users were brought back"):
            engine.deploy(shop, file, "1.1.0", breaking(gateway_bed, Kind.HOLD))
        until(lambda: {each.slot for each in users.seen[-100:]} == {"blue"})
    assert (bool(users.failed), lost(users)) == (True, [])
    assert "green" not in {entry.target.sole for entry in shop.journal.read() if entry.target}
    assert not shop.observe().slots["green"].running


@pytest.mark.parametrize("router", ["service", "gateway"])
def test_a_release_that_fails_once_it_is_live_is_reverted_by_its_bake(
    router: str, request: pytest.FixtureRequest
) -> None:
    """By the application's own count behind a Service, and by that of a gateway."""
    place: Bed = request.getfixturevalue(f"{router}_bed")
    file = place.file("[100]")
    shop = place.anew(file)
    with Users(shop.edge()).at_work() as users:
        until(lambda: shop.arriving() > 100)
        with pytest.raises(Reverted, match=r"1\.1\.0 was refused by bake of green: .* its users were brought back"):
            engine.deploy(shop, file, "1.1.0", breaking(place, Kind.BAKE))
        until(lambda: {each.slot for each in users.seen[-100:]} == {"blue"})
    assert (bool(users.failed), lost(users)) == (True, [])
    now = look(shop)
    assert (now.active.version, now.beside.version, now.role) == ("1.0.0", "1.1.0", Role.REJECTED)
