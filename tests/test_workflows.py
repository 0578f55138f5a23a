"""The delivery pipeline: nothing in it that a laptop cannot run, no key to leak, no more rights than a step needs."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from infra.bootstrap.access import ENVIRONMENT, HOUR_S
from infra.components.release import SESSION_S
from infra.stackfile import stacks
from scripts import tools
from scripts.cli import primetrade
from scripts.release.situation import Phase
from scripts.release.status import Status

ROOT = Path(__file__).parent.parent
GITHUB = ROOT / ".github"
FILES = sorted([*GITHUB.glob("workflows/*.yml"), *GITHUB.glob("actions/*/action.yml")])
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)) | {".venv/.dev"}
# Beside targets and verbs: what only GitHub and AWS have, and the shell around a comment.
GLUE = {"{", "}", "echo", "aws eks update-kubeconfig", "gh pr comment"}
ACTIONS = {
    *("actions/checkout", "actions/setup-python", "actions/upload-artifact", "actions/download-artifact"),
    *("aws-actions/configure-aws-credentials", "aws-actions/amazon-ecr-login"),
    "pulumi/actions",  # which runs nothing unless it is given a command
}
# The one step that judges and has no target: its database of vulnerabilities cannot be reached from everywhere.
IMAGE_SCAN = "anchore/scan-action"
ids = pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(GITHUB)))
workflows = pytest.mark.parametrize("path", sorted(GITHUB.glob("workflows/*.yml")), ids=lambda path: path.name)


def read(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.load(path.read_text(), yaml.BaseLoader)
    return loaded


def steps(path: Path) -> Iterator[dict[str, Any]]:
    """Every step of a workflow, or of a composite action."""
    content = read(path)
    for part in content["jobs"].values() if "jobs" in content else [content["runs"]]:
        yield from part["steps"]


def commands(path: Path) -> Iterator[str]:
    """Every command line of every step, pipes taken apart from the front."""
    for step in steps(path):
        for line in step.get("run", "").splitlines():
            yield line.strip().split(" | tee ")[0]


@ids
def test_actions_are_pinned_by_commit_and_say_their_version(path: Path) -> None:
    """A tag can be moved, a commit cannot; what is ours is read from the same commit as the workflow."""
    used = re.findall(r"uses: (\S+)(.*)", path.read_text())
    wrong = [
        name
        for name, comment in used
        if not (re.search(r"@[0-9a-f]{40}$", name) and re.fullmatch(r" # v\d+\.\d+\.\d+", comment))
        and not (name.startswith("./.github/actions/") and (ROOT / name / "action.yml").exists())
    ]
    assert [] == wrong
    assert used


def test_an_action_has_one_version_everywhere() -> None:
    """Two pins of one action would be raised one at a time."""
    pins = {pin for path in FILES for pin in re.findall(r"uses: ([^.\s]\S+)", path.read_text())}
    assert len(pins) == len({pin.split("@")[0] for pin in pins})


@workflows
def test_each_job_has_its_own_rights_and_a_time_limit(path: Path) -> None:
    """The workflow gives none away; a job names what it needs."""
    workflow = read(path)
    assert {} == workflow["permissions"]
    assert workflow["concurrency"]["group"]
    for name, job in workflow["jobs"].items():
        assert int(job["timeout-minutes"]) <= 120, name
        assert isinstance(job["permissions"], dict), name
        writes = {right for right, level in job["permissions"].items() if level == "write"}
        assert writes <= {"id-token"} or job["permissions"] == {"pull-requests": "write"}, name


@workflows
def test_what_may_write_on_github_never_meets_the_code(path: Path) -> None:
    """A job whose token may write checks nothing out; a checkout leaves no token behind."""
    for name, job in read(path)["jobs"].items():
        checkouts = [step for step in job["steps"] if step.get("uses", "").startswith("actions/checkout@")]
        assert ["false"] * len(checkouts) == [step["with"]["persist-credentials"] for step in checkouts]
        assert not (checkouts and "pull-requests" in job["permissions"]), name


@ids
def test_no_step_holds_a_long_lived_key(path: Path) -> None:
    """AWS is reached by OIDC; GitHub's own token is the only secret, and ends with the job."""
    text = path.read_text()
    assert "secrets." not in text
    assert "access-key" not in text


@ids
def test_no_step_pastes_what_others_write_into_its_shell(path: Path) -> None:
    """Names of branches and inputs reach a command by its environment; the matrix is ours."""
    pasted = [found for line in commands(path) for found in re.findall(r"\$\{\{(.*?)\}\}", line)]
    assert [] == [each for each in pasted if not each.strip().startswith("matrix.")]


