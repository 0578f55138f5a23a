"""`/health` for people, and the API's own description. Probes ask the admin port instead."""

from __future__ import annotations

from flask import Response, current_app

from app.call import runtime
from app.service import Service
from app.vitals import Health

service = Service("health")


@service.operation("GET", "/health", "How the service is.", access="public", limited=False, answer=Health)
def health() -> Health:
    return runtime().vitals.health()


@service.operation("GET", "/openapi.json", "This description.", access="public", shared_s=300)
def openapi() -> Response:
    return Response(current_app.extensions["openapi"], content_type="application/json")
