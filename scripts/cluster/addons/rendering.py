"""The manifests beside this file with the names of the images, and the folder of this machine, put in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from scripts.cluster.addons.archive import REGISTRY

FOLDER = Path(__file__).with_name("manifests")
_IMAGE = re.compile(rf"image: {re.escape(REGISTRY)}/([\w-]+)$", re.MULTILINE)


def render(name: str, references: Mapping[str, str], home: Path) -> str:
    """The manifests of NAME.yaml: an image is called by its content, so that a new one is a new pod."""
    text = (FOLDER / f"{name}.yaml").read_text()
    return _IMAGE.sub(lambda found: f"image: {references[found[1]]}", text).replace("${home}", str(home))
