"""The platform, built from its configuration."""

from __future__ import annotations

from infra.components.keys import Keys
from infra.components.network import Network
from infra.components.site import Site
from infra.config.platform import Platform


def build(platform: Platform) -> None:
    """Make every part, each from those it needs."""
    site = Site(platform)
    keys = Keys(site)
    Network(site, keys)
