"""gunicorn: one worker of threads. Values measured; see the reasons beside them."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path
from typing import Any

from app import place
from app.listening import PortTakenError, admin_socket
from app.settings import Settings, SettingsError

gc.disable()  # a tenth of the start went into looking for garbage among what stays; app/process.py turns it on again

try:
    _settings = Settings.from_env(os.environ)
    admin_socket(_settings.bind, _settings.admin_port)  # the worker's, as it is forked
except (SettingsError, PortTakenError) as exc:  # once, here, rather than in a worker that is started again and again
    sys.stderr.write(f"{exc}\n")
    sys.exit(2)

if _settings.cpu_core is not None:
    place.give_way()

wsgi_app = "app.wsgi:app"
bind = f"{_settings.bind}:{_settings.port}"
worker_class = "gthread"
workers = 1  # a second on the same core gains nothing, and would need multiprocess metrics
threads = _settings.threads
worker_connections = 1000
backlog = 1024
keepalive = 75  # longer than the edge keeps an idle connection (60), so that the edge closes first
graceful_timeout = 20
timeout = 30  # of the worker's heartbeat; requests have their own deadline of 10 s
accesslog = None  # the application logs one line a request
errorlog = "-"
loglevel = "warning"
control_socket_disable = True  # would want a writable home
forwarded_allow_ips = ""  # the application reads the edge's headers itself
if Path("/dev/shm").is_dir():  # noqa: S108  # memory: a heartbeat must not wait for a disk
    worker_tmp_dir = "/dev/shm"  # noqa: S108  # as above


def post_fork(server: Any, worker: Any) -> None:
    """Begin the process's own threads: nothing of them survives a fork, so nothing begins before it."""
    from app import process  # noqa: PLC0415  # the arbiter never imports the application

    process.start(alive=lambda: bool(worker.alive))


def pre_request(worker: Any, req: Any) -> None:
    """Limit the body's time; while draining, close each connection with its answer.

    (A Connection header of the application is dropped.)
    """
    from app import bodies, process  # noqa: PLC0415  # as above

    process.begun()
    bodies.begin(req)
    if process.draining():
        req.force_close()


def post_request(worker: Any, req: Any, environ: Any, resp: Any) -> None:
    """Done with the request, and with its body, read or not."""
    from app import bodies, process  # noqa: PLC0415  # as above

    process.answered()
    bodies.end(req, resp)


def worker_exit(server: Any, worker: Any) -> None:
    """Close what post_fork opened, after the last answer."""
    from app import process  # noqa: PLC0415  # as above

    process.stop()
