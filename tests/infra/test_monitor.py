"""The recording engine, against the SDK itself: if a new SDK speaks otherwise, this is where it shows."""

from __future__ import annotations

import gc
import threading
from contextlib import nullcontext

import pulumi
import pulumi_aws as aws
import pytest

from infra.errors import ConfigError, ProgramError
from infra.plan.graph import HIDDEN, Graph, from_json, to_json
from infra.plan.run import record
from infra.plan.tree import difference_lines, tree_lines


def program(threshold: int = 30) -> None:
    """Everything that a graph shows, once."""
    account = aws.Provider("account", region="eu-west-1")
    box = pulumi.ComponentResource("primetrade:Box", "box", None, pulumi.ResourceOptions(providers=[account]))
    below = pulumi.ResourceOptions(parent=box, protect=True, retain_on_delete=True, ignore_changes=["tags"])
    queue = aws.sqs.Queue("queue", visibility_timeout_seconds=threshold, tags={"a": "b"}, opts=below)
    password = pulumi.Config().require_secret("password")
    aws.rds.Instance(
        "database",
        instance_class="db.t4g.medium",
        password_wo=password,
        db_name=queue.arn.apply(lambda arn: f"of-{arn}"),
        opts=pulumi.ResourceOptions(parent=box, delete_before_replace=True),
    )
    pulumi.export("queue", queue.arn)
    pulumi.export("password", password)


def graph_of(threshold: int = 30) -> Graph:
    return record(lambda: program(threshold), "canary", "test", {"canary:password": "x"}, ("canary:password",))


GRAPH = graph_of()


@pytest.mark.parametrize("ends", [False, True])
def test_no_garbage_is_looked_for_while_a_program_runs(ends: bool) -> None:
    """It would take longer than the program; afterwards it is looked for as before, however the program ended."""
    seen: list[bool] = []

    def run() -> None:
        seen.append(gc.isenabled())
        if ends:
            raise ConfigError("no")

    for before, switch in ((False, gc.disable), (True, gc.enable)):
        switch()
        with pytest.raises(ConfigError) if ends else nullcontext():
            record(run, "canary", "test", {})
        assert (False, before) == (seen.pop(), gc.isenabled())


def test_a_component_has_its_children() -> None:
    """Parents are recorded."""
    assert ["database", "queue"] == [each.name for each in GRAPH.below("box")]
    assert ["account", "box"] == [each.name for each in GRAPH.below("canary-test")]


def test_options_are_recorded() -> None:
    """What protects a resource and what is ignored of it."""
    queue, database = GRAPH["queue"], GRAPH["database"]
    assert (True, True, ("tags",)) == (queue.protect, queue.retain, queue.ignores)
    assert (False, False, True) == (database.protect, database.retain, database.delete_before_replace)


def test_a_child_is_made_by_the_provider_of_its_component() -> None:
    """Providers come down the tree."""
    assert ["account", "account"] == [GRAPH[name].provider for name in ("queue", "database")]
    assert "eu-west-1" == GRAPH["account"].inputs["region"]


def test_an_output_of_one_is_an_input_and_a_dependency_of_the_next() -> None:
    """`apply` has run, and its source is seen."""
    assert "of-${queue.arn}" == GRAPH["database"].inputs["dbName"]
    assert ("queue",) == GRAPH["database"].depends_on


def test_whole_numbers_stay_whole() -> None:
    """The protocol has floats only."""
    assert "30" == str(GRAPH["queue"].inputs["visibilityTimeoutSeconds"])


def test_a_secret_is_marked_and_its_value_is_nowhere() -> None:
    """In inputs and in exports."""
    assert (("passwordWo",), HIDDEN) == (GRAPH["database"].secrets, GRAPH["database"].inputs["passwordWo"])
    assert (("password",), HIDDEN) == (GRAPH.secret_exports, GRAPH.exports["password"])
    assert "${queue.arn}" == GRAPH.exports["queue"]


def test_a_graph_is_read_as_it_was_written() -> None:
    """And a second run writes the same."""
    assert GRAPH == from_json(to_json(GRAPH), "here")
    assert to_json(GRAPH) == to_json(graph_of())


@pytest.mark.parametrize("text", [b"{", b"{}", to_json(GRAPH).replace(b"infra-graph/1", b"infra-graph/0")])
def test_a_graph_that_cannot_be_read_is_refused(text: bytes) -> None:
    """With what to do."""
    with pytest.raises(ConfigError, match=r"^golden/x\.json: .*--write"):
        from_json(text, "golden/x.json")


def test_the_tree_marks_what_is_protected_and_secret() -> None:
    """A person sees parts, kinds and marks."""
    lines = list(tree_lines(GRAPH))
    assert "└─ Box box" in lines
    assert "   └─ sqs/queue queue (protected, retained)" in lines
    assert "   ├─ rds/instance database (secret passwordWo)" in lines
    assert "2 resources: rds 1, sqs 1" in lines


def test_a_difference_names_each_changed_value() -> None:
    """And nothing where nothing changed."""
    assert [] == list(difference_lines(GRAPH, graph_of()))
    assert ["~ sqs/queue queue (protected, retained)", "    inputs.visibilityTimeoutSeconds: 30 → 31"] == list(
        difference_lines(GRAPH, graph_of(31))
    )


def test_a_difference_names_what_comes_and_goes() -> None:
    """By kind and name, and the exports."""
    empty = record(lambda: None, "canary", "test", {})
    lines = list(difference_lines(empty, GRAPH))
    assert {"+ sqs/queue queue", "+ Box box", "    queue: absent → ${queue.arn}"} <= set(lines)
    assert "- sqs/queue queue (protected, retained)" in list(difference_lines(GRAPH, empty))


def ask() -> None:
    aws.get_caller_identity()


def twins() -> None:
    aws.sqs.Queue("x")
    aws.sns.Topic("x")


def read() -> None:
    aws.sqs.Queue.get("x", "https://queue")


def nonsense() -> None:
    raise ZeroDivisionError("division by zero")


def late() -> None:
    aws.sqs.Queue("x").arn.apply(lambda _: nonsense())


def deprecated() -> None:
    aws.ec2.EncryptionControl("x", mode="monitor", vpc_id="vpc-1")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (ask, "asks AWS .*getCallerIdentity"),
        (twins, "x: names aws:(sqs/queue:Queue|sns/topic:Topic) already"),
        (read, "reads aws:sqs/queue:Queue"),
        (nonsense, "canary on test ended with ZeroDivisionError"),
        (deprecated, "deprecated in favor of .*; a plan allows no warnings"),
        (late, "division by zero"),
    ],
)
def test_what_a_plan_cannot_show_ends_it(wrong: object, words: str) -> None:
    """Look-ups, names used twice, and errors of the program, in `apply` too."""
    assert callable(wrong)
    with pytest.raises(ProgramError, match=words):
        record(wrong, "canary", "test", {})


def test_programs_leave_nothing_behind() -> None:
    """Not a thread, and nothing of a failed program in the next."""
    before = threading.active_count()
    with pytest.raises(ProgramError):
        record(late, "canary", "test", {})
    assert GRAPH == graph_of()
    assert before == threading.active_count()
