"""The task API itself in a bed, as helm/task-api.yaml runs it, on a database of its own."""

from __future__ import annotations

import os
import secrets

import msgspec

from scripts.cluster import addons
from scripts.release.file import ReleaseFile, read_release_file
from scripts.release.journal import Holder
from tests.helm.render import HELM
from tests.release.kubernetes.bed import TOKEN, Bed
from tests.release.texts import PROFILE

PATH = "/health"  # of the users' requests


def task_api(place: Bed, *overrides: str) -> ReleaseFile:
    """The release file, with `KEY=VALUE` laid over it; the schema is there, and nothing runs."""
    path = place.file().path
    (place.folder / "values.yaml").write_text((HELM / "task-api.yaml").read_text())
    (place.folder / "analysis.yaml").write_text(PROFILE.replace("/tasks", PATH))
    keys = {
        "JWT_KEYS": msgspec.json.encode({"k1": secrets.token_hex(16)}).decode(),
        "CURSOR_KEY": secrets.token_hex(16),
    }
    addons.secret(place.cluster, place.namespace, "shop", {**keys, "ADMIN_TOKEN": TOKEN})
    file = read_release_file(path, overrides)
    platform = place.platform(file)
    holder = Holder("ann@laptop", "r0", "deploy", "2026-01-01T00:00:00.000Z", os.getpid())
    with platform.lock(holder) as fence:
        platform.expand([], file.settings.schema.max, file.release("1.0.0", {}), fence)
    return file
