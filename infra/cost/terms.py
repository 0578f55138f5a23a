"""Terms as people write them, `spot=0.7,graviton=true`, and the two that every stack is judged between."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec
import yaml

from infra.config.platform import Platform
from infra.cost.charge import Terms
from infra.errors import ConfigError
from infra.stackfile import ROOT

# The strategy's comparison: on demand, x86, a NAT gateway in each zone, always on.
BASELINE: Final = Terms(nat="per-zone")
STEPS: Final = "graviton=true,spot=0.7,savings-plan=1y,reserved=1y,elastic=true,nat=regional,night=true"
STOP: Final = "20:00"  # what `night=true` means where the stack file says nothing
VALUES: Final = ROOT / "helm" / "eks-slot.yaml"  # of the application's chart
ARCHITECTURE: Final = "kubernetes.io/arch"
NAMES: Final = tuple(field.encode_name for field in msgspec.structs.fields(Terms))


def planned(platform: Platform) -> Terms:
    """What the stack itself asks for; the managed group knows no x86."""
    return Terms(
        spot=platform.cluster.nodes.spot_percent / 100,
        graviton=True,
        elastic=True,
        night=platform.night.stop is not None,
    )


def pool_arm(platform: Platform, values: Path = VALUES) -> bool:
    """Whether Karpenter's nodes may be arm64, which it takes then as the cheapest: the release must let it, too."""
    selector: dict[str, str] = yaml.safe_load(values.read_text()).get("nodeSelector", {})
    return "arm64" in platform.cluster.nodes.architectures and selector.get(ARCHITECTURE, "arm64") == "arm64"


def read_terms(words: str, over: Terms) -> Terms:
    """Terms laid over others. Raises ConfigError for a name or value that is none."""
    found = msgspec.to_builtins(over)
    for word in words.split(","):
        name, equals, value = word.strip().partition("=")
        if name not in NAMES or not equals:
            raise ConfigError(f"--what-if {word.strip()}: write NAME=VALUE; names are {', '.join(NAMES)}")
        found[name] = value
    try:
        return msgspec.convert(found, Terms, strict=False)
    except msgspec.ValidationError as exc:
        raise ConfigError(f"--what-if {words}: {exc}") from exc


def laid_over(platform: Platform, terms: Terms) -> Platform:
    """The environment under these terms. Raises ConfigError where it must not be so."""
    whole = msgspec.to_builtins(platform)
    if terms.nat != "planned" and not platform.network.existing:
        whole["network"]["nat"] = terms.nat
    if terms.night != (platform.night.stop is not None):
        whole["night"]["stop"] = STOP if terms.night else None
    try:
        return msgspec.convert(whole, Platform)
    except msgspec.ValidationError as exc:
        raise ConfigError(str(exc)) from exc
