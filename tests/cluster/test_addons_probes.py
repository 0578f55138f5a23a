"""How often the Gateway's pods are asked: after a restart of the kubelet they are not ready until the first answer."""

from __future__ import annotations

import yaml

from scripts.cluster.addons import gateway
from scripts.cluster.addons.rendering import FOLDER


def test_envoy_is_asked_every_second() -> None:
    """It is the only edge: each second until the question is one of refused connections."""
    found = [each for each in yaml.safe_load_all((FOLDER / "gateway.yaml").read_text()) if each["kind"] == "EnvoyProxy"]
    for proxy in found:
        deployment = proxy["spec"]["provider"]["kubernetes"]["envoyDeployment"]
        containers = deployment["patch"]["value"]["spec"]["template"]["spec"]["containers"]
        asked = {each["name"]: each["readinessProbe"]["periodSeconds"] for each in containers}
        assert {"envoy": 1, "shutdown-manager": 1} == asked
    assert found


def test_the_gateways_controller_is_asked_every_second() -> None:
    """A change of weights waits for it."""
    deployment = gateway._values()["deployment"]
    assert isinstance(deployment, dict)
    assert 1 == deployment["envoyGateway"]["readinessProbe"]["periodSeconds"]
