"""The Flask application, put together from the services this process serves."""

from __future__ import annotations

from flask import Flask

from app import health, hooks, openapi, security
from app.auth import routes as auth_routes
from app.runtime import Runtime
from app.service import MAX_BODY, Service
from app.tasks import routes as task_routes
from app.users import routes as user_routes

SERVICES: dict[str, Service] = {
    "auth": auth_routes.service,
    "users": user_routes.service,
    "tasks": task_routes.service,
}


def create_app(runtime: Runtime) -> Flask:
    """An application over parts built by app.runtime.build(); connects to nothing by itself."""
    app = Flask("app", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    app.url_map.merge_slashes = False  # `//tasks` is another path, and gets 404 rather than a redirect
    services = [health.service, *(SERVICES[name] for name in runtime.settings.services)]
    for service in services:
        app.register_blueprint(service)
    operations = [operation for service in services for operation in service.operations]
    app.extensions["openapi"] = openapi.document(operations, runtime.settings.app_version)
    hooks.install(app, runtime)
    app.wsgi_app = security.secured(app.wsgi_app, runtime.settings.slot)  # type: ignore[method-assign,assignment]  # where Flask wants middleware
    return app
