"""One commit, one digest: wherever, whenever and by whomever it is built."""

from __future__ import annotations

import json
import os
import tarfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from scripts.image.contents import read_image
from scripts.image.image import LOCKS, Made, make

pytestmark = pytest.mark.cluster


def test_two_builds_of_one_commit_give_one_digest(made: Made, clone: Callable[[str], Path], tmp_path: Path) -> None:
    """Every step run again, in another clone with other rights, other times and a folder that git does not know."""
    other = clone("077")
    (other / "app/left/over").mkdir(parents=True)
    os.utime(other / "app/wsgi.py", (1, 1))
    again = make(other, tmp_path, fresh=True)
    assert made.digest == again.digest
    assert made.archive.read_bytes() == again.archive.read_bytes()
    assert made.sbom.read_bytes() == again.sbom.read_bytes()


def test_builds_at_once_in_one_clone_do_not_disturb_each_other(clone: Callable[[str], Path], tmp_path: Path) -> None:
    """Both read the clone's one folder of wheels, each its own wheels."""
    place = clone("022")
    with ThreadPoolExecutor() as pool:
        builds = {name: pool.submit(make, place, tmp_path / name, name=name) for name in LOCKS}
    bills = {name: build.result().sbom.read_text() for name, build in builds.items()}
    assert {"task-api": False, "task-load": True} == {name: "pkg:pypi/locust@" in bill for name, bill in bills.items()}
    assert all(read_image(build.result().archive).digest == build.result().digest for build in builds.values())


def test_another_file_is_another_digest_and_says_so(made: Made, clone: Callable[[str], Path], tmp_path: Path) -> None:
    """What is not committed is in the image, and its tag says dirty."""
    other = clone("022")
    (other / "app/extra.py").write_text("found = True\n")
    again = make(other, tmp_path)
    assert made.digest != again.digest
    assert f"{made.tag}-dirty" == again.tag
    assert again.tag == read_image(again.archive).config["config"]["Labels"]["org.opencontainers.image.version"]


def test_the_image_keeps_the_rules(made: Made) -> None:
    """Not root, exec form, labels from the commit, no time of the build."""
    image = read_image(made.archive)
    config = image.config["config"]
    assert config["User"] == "10001:10001"
    assert config["Cmd"][:3] == ["python3", "-m", "gunicorn"]
    assert "Entrypoint" not in config
    labels = {key.rpartition(".")[2]: value for key, value in config["Labels"].items()}
    assert (made.tag, made.tag, image.config["created"]) == (labels["version"], labels["revision"], labels["created"])
    assert {image.config["created"]} == {entry["created"] for entry in image.config["history"]}


def test_nothing_in_the_image_is_writable_for_its_user(made: Made) -> None:
    """Every file of the application belongs to root and only root may change it; no builder's tool came along."""
    wrong, seen = [], 0
    for layer in read_image(made.archive).layers():
        for member in layer:
            if member.name.startswith(("srv/", "opt/")) and not member.issym():
                seen += 1
                if member.uid or member.mode & 0o022 or not member.mode & 0o004:
                    wrong.append(member.name)
    assert seen > 1000
    assert [] == wrong


def test_the_archive_is_a_layout_that_every_tool_reads(made: Made) -> None:
    """By OCI's index the image has its tag and its digest as names; Docker's own list names the same layers."""
    with tarfile.open(made.archive) as archive:
        index = json.load(archive.extractfile("index.json"))  # type: ignore[arg-type]
        listed = json.load(archive.extractfile("manifest.json"))  # type: ignore[arg-type]
    names = [each["annotations"]["io.containerd.image.name"] for each in index["manifests"]]
    assert names == [f"{made.repository}:{made.tag}", f"{made.repository}@{made.digest}"]
    assert {made.digest} == {each["digest"] for each in index["manifests"]}
    layers = [f"blobs/{each['digest'].replace(':', '/')}" for each in read_image(made.archive).manifest["layers"]]
    assert layers == listed[0]["Layers"]
    assert made.digest == (made.archive.parent / "digest").read_text().strip()


def test_the_bill_of_materials_names_what_is_in_the_image(made: Made) -> None:
    """Python's packages as locked, Debian's packages, and the image itself by its digest."""
    bill = json.loads(made.sbom.read_text())
    purls = {each.get("purl", "") for each in bill["components"]}
    found = {purl.partition("@")[0] for purl in purls}
    assert {"pkg:deb/debian/libc6", "pkg:deb/debian/python3", "pkg:pypi/flask", "pkg:pypi/gunicorn-h1c"} <= found
    assert set() == {"pkg:deb/debian/gcc", "pkg:deb/debian/libc6-dev", "pkg:pypi/pip", "pkg:pypi/setuptools"} & found
    assert f"pkg:oci/task-api@{made.digest}" == bill["metadata"]["component"]["purl"]