@ids
def test_every_step_is_a_target_or_a_verb_that_runs_here(path: Path) -> None:
    """`make` targets and `primetrade` verbs that exist, and the few commands that only a hosted runner has.

    Lines that are run; the image scan is an action, the exception of the next test.
    """
    slow = read(GITHUB / "workflows/ci.yml")["jobs"]["slow"]["strategy"]["matrix"]["target"]
    for line in commands(path):
        words = line.replace("${{ matrix.target }}", " ".join(slow)).split()
        if words[0] == "make":
            asked = [word for word in words[1:] if re.fullmatch(r"[a-z./-]+", word) and not word.startswith("--")]
            assert [] == [word for word in asked if word not in TARGETS], line
        elif words[0] == ".venv/bin/primetrade":
            check_verb(words[1], words[2], line)
        else:
            assert any(line.startswith(glue) for glue in GLUE), line


@ids
def test_no_action_does_what_a_laptop_cannot_but_the_image_scan(path: Path) -> None:
    """Actions bring files, tokens, Python and Pulumi; what builds or judges is a target, with the scan as exception."""
    used = {step["uses"].partition("@")[0] for step in steps(path) if "uses" in step}
    allowed = ACTIONS | ({IMAGE_SCAN} if path.name in {"ci.yml", "release.yml"} else set())
    assert {each for each in used if not each.startswith("./.github/actions/")} <= allowed


def check_verb(noun: str, verb: str, line: str) -> None:
    """The verb exists, and takes every option that the line gives it."""
    with click.Context(primetrade) as context:
        group = primetrade.get_command(context, noun)
    assert isinstance(group, click.Group), line
    for name in operated(line) if verb == '"$VERB"' else [verb]:
        known = {option for parameter in group.commands[name].params for option in parameter.opts}
        assert set(re.findall(r"(--[a-z-]+)", line)) <= known, line


def operated(line: str) -> set[str]:
    """The verbs that a step of operate.yml with this command is for."""
    chosen = read(GITHUB / "workflows/operate.yml")["on"]["workflow_dispatch"]["inputs"]["verb"]["options"]
    (condition,) = [step["if"] for step in steps(GITHUB / "workflows/operate.yml") if step.get("run") == line]
    named = set(re.findall(r"inputs\.verb == '(\w+)'", condition))
    return named or {*chosen} - set(re.findall(r"inputs\.verb != '(\w+)'", condition))


def test_operating_says_who_and_why_where_something_changes() -> None:
    """Every verb of the list is in one step; those that only look have nothing to write down."""
    workflow = GITHUB / "workflows/operate.yml"
    told = {line: operated(line) for line in commands(workflow) if '"$VERB"' in line}
    assert [True, False] == ["--actor" not in line and "--reason" not in line for line in told]
    assert [{"status", "doctor"}, {"abort", "rollback", "resume"}] == [*told.values()]
    options = read(workflow)["on"]["workflow_dispatch"]["inputs"]["verb"]["options"]
    assert sorted(options) == sorted(verb for verbs in told.values() for verb in verbs)


def jobs_in_the_cluster() -> Iterator[tuple[str, dict[str, Any], dict[str, str]]]:
    """Every job that asks the cluster: its name, itself, and what it gives the action that gets it there."""
    for path in sorted(GITHUB.glob("workflows/*.yml")):
        for name, job in read(path)["jobs"].items():
            for step in job["steps"]:
                if step.get("uses") == "./.github/actions/cluster":
                    yield name, job, step["with"]


def test_what_asks_the_cluster_runs_where_it_answers() -> None:
    """Its API has no public address unless one is asked for; variables say whose runners reach it.

    Code of a pull request meets no runner that a role with more rights is lent on.
    """
    found = {name: job["runs-on"] for name, job, _ in jobs_in_the_cluster()}
    deploys = read(GITHUB / "workflows/infrastructure.yml")["jobs"]
    assert {"preview", "promote", "plan", "operate"} == set(found)
    assert "${{ vars.REVIEW_RUNNER || 'ubuntu-24.04' }}" == found.pop("plan")
    assert (
        {job["runs-on"] for job in deploys.values()}
        == {*found.values()}
        == {"${{ vars.INFRA_RUNNER || 'ubuntu-24.04' }}"}
    )


