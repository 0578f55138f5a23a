"""The WSGI entry point: `python -m gunicorn -c app/gunicorn_conf.py app.wsgi:app`."""

from __future__ import annotations

from app import process

app = process.start().app
