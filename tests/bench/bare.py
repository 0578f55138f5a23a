"""The smallest Flask application: what a request costs before ours does anything."""

from __future__ import annotations

from flask import Flask

app = Flask("bare")


@app.get("/")
def nothing() -> str:
    return "{}"