def test_a_role_is_lent_for_as_long_as_its_job_may_take() -> None:
    """A bake whose credentials ended would have no way back."""
    usual = read(GITHUB / "actions/cluster/action.yml")["inputs"]["seconds"]["default"]
    lent = {name: int(given.get("seconds", usual)) for name, _, given in jobs_in_the_cluster()}
    assert [] == [name for name, job, _ in jobs_in_the_cluster() if int(job["timeout-minutes"]) * 60 > lent[name]]
    assert max(lent.values()) <= SESSION_S
    assert lent["plan"] <= HOUR_S  # by the bootstrap program's role


def releases(job: str) -> list[tuple[str, str]]:
    """The commands of a job of release.yml that change something, each with the condition of its step."""
    found = read(GITHUB / "workflows/release.yml")["jobs"][job]["steps"]
    return [(step.get("if", ""), step["run"]) for step in found if " release " in step.get("run", "")][1:]


def test_the_first_release_goes_its_whole_way_once_it_is_approved() -> None:
    """It cannot wait in preview: the engine refuses that where nothing runs."""
    empty = "steps.now.outputs.phase {} 'empty'"
    ((shown, preview),) = releases("preview")
    (first, whole), (later, rest) = releases("promote")
    assert [empty.format("!="), empty.format("=="), empty.format("!=")] == [shown, first, later]
    assert ["--until preview" in line for line in (preview, whole, rest)] == [True, False, False]
    asked = [step["run"] for step in steps(GITHUB / "workflows/release.yml") if step.get("id") == "now"]
    assert [True, True] == ["release status" in line and "--json" in line for line in asked]
    assert Phase.EMPTY == "empty"
    assert "phase" in Status.__struct_fields__


def test_what_is_promoted_is_what_was_approved() -> None:
    """Somebody may have deployed another version by hand while this one waited."""
    assert '.venv/bin/primetrade release promote "$VERSION" ' in releases("promote")[1][1]


def test_a_release_waits_for_its_approval() -> None:
    """Built and judged, pushed, on preview, approved, promoted: in this order, one release at a time."""
    workflow = read(GITHUB / "workflows/release.yml")
    assert {"group": "release", "cancel-in-progress": "false"} == workflow["concurrency"]
    assert [("push", "image"), ("preview", "push"), ("promote", ["push", "preview"])] == [
        (name, job["needs"]) for name, job in workflow["jobs"].items() if "needs" in job
    ]
    assert ("preview", "production") == tuple(workflow["jobs"][job]["environment"] for job in ("preview", "promote"))
    assert "id-token" not in workflow["jobs"]["image"]["permissions"]


def test_the_roles_of_the_programs_on_aws_can_be_taken() -> None:
    """One job looks as the plan role, from main; the next is let on in the environment that the deploy role trusts."""
    workflow = read(GITHUB / "workflows/infrastructure.yml")
    look, deploy = workflow["jobs"]["look"], workflow["jobs"]["deploy"]
    assert ("github.ref == 'refs/heads/main'", None) == (look["if"], look.get("environment"))
    assert ("look", ENVIRONMENT) == (deploy["needs"], deploy["environment"])
    taken = [
        [step["with"]["role-to-assume"] for step in job["steps"] if "configure-aws" in step.get("uses", "")]
        for job in (look, deploy)
    ]
    assert [["${{ vars.AWS_PLAN_ROLE }}"], ["${{ vars.AWS_DEPLOY_ROLE }}"]] == taken
    assert stacks() == sorted(workflow["on"]["workflow_dispatch"]["inputs"]["stack"]["options"])
    really = [job["steps"][-1]["run"].endswith(" --really") for job in (look, deploy)]
    assert [False, True] == really


def test_pulumi_is_of_the_version_that_the_programs_are_locked_to() -> None:
    """Its command line speaks with the SDK by a protocol that both must know."""
    (locked,) = set(re.findall(r"^pulumi==(\S+)", (ROOT / "locks/dev.txt").read_text(), re.MULTILINE))
    asked = re.findall(r"pulumi-version: (\S+) }", (GITHUB / "workflows/infrastructure.yml").read_text())
    assert [locked] * 2 == asked
    installs = [
        step["with"] for step in steps(GITHUB / "workflows/infrastructure.yml") if "pulumi/" in step.get("uses", "")
    ]
    assert [{"pulumi-version"}] * 2 == [set(each) for each in installs]  # a command would be run without the gates


@pytest.mark.cluster  # compiled from the Go module, as the cluster's programs are
def test_actionlint_finds_nothing() -> None:
    """Syntax, expressions, contexts, inputs of actions, permissions."""
    done = subprocess.run(
        [tools.tool("actionlint"), "-color=false"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert (0, "") == (done.returncode, done.stdout)
