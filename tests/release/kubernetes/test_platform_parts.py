"""The platform's pieces: Helm's words, floors of autoscalers, ConfigMaps, migrations, refused plans."""

from __future__ import annotations

import pytest

from scripts.release import engine
from scripts.release.engine import Caller
from scripts.release.errors import Refused
from scripts.release.file import ReleaseFile
from scripts.release.kubernetes import configs, expansion, floor, helm, refusals
from scripts.release.route import Audience, Target, Weights
from scripts.release.slots import Release
from scripts.release.step import Kind, Step
from scripts.release.twin import Twin
from tests.release.kubernetes.objects import Object

SHOP = Release("1.1.0", (), {}, "local/shop:1.1.0", {"image": {"repository": "local/shop"}})


def test_helm_waits_for_no_pod_and_takes_over_what_was_scaled() -> None:
    words = helm.install_words("shop-green", "chart")
    assert words[:4] == ["upgrade", "--install", "shop-green", "chart"]
    assert "--wait=hookOnly" in words
    assert "--force-conflicts" in words
    assert words[words.index("--values") + 1] == "-"
    assert f"{helm.OURS}=true,{helm.PROCESS}=" in words[words.index("--labels") + 1]


@pytest.mark.parametrize(
    ("spec", "replicas", "own", "least", "kept"),
    [
        ({"minReplicas": 2, "maxReplicas": 10}, 5, "", 5, "2"),
        ({"minReplicas": 5, "maxReplicas": 10}, 7, "2", 7, "2"),  # lifted already
        ({"minReplicas": 2, "maxReplicas": 10}, 1, "", 2, "2"),  # never under the values
        ({"minReplicas": 2, "maxReplicas": 4}, 9, "", 4, "2"),  # nor over the most
    ],
)
def test_a_floor_is_lifted_between_its_own_and_the_most(
    spec: Object, replicas: int, own: str, least: int, kept: str
) -> None:
    change = floor.lifted(spec, floor.KINDS["hpa"], replicas, own)
    assert change == {"metadata": {"annotations": {floor.OWN: kept}}, "spec": {"minReplicas": least}}


def test_the_configmaps_that_templates_name_are_needed() -> None:
    """Not those of what is being deleted."""

    def template(name: str, **meta: str) -> Object:
        container = {"envFrom": [{"configMapRef": {"name": name}}, {"secretRef": {"name": "s"}}]}
        return {"metadata": meta, "spec": {"template": {"spec": {"containers": [container, {}]}}}}

    gone = template("c", deletionTimestamp="now")
    assert list(configs.named([template("a"), template("b"), gone])) == ["a", "b"]


@pytest.mark.parametrize(
    ("conditions", "says"),
    [
        ([], "running"),
        ([{"type": "Complete", "status": "True"}], "complete"),
        ([{"type": "Complete", "status": "False"}], "running"),
        (
            [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "thrice"}],
            "failed: BackoffLimitExceeded: thrice",
        ),
    ],
)
def test_how_a_migration_stands(conditions: list[Object], says: str) -> None:
    assert expansion.outcome({"status": {"conditions": conditions}}) == says
    assert expansion.outcome(None) == ""


def test_a_migration_that_runs_is_waited_for_and_no_other() -> None:
    """A killed engine left it; one with another command or to another level is of another file."""
    container = {"command": ["migrate"], "env": [{"name": "LOG", "value": "1"}, {"name": "SCHEMA_LEVEL", "value": "3"}]}
    template = {"template": {"spec": {"containers": [container]}}}
    ended = [{"type": "Complete", "status": "True"}]
    assert expansion.goes_on({"spec": template, "status": {}}, ["migrate"], 3)
    assert not expansion.goes_on({"spec": template, "status": {}}, ["other"], 3)
    assert not expansion.goes_on({"spec": template, "status": {}}, ["migrate"], 4)
    assert not expansion.goes_on({"spec": template, "status": {"conditions": ended}}, ["migrate"], 3)
    assert not expansion.goes_on(None, ["migrate"], 3)


def test_a_migration_runs_the_values_command_or_the_files() -> None:
    """In the image of the release, whose Python is not this one."""
    values = expansion.migration_values(["{python}", "-m", "migrate"], 3, SHOP)
    assert values["migration"] == {"releaseId": SHOP.digest, "command": ["python3", "-m", "migrate"]}
    assert (values["render"], values["image"]) == ("migration", {"repository": "local/shop"})
    own = Release("1", (), {}, "a:1", {"migration": {"command": ["mine"], "backoffLimit": 0}})
    assert expansion.migration_values(["theirs"], 3, own)["migration"]["command"] == ["mine"]


def test_a_migration_is_told_where_to_stop() -> None:
    """Beside the release's own environment, which the slots have."""
    with_env = Release("1", (), {}, "a:1", {"config": {"LOG": "1"}})
    assert expansion.migration_values(["migrate"], 3, with_env)["config"] == {"LOG": "1", "SCHEMA_LEVEL": "3"}
    assert with_env.values["config"] == {"LOG": "1"}


def shift(target: Target) -> Step:
    return Step(Kind.SHIFT, "green", "", target=target)


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ((), ()),
        ((Step(Kind.DEPLOY, "green", ""),), ()),
        ((shift(Target.all_on("green")),), (100,)),
        ((shift(Target(Weights(75, 25))), shift(Target.all_on("green"))), (25, 100)),
        ((shift(Target(Weights(100, 0), mirror="green")), shift(Target.all_on("green"))), ("shadow", 100)),
        ((shift(Target(Weights(100, 0), "green", Audience({"x-beta": "1"}))),), ("audience", 100)),
    ],
)
def test_what_a_plan_moves_is_read_from_its_steps(steps: tuple[Step, ...], words: tuple[int | str, ...]) -> None:
    """`--all-at-once` asks for less than the file does."""
    assert refusals.moves(steps) == words


def test_a_plan_that_cannot_be_carried_out_is_refused_before_it_begins(
    twin: Twin, file: ReleaseFile, caller: Caller
) -> None:
    """`plan` says so, too; the way back is open all the same."""
    twin.unable = "a Service has one selector"
    for attempt in (
        lambda: engine.preview_plan(twin, file, "1.1.0", engine.Options()),
        lambda: engine.deploy(twin, file, "1.1.0", caller),
    ):
        with pytest.raises(Refused, match=r"a Service has one selector. Nothing was changed"):
            attempt()
    assert twin.calls == []
    twin.unable = ""
    engine.deploy(twin, file, "1.1.0", caller)
    twin.unable = "a Service has one selector"
    engine.rollback(twin, file, caller)
    assert twin.current.target.sole == "blue"
