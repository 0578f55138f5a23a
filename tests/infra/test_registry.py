"""Images and who brings them: what release.yml and operate.yml count on."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.components.github import HOST
from infra.components.registry import lifecycle
from infra.components.release import ENVIRONMENTS, GROUP, SESSION_S
from infra.plan.graph import Graph
from tests.infra.samples import sound

ROOT = Path(__file__).parents[2]


def subjects(graph: Graph, role: str) -> list[str]:
    trust = json.loads(str(graph[role].inputs["assumeRolePolicy"]))["Statement"][0]
    found: list[str] = trust["Condition"]["StringLike"][f"{HOST}:sub"]
    return found


def environments() -> set[str]:
    """Of every job that takes AWS_DEPLOY_ROLE."""
    found = set()
    for name in ("release", "operate"):
        jobs = yaml.safe_load((ROOT / f".github/workflows/{name}.yml").read_text())["jobs"]
        found |= {job["environment"] for job in jobs.values() if "AWS_DEPLOY_ROLE" in str(job)}
    return found


def test_a_tag_is_never_written_twice_and_every_image_is_looked_through(committed: Callable[[str], Graph]) -> None:
    """The digest that was tried is the digest that runs."""
    found = committed("prod")["primetrade-prod-images"]
    assert ("IMMUTABLE", {"scanOnPush": True}, True) == (
        found.inputs["imageTagMutability"],
        found.inputs["imageScanningConfiguration"],
        found.protect,
    )
    assert [{"encryptionType": "KMS", "kmsKey": "${primetrade-prod-key-data.arn}"}] == found.inputs[
        "encryptionConfigurations"
    ]


def test_the_second_region_has_every_image(committed: Callable[[str], Graph]) -> None:
    """Into a repository of the same name, which its own stack makes: it must run when the first region does not."""
    prod, dr = committed("prod"), committed("dr")
    (rule,) = prod["primetrade-prod-images-copies"].inputs["replicationConfiguration"]["rules"]  # type: ignore[index]
    assert [{"region": "eu-west-1", "registryId": "111111111111"}] == rule["destinations"]
    assert (
        [rule["repositoryFilters"][0]["filter"]]
        == [each.inputs["name"] for each in dr.of("ecr/repository")]
        == [each.inputs["name"] for each in prod.of("ecr/repository")]
    )


def test_only_a_version_tag_of_our_repository_pushes(committed: Callable[[str], Graph]) -> None:
    """To the one repository."""
    prod = committed("prod")
    assert ["repo:primetrade/task-api:ref:refs/tags/v*"] == subjects(prod, "primetrade-prod-push-role")
    (_, push) = json.loads(str(prod["primetrade-prod-push-role-may"].inputs["policy"]))["Statement"]
    assert ["arn:aws:ecr:us-east-1:111111111111:repository/primetrade/task-api"] == push["Resource"]


def test_releases_come_from_the_environments_of_the_workflows(committed: Callable[[str], Graph]) -> None:
    """An environment has its reviewers; a branch has none."""
    assert environments() == set(ENVIRONMENTS)
    found = subjects(committed("prod"), "primetrade-prod-release-role")
    assert {f"repo:primetrade/task-api:environment:{each}" for each in environments()} == set(found)


def test_the_release_engine_keeps_its_role_for_a_whole_bake(committed: Callable[[str], Graph]) -> None:
    """AWS lends none for longer than the role says, and says an hour by itself; the workflow asks for no more."""
    assert committed("prod")["primetrade-prod-release-role"].inputs["maxSessionDuration"] == SESSION_S == 7200


def test_the_release_engine_is_a_group_in_the_cluster_and_no_administrator(committed: Callable[[str], Graph]) -> None:
    """What the group may do says helm/router."""
    prod = committed("prod")
    entry = prod["primetrade-prod-access-release"].inputs
    assert [GROUP] == entry["kubernetesGroups"]
    assert [] == [
        each.name
        for each in prod.of("eks/accessPolicyAssociation")
        if each.inputs["principalArn"] == entry["principalArn"]
    ]


def test_an_environment_without_images_of_its_own_makes_no_registry(graph_of: Callable[..., Graph]) -> None:
    """Nor a role that pushes."""
    graph = graph_of()
    assert [] == graph.of("ecr/repository")
    assert not {"image_repository", "push_role", "release_role"} & graph.exports.keys()


@pytest.mark.parametrize("account", ["222222222222"])
def test_other_accounts_pull_and_do_not_push(committed: Callable[[str], Graph], account: str) -> None:
    """Staging runs what production will."""
    (statement,) = json.loads(str(committed("prod")["primetrade-prod-images-readers"].inputs["policy"]))["Statement"]
    assert {"AWS": [f"arn:aws:iam::{account}:root"]} == statement["Principal"]
    assert [] == [action for action in statement["Action"] if re.search("Put|Upload|Delete", action)]


@given(st.integers(10, 1000))
def test_the_newest_images_stay(keep: int) -> None:
    """Pushes that did not end go first, and a tagged image goes only when there are more than were to be kept."""
    rules: list[dict[str, Any]] = json.loads(lifecycle(keep))["rules"]
    assert [1, 2] == [rule["rulePriority"] for rule in rules]
    assert ("imageCountMoreThan", keep) == (rules[1]["selection"]["countType"], rules[1]["selection"]["countNumber"])


@settings(max_examples=3)  # each runs the whole program
@given(
    st.from_regex(r"\A[a-z0-9]{1,10}-[a-z0-9]{1,20}/[a-z0-9]{1,20}\Z"),
    st.fixed_dictionaries(
        {},
        optional={
            "repository": st.from_regex(r"\A[a-z0-9]{1,20}([._-][a-z0-9]{1,20})?\Z"),
            "keep": st.integers(10, 1000),
            "copies": st.sampled_from([[], ["eu-west-1"]]),
            "readers": st.lists(st.from_regex(r"\A[0-9]{12}\Z"), max_size=3, unique=True),
        },
    ),
)
def test_every_registry_has_one_repository_and_one_way_to_write_it(
    graph_of: Callable[..., Graph], github: str, changes: dict[str, Any]
) -> None:
    """Whatever its name: tags of that repository on GitHub push, its environments release, others pull."""
    graph = graph_of("prod", github=github, registry={"copies": [], "readers": [], **changes})
    sound(graph)
    (repository,) = graph.of("ecr/repository")
    assert f"primetrade/{changes.get('repository', 'task-api')}" == repository.inputs["name"]
    assert bool(changes.get("copies")) == bool(graph.of("ecr/replicationConfiguration"))
    assert bool(changes.get("readers")) == bool(graph.of("ecr/repositoryPolicy"))
    pushes, releases = (subjects(graph, f"primetrade-prod-{part}-role") for part in ("push", "release"))
    assert [f"repo:{github}:ref:refs/tags/v*"] == pushes
    assert {f"repo:{github}:environment:{each}" for each in ENVIRONMENTS} == {*releases}
