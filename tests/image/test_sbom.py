"""The bill of materials lists what the layers hold."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from scripts.image.contents import Image
from scripts.image.sbom import bill

DPKG = """\
Package: libc6
Status: install ok installed
Architecture: amd64
Source: glibc (2.36-9)
Version: 2.36-9+deb12u14
Description: a library
 Version: not a field

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1
"""


FLASK = "Name: Flask\nVersion: 3.1.3\nLicense-Expression: MIT\n\nText"


class Twin(Image, frozen=True):
    """An image that is only its files."""

    def files(self, wanted: Callable[[str], bool]) -> dict[str, bytes]:
        content = {
            "var/lib/dpkg/status": DPKG,
            "usr/lib/os-release": 'ID=debian\nVERSION_ID="12"\n',
            "opt/venv/lib/flask-3.1.3.dist-info/METADATA": FLASK,
            "opt/venv/lib/flask/app.py": "",
        }
        return {path: text.encode() for path, text in content.items() if wanted(path)}


IMAGE = Twin(Path("none"), "1", f"sha256:{'0' * 64}", {}, {"created": "2026-01-02T03:04:05Z"})


def test_python_and_debian_packages_are_listed_by_purl() -> None:
    """As scanners look them up: the release of the distribution, the source package; nothing that was removed."""
    found = json.loads(bill(IMAGE, "thing", "1"))
    assert {
        "pkg:pypi/flask@3.1.3",
        "pkg:deb/debian/libc6@2.36-9%2Bdeb12u14?arch=amd64&distro=debian-12&upstream=glibc",
    } == {each["purl"] for each in found["components"] if "purl" in each}
    assert [("debian", "12")] == [
        (each["name"], each["version"]) for each in found["components"] if each["type"] == "operating-system"
    ]


def test_it_is_about_the_image_by_its_digest() -> None:
    """And as old as the commit."""
    about = json.loads(bill(IMAGE, "thing", "1"))["metadata"]
    assert f"pkg:oci/thing@{IMAGE.digest}" == about["component"]["purl"]
    assert "2026-01-02T03:04:05+00:00" == about["timestamp"]


def test_it_is_valid_cyclonedx_and_the_same_each_time() -> None:
    """By CycloneDX's own schema."""
    text = bill(IMAGE, "thing", "1")
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    assert text == bill(IMAGE, "thing", "1")
