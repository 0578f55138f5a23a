"""The router that release.yaml names."""

from __future__ import annotations

from scripts.release.file import Kubernetes
from scripts.release.kubernetes.client import Api
from scripts.release.kubernetes.router import Router


def router_of(api: Api, settings: Kubernetes) -> Router:
    """The router of one application."""
    match settings.router:
        case "service":
            from scripts.release.kubernetes.service import Service  # noqa: PLC0415 - only what is used

            return Service(api, settings)
        case "gateway":
            from scripts.release.kubernetes.gateway import Gateway  # noqa: PLC0415 - as above

            return Gateway(api, settings)
        case "alb":
            from scripts.release.kubernetes.alb import Alb  # noqa: PLC0415 - as above

            return Alb(api, settings)
