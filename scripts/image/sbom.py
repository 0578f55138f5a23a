"""The bill of materials of an image (CycloneDX): what its layers hold, by the records that installers leave there."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from email.message import Message
from email.parser import HeaderParser

from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import LicenseExpression
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from scripts.image.contents import Image

DPKG = "var/lib/dpkg/status"
OS_RELEASE = ("etc/os-release", "usr/lib/os-release")


def bill(image: Image, name: str, version: str) -> str:
    """The JSON document: Python's and Debian's packages. The same image has the same bill."""
    files = image.files(lambda path: path == DPKG or path in OS_RELEASE or path.endswith(".dist-info/METADATA"))
    release = _release(files)
    bom = Bom(
        serial_number=uuid.uuid5(uuid.NAMESPACE_OID, image.digest),
        components=[
            *_python(files),
            *_debian(files.get(DPKG, b"").decode(), release),
            Component(
                type=ComponentType.OPERATING_SYSTEM, name=release["ID"], version=release["VERSION_ID"], bom_ref="os"
            ),
        ],
    )
    bom.metadata.timestamp = datetime.strptime(image.config["created"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    bom.metadata.component = Component(
        type=ComponentType.CONTAINER,
        name=name,
        version=version,
        purl=PackageURL("oci", name=name, version=image.digest),
        bom_ref="image",
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=image.digest.removeprefix("sha256:"))],
    )
    bom.register_dependency(bom.metadata.component, bom.components)
    return JsonV1Dot6(bom).output_as_string(indent=2)


def _release(files: Mapping[str, bytes]) -> dict[str, str]:
    text = next(files[path].decode() for path in OS_RELEASE if path in files)
    pairs = (line.split("=", 1) for line in text.splitlines() if "=" in line)
    return {key: value.strip('"') for key, value in pairs}


def _python(files: Mapping[str, bytes]) -> Iterator[Component]:
    for path, raw in files.items():
        if path.endswith(".dist-info/METADATA"):
            data = HeaderParser().parsestr(raw.decode())
            expression = data["License-Expression"]
            yield Component(
                type=ComponentType.LIBRARY,
                name=data["Name"],
                version=data["Version"],
                purl=PackageURL("pypi", name=data["Name"].lower().replace("_", "-"), version=data["Version"]),
                bom_ref=f"pypi:{data['Name']}",
                licenses=[LicenseExpression(expression)] if expression else None,
            )


def _debian(status: str, release: Mapping[str, str]) -> Iterator[Component]:
    for package in _stanzas(status.split("\n\n")):
        source = (package["Source"] or package["Package"]).split()[0]
        about = {"arch": package["Architecture"], "distro": f"{release['ID']}-{release['VERSION_ID']}"}
        if source != package["Package"]:
            about["upstream"] = source  # advisories name the source package
        yield Component(
            type=ComponentType.LIBRARY,
            name=package["Package"],
            version=package["Version"],
            purl=PackageURL("deb", "debian", package["Package"], package["Version"], about),
            bom_ref=f"deb:{package['Package']}",
        )


def _stanzas(texts: Iterable[str]) -> Iterator[Message]:
    """Only of what is installed; the status file remembers what was removed."""
    for text in texts:
        package = HeaderParser().parsestr(text)
        if package["Status"] == "install ok installed":
            yield package
