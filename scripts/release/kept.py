"""The release files that commands forward have used, kept so that the way back waits for no file in mid-edit.

On this machine only, under the home, whatever the platform: one for each path, the newest.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from scripts.local.state import replace_file
from scripts.release.errors import Unusable
from scripts.release.file import ReleaseFile, Settings, digest_of, read_settings
from slo.yamlfile import YamlFileError


class Kept(msgspec.Struct, frozen=True):
    """A release file as a command used it."""

    path: str  # absolute
    text: str
    overrides: tuple[str, ...]
    latency_ms: float  # as read from the targets it names
    failure_share: float
    platform: str
    place: str  # what it leads to, in words: two with the same may stand in for each other
    verb: str
    at: float  # Unix seconds


def keep(home: Path, file: ReleaseFile, verb: str, at: float) -> None:
    """Write it down. Raises OSError."""
    path = file.path.absolute()
    found = Kept(
        path=str(path),
        text=file.text,
        overrides=file.overrides,
        latency_ms=file.latency_ms,
        failure_share=file.failure_share,
        platform=file.settings.platform,
        place=_place(file.settings),
        verb=verb,
        at=at,
    )
    replace_file(_folder(home) / _name(path), msgspec.json.encode(found))


def find(home: Path, path: Path, platform: str = "") -> Kept | None:
    """The copy of this path, or else the newest one; None where there is none.

    Raises Unusable where there are copies for several places, since nobody knows which of them is meant.
    """
    copies = sorted((copy for copy in _copies(home) if platform in ("", copy.platform)), key=lambda copy: copy.at)
    if own := [copy for copy in copies if copy.path == str(path.absolute())]:
        return own[-1]
    if len({copy.place for copy in copies}) > 1:
        known = ", ".join(f"{copy.path} ({copy.place})" for copy in copies)
        raise Unusable(f"copies of several are kept, so give one of them as --file: {known}")
    return copies[-1] if copies else None


def restore(copy: Kept, overrides: tuple[str, ...], lost: str) -> ReleaseFile:
    """The file it was, with `overrides` over its own; `lost` is why it is needed. Raises YamlFileError, Unusable."""
    whole = (*copy.overrides, *overrides)
    settings = read_settings(copy.text.encode(), Path(copy.path), whole)
    compare = settings.gates.compare
    return ReleaseFile(
        settings=settings,
        path=Path(copy.path),
        digest=digest_of(copy.text, whole),
        overrides=whole,
        latency_ms=compare.latency_ms or copy.latency_ms,
        failure_share=compare.failure_share or copy.failure_share,
        text=copy.text,
        lost=lost,
    )


def _copies(home: Path) -> list[Kept]:
    """Those that can be read: another version of this program may have written the others."""
    found = []
    for path in _folder(home).glob("*.json"):
        try:
            copy = msgspec.json.decode(path.read_bytes(), type=Kept)
            read_settings(copy.text.encode(), Path(copy.path), copy.overrides)
        except (OSError, msgspec.DecodeError, YamlFileError, Unusable):
            continue
        found.append(copy)
    return found


def _folder(home: Path) -> Path:
    return home / "release" / "files"


def _name(path: Path) -> str:
    return hashlib.sha256(str(path).encode()).hexdigest()[:12] + ".json"


def _place(settings: Settings) -> str:
    if settings.platform != "kubernetes":
        return settings.platform
    cluster = settings.cluster
    context = f" of {cluster.context}" if cluster.context else ""
    return f"kubernetes, {cluster.app} in {cluster.namespace}{context}"
