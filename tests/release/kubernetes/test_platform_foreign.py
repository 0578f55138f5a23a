"""A service that is not ours: another image, one port, no path but its own, and no word of slots."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scripts.cluster.addons.images import archives
from scripts.release import engine
from scripts.release.carry import look
from scripts.release.engine import Caller
from scripts.release.errors import Refused
from tests.cluster.sandbox import answering
from tests.release.kubernetes.bed import Bed, until
from tests.release.kubernetes.live import Users

pytestmark = pytest.mark.cluster
CALLER = Caller("ann@laptop", "ticket 7")
# Envoy, of the public image; its answer is the version.
ENVOY = {
    "ports": {"traffic": 8080},
    "command": [
        *("envoy", "--disable-hot-restart", "--concurrency", "1", "--log-level", "warning"),
        *("--config-yaml", json.dumps(answering({"environment_variable": "RELEASE"}))),
    ],
    "config": {"RELEASE": "{{ .Values.version }}"},
    "probes": {},
    "resources": {"requests": {"cpu": "20m", "memory": "32Mi"}, "limits": {"memory": "128Mi"}},
}
SILENT = (
    *('kubernetes.slot_header=""', 'kubernetes.drain=""'),
    *('artefact.probes.version=""', "artefact.probes.traffic=/", "schema.expand=[]"),
)


def test_an_application_that_does_not_say_its_slot_is_released_and_taken_back(cluster: Path, gateway_bed: Bed) -> None:
    """All users at once, judged by the gateway's count; shares would show nobody anything, and are refused."""
    image = next(each.reference for each in archives(print) if each.name == "envoy")
    own = [*SILENT, f"kubernetes.image={image}"]
    file = gateway_bed.file("[100]", *own, **ENVOY)
    shop = gateway_bed.anew(file)
    shares = gateway_bed.file("[50, 100]", *own, **ENVOY)
    with pytest.raises(Refused, match="slot_header is empty: answers do not say which slot they are from"):
        engine.deploy(gateway_bed.platform(shares), shares, "1.1.0", CALLER)
    with Users(shop.edge(), told="").at_work() as users:
        until(lambda: shop.arriving() > 100)
        engine.deploy(shop, file, "1.1.0", CALLER)
        until(lambda: {each.slot for each in users.seen[-100:]} == {"1.1.0"})
        assert look(shop).active.says == "1.1.0"
        engine.rollback(shop, file, CALLER)
        until(lambda: {each.slot for each in users.seen[-100:]} == {"1.0.0"})
    assert users.failed == []
    assert {each.slot for each in users.seen} == {"1.0.0", "1.1.0"}
