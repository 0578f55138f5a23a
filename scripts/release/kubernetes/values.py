"""What a release brings to the slot chart: files of values, image, version, environment and Secret, as one mapping."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from scripts.release.errors import Unusable
from scripts.release.slots import Release

if TYPE_CHECKING:  # it imports this module
    from scripts.release.file import Kubernetes

Values = dict[str, Any]

_IMAGE = re.compile(
    r"(?P<repository>[^\s@]*?[^\s@:/]+)(:(?P<tag>[\w][\w.-]{0,127}))?(@(?P<digest>sha256:[0-9a-f]{64}))?"
)


def release_of(settings: Kubernetes, directory: Path, version: str, env: Mapping[str, str], image: str) -> Release:
    """The release that runs `image`, or the file's, under `version`. Raises Unusable."""
    name = image_values(image or settings.image, version)
    values = values_of(settings, directory)
    own: Values = {"version": version, "image": name}
    if env:
        own["config"] = dict(env)
    if settings.secret:
        own["secret"] = settings.secret
    whole = f"{name['repository']}@{name['digest']}" if name["digest"] else f"{name['repository']}:{name['tag']}"
    return Release(version, (), dict(env), whole, laid(values, own))


# Sections that the engine reads itself, before Helm sees them.
SECTIONS: Final = ("autoscaling", "migration", "networkPolicy", "serviceMonitor", "externalSecret")


def values_of(settings: Kubernetes, directory: Path) -> Values:
    """The files of values, each laid over the one before. Raises Unusable."""
    values: Values = {}
    for file in settings.values:
        values = laid(values, _read(directory / file))
    return values


def image_values(image: str, version: str) -> dict[str, str]:
    """An image's name in the chart's words; its tag is the version where it has neither tag nor digest."""
    found = _IMAGE.fullmatch(image)
    if found is None:
        where = "kubernetes.image is empty" if not image else f"image {image!r} is no image's name"
        raise Unusable(f"{where}: give NAME@sha256:…, NAME:TAG or NAME, there or as --image")
    digest = found["digest"] or ""
    return {"repository": found["repository"], "tag": "" if digest else found["tag"] or version, "digest": digest}


def laid(under: Values, over: Values) -> Values:
    """Two mappings of values as Helm lays the second over the first."""
    merged = dict(under)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = laid(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged


def autoscaler(values: Mapping[str, Any]) -> str:
    """What changes the number of pods: `none`, `hpa` or `keda`."""
    return str((values.get("autoscaling") or {}).get("driver", "none"))


def _read(path: Path) -> Values:
    try:
        found = yaml.safe_load(path.read_bytes())
    except OSError as exc:
        raise Unusable(f"{path}: cannot be read: {exc.strerror}; mend kubernetes.values") from exc
    except yaml.YAMLError as exc:
        raise Unusable(f"{path}: not a YAML text: {exc}") from exc
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise Unusable(f"{path}: values are a mapping of names, found {type(found).__name__}")
    for key in SECTIONS:
        if not isinstance(section := found.get(key), dict | None):
            raise Unusable(
                f"{path}: {key} is a mapping of names, found {section!r}: the chart's values.yaml shows them"
            )
    return found
