"""What only the application knows: the keys that sign tokens and cursors, and its operator's token."""

from __future__ import annotations

from typing import Final

from infra.components.keys import Keys
from infra.components.secret import secret
from infra.components.site import Component, Site

SECRET: Final = "appSecret"  # noqa: S105 - the name of the stack's secret


class Application(Component):
    """`secret` is a JSON object of JWT_KEYS, CURSOR_KEY and ADMIN_TOKEN (app/settings.py); the addons read it."""

    def __init__(self, site: Site, keys: Keys) -> None:
        super().__init__("Application", site)
        version = site.platform.app_secret_version
        self.secret = secret(self, "app-secret", keys.data, site.secret(SECRET), version)
        self.register_outputs({"secret": self.secret})
