"""One worker process: its runtime, its admin port, its warm-up. Any WSGI server may host it."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Callable

from flask import Flask

from app import logs, place
from app.admin import AdminServer
from app.factory import create_app
from app.listening import admin_socket
from app.runtime import Runtime, build
from app.settings import Settings


class StartError(RuntimeError):
    """This process cannot serve, and starting it again would not help."""


class Worker:
    """What runs beside the request threads."""

    def __init__(self, settings: Settings, alive: Callable[[], bool]) -> None:
        if settings.faults_enabled and settings.fault_crash_at_start:
            raise StartError("FAULT_CRASH_AT_START=1: this process ends here, as asked")
        self.runtime: Runtime = build(settings)
        self.runtime.lifecycle.alive = alive
        self.app: Flask = create_app(self.runtime)
        self._admin = AdminServer(self.runtime, admin_socket(settings.bind, settings.admin_port))
        self._warming = threading.Thread(target=self._warm_up, name="warm-up", daemon=True)

    def start(self) -> None:
        gc.freeze()
        gc.enable()  # see gunicorn_conf.py
        self._admin.start()
        self._warming.start()

    def stop(self) -> None:
        """After the last request: the admin port goes last but for the connections."""
        self._admin.close()
        self.runtime.close()

    def _warm_up(self) -> None:
        parts = self.runtime
        parts.lifecycle.warm_up(parts.database, parts.valkey, self._compile)
        parts.passwords.dummy  # noqa: B018  # computed once, here; nothing waits for it but a login of nobody
        gc.unfreeze()
        gc.collect()
        gc.freeze()  # what is loaded now stays: no later collection needs to look through it
        if parts.settings.cpu_core is not None:
            place.take_place(parts.settings.cpu_core)

    def _compile(self) -> None:
        """What the first request would otherwise wait for: the URL map's code."""
        self.app.url_map.bind("").test("/health")


_worker: Worker | None = None
_lock = threading.Lock()


def start(alive: Callable[[], bool] = lambda: True) -> Worker:
    """This process's worker, started on the first call. Raises SettingsError, StartError, PortTakenError."""
    global _worker  # noqa: PLW0603  # one per process is the point
    with _lock:
        if _worker is None:
            settings = Settings.from_env(os.environ)
            logs.configure(settings.log_level)
            _worker = Worker(settings, alive)
            _worker.start()
        return _worker


def stop() -> None:
    """End this process's worker, if it has one."""
    global _worker  # noqa: PLW0603  # as above
    with _lock:
        if _worker is not None:
            _worker.stop()
            _worker = None


def begun() -> None:
    """A request was read; `answered` follows, whatever becomes of it."""
    if _worker is not None:
        _worker.runtime.metrics.in_flight.inc()


def answered() -> None:
    """The request that was begun is over."""
    if _worker is not None:
        _worker.runtime.metrics.in_flight.dec()


def draining() -> bool:
    """Whether answers should close their connections."""
    return _worker is not None and _worker.runtime.lifecycle.draining
