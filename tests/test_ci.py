"""CI runs what a laptop runs: the README's commands and the Makefile's targets, and every test tier."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
ASKED = ["help", "demo", "test", "test-faults", "test-browser", "lint", "types", "fmt", "lock", "bench", "clean"]


def test_the_makefile_has_the_targets_people_look_for() -> None:
    """Each named target exists."""
    assert [] == [target for target in ASKED if target not in TARGETS]


def test_workflows_call_only_targets_that_exist() -> None:
    """A workflow has no command of its own that a laptop could not run."""
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    runs = [step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step]
    made = [
        word for run in runs if run.startswith("make ") for word in run.split()[1:] if re.fullmatch("[a-z-]+", word)
    ]
    matrix = workflow["jobs"]["slow"]["strategy"]["matrix"]["target"]
    assert [] == [target for target in [*made, *matrix] if target not in TARGETS]
    tiers = {"test", "test-faults", "test-browser", "test-infra", "test-rehearsal", "test-cluster", "test-node"}
    assert tiers | {"lint", "types", "lock-check", "demo", "cluster-demo"} <= {*made, *matrix}
    assert [] == [run for run in runs if not run.startswith("make ")]


def test_actions_are_pinned_by_commit() -> None:
    """A tag can be moved; a commit cannot."""
    uses = re.findall(r"uses: (\S+)", (ROOT / ".github/workflows/ci.yml").read_text())
    assert uses
    assert [] == [each for each in uses if not re.search(r"@[0-9a-f]{40}$", each)]


def test_ci_starts_with_the_readmes_test_command() -> None:
    """The first thing CI does is what the README says."""
    first = next(line for line in (ROOT / ".ci/run").read_text().splitlines() if line.startswith("make "))
    assert first == "make test"
    assert "make test " in (ROOT / "README.md").read_text()


def test_ci_ends_a_tier_of_faults_that_takes_too_long() -> None:
    """Twenty minutes are aimed at, and some more given to a noisy machine."""
    assert "\ntimeout 1500 make test-faults\n" in (ROOT / ".ci/run").read_text()


def test_ci_plays_both_demos() -> None:
    """On processes and on the node; a story that nobody runs is one that nobody mends."""
    told = re.findall(r"primetrade demo (.+?) --home", (ROOT / ".ci/run").read_text())
    assert told == ["--profile smoke", "--cluster"]


def test_ci_fails_when_the_node_takes_long_to_start() -> None:
    """With its programs and images built before: 90 s are promised, a noisy machine gets 30 more."""
    text = (ROOT / ".ci/run").read_text()
    timed = text[text.index("import archives; archives(print)") : text.index("make test-cluster\n")]
    assert re.findall(r"primetrade (.+)", timed) == ["cluster up"]
    assert re.findall(r'\[ "\$took" -le (\d+) \] \|\|.*exit 1', timed) == ["120"]


def test_slow_verbs_of_infra_stop_ci(tmp_path: Path) -> None:
    """Each says its time; one that does not end in time is named."""
    (tmp_path / "bin").mkdir()
    for name, words in (("python", ""), ("primetrade", '[ "$2" != cost ] || exec tail -f /dev/null')):
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{words}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    (tmp_path / ".dev").touch()
    done = subprocess.run(
        ["make", "time-infra", f"VENV={tmp_path}", "INFRA_SECONDS=1"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert ["plan", "cost"] == re.findall(r"^infra (\w+) prod: \d+ ms$", done.stdout, re.MULTILINE)
    assert "infra cost prod ended with 124 (124: not within 1 s)" in done.stderr
    steps = (ROOT / ".ci/run").read_text().splitlines()
    assert "make time-infra" in steps
    assert "timeout 900 make test-infra" in steps


def test_locks_have_hashes_and_no_addresses() -> None:
    """Every pinned package has hashes; no lock names an index."""
    for lock in (ROOT / "locks").glob("*.txt"):
        text = lock.read_text()
        pins = re.findall(r"^\S+==\S+", text, re.MULTILINE)
        assert pins
        assert len(pins) == len(re.findall(r"^\S+==[^\n]*\\\n    --hash=sha256:", text, re.MULTILINE))
        assert "://" not in text


@pytest.mark.parametrize("ci", [True, False])
def test_ci_draws_the_same_examples_in_each_run(ci: bool) -> None:
    """And prints how to draw a failing one again; elsewhere they are new ones."""
    code = "from tests.conftest import settings as s; print(s.default.derandomize, s.default.print_blob)"
    env = {key: value for key, value in os.environ.items() if key not in ("CI", "GITHUB_ACTIONS")}
    words = subprocess.check_output(
        [sys.executable, "-c", code], cwd=ROOT, text=True, env=env | {"CI": "1"} if ci else env
    )
    assert f"{ci} {ci}\n" == words
