"""The stand-in for AWS, without an engine: what it makes, refuses and says."""

from __future__ import annotations

import sys
from pathlib import Path

import psutil
import pulumi_aws  # noqa: F401 - makes its types known
import pytest
from pulumi.automation.errors import CommandError
from pulumi.runtime.rpc import UNKNOWN

from infra.config.platform import Platform
from infra.errors import ConfigError, ProgramError
from infra.plan.graph import Graph, Json, Resource
from infra.rehearsal import answers
from infra.rehearsal.answers import Place
from infra.rehearsal.change import changed, moved
from infra.rehearsal.kinds import misfits
from infra.rehearsal.order import deleted_early, made_early
from infra.rehearsal.process import Command
from infra.rehearsal.world import Call, Fault, NotReadyError, RefusedError, Thing, World
from infra.stackfile import read_stack
from tests.local.traffic import until

VPC, QUEUE, INSTANCE = "aws:ec2/vpc:Vpc", "aws:sqs/queue:Queue", "aws:rds/instance:Instance"
HERE = Place("eu-west-1", "111111111111", {"owner": "us"})


def thing(identity: str, kind: str = QUEUE, **inputs: Json) -> Thing:
    return Thing(identity, kind, identity, inputs, {"arn": f"arn:{identity}"})


@pytest.mark.parametrize(
    ("inputs", "path"),
    [
        ({"cidrBlock": 10}, "cidrBlock"),
        ({"enableDnsSupport": "true"}, "enableDnsSupport"),
        ({"ipv4NetmaskLength": True}, "ipv4NetmaskLength"),
        ({"tags": {"a": 1}}, "tags.a"),
        ({"tags": []}, "tags"),
        ({"cidr": "10.0.0.0/16"}, "cidr"),
    ],
)
def test_what_the_sdk_has_another_kind_for_is_refused(inputs: dict[str, Json], path: str) -> None:
    """Python checks none of it."""
    assert [path] == [where for where, words in misfits(VPC, inputs)]


def test_what_is_nested_is_looked_at_too() -> None:
    """Structures in lists."""
    inputs: dict[str, Json] = {"parameters": [{"name": "a", "value": 1}]}
    assert ["parameters[0].value"] == [path for path, words in misfits("aws:rds/parameterGroup:ParameterGroup", inputs)]


def test_what_fits_or_is_not_known_yet_is_accepted() -> None:
    """A preview has values that nobody knows."""
    assert [] == list(misfits(VPC, {"cidrBlock": UNKNOWN, "enableDnsSupport": True, "tags": {"a": "b"}}))


def test_what_replaces_a_thing_has_another_id() -> None:
    """And an id of AWS's form."""
    first, second = (answers.identity(VPC, "net", {}, HERE, generation) for generation in (0, 1))
    assert first != second
    assert first.startswith("vpc-")
    assert "orders" == answers.identity(QUEUE, "q", {"name": "orders"}, HERE, 0)


def test_a_thing_says_where_it_is() -> None:
    """ARN, address, port and all tags."""
    said = answers.outputs(INSTANCE, "shop", {"tags": {"a": "b"}}, HERE)
    assert "arn:aws:rds:eu-west-1:111111111111:db:shop" == said["arn"]
    assert "shop.stand-in.eu-west-1.amazonaws.com" == said["address"]
    assert (5432, {"owner": "us", "a": "b"}) == (said["port"], said["tagsAll"])


def test_no_thing_says_its_password() -> None:
    """Write-only inputs come back as they went, never of the stand-in's own making."""
    assert [] == [key for key in answers.outputs(INSTANCE, "shop", {}, HERE) if key.endswith("Wo")]


@pytest.mark.parametrize(("fault", "made"), [(Fault.FAIL, 1), (Fault.THROTTLE, 1), (Fault.TIMEOUT, 2)])
def test_the_create_that_was_named_goes_wrong_once(fault: Fault, made: int) -> None:
    """What is late is there all the same."""
    world = World(fault, 2)
    world.create(thing("a"))
    with pytest.raises(RefusedError, match="create number 2") as caught:
        world.create(thing("b"))
    assert (made, fault is Fault.TIMEOUT) == (len(world.things), isinstance(caught.value, NotReadyError))
    world.create(thing("c"))


def test_nothing_is_made_twice_and_nothing_that_is_gone_is_changed() -> None:
    """As in AWS."""
    world = World()
    world.create(thing("a"))
    with pytest.raises(RefusedError, match="AlreadyExists"):
        world.create(thing("a"))
    world.delete((QUEUE, "a"))
    world.delete((QUEUE, "a"))
    with pytest.raises(RefusedError, match="NotFound"):
        world.update(thing("a"))


@pytest.mark.parametrize("named", ["a", "arn:a"])
def test_what_is_in_use_stays(named: str) -> None:
    """By id and by ARN, however deep."""
    world = World()
    world.create(thing("a", VPC))
    world.create(thing("b", rules=[{"target": named}]))
    with pytest.raises(RefusedError, match="DependencyViolation: a is used by b"):
        world.delete((VPC, "a"))
    world.delete((QUEUE, "b"))
    world.delete((VPC, "a"))
    assert {} == world.things


def test_what_aws_lets_go_goes() -> None:
    """An alarm on a queue does not hold the queue."""
    world = World()
    world.create(thing("a"))
    world.create(thing("b", queue="a"))
    world.delete((QUEUE, "a"))
    assert ["b"] == [each.id for each in world.things.values()]


def test_deletion_protection_holds_until_it_is_lifted() -> None:
    """Behind the engine's own."""
    world = World()
    world.create(thing("a", deletionProtection=True))
    with pytest.raises(RefusedError, match="deletion protection"):
        world.delete((QUEUE, "a"))
    world.guards = False
    world.delete((QUEUE, "a"))


def graph() -> Graph:
    first, second = Resource("a", QUEUE), Resource("b", QUEUE, depends_on=("a",))
    return Graph("p", "s", (first, second), {}, ())


@pytest.mark.parametrize(("order", "wrong"), [("ab", []), ("ba", ["b needs a, which was not there"])])
def test_the_order_of_creation_is_the_graphs(order: str, wrong: list[str]) -> None:
    """A thing comes after what it needs."""
    assert wrong == made_early([Call("create", QUEUE, name) for name in order], graph())


@pytest.mark.parametrize(("order", "wrong"), [("ba", []), ("ab", ["b needs a, which was not there"])])
def test_the_order_of_deletion_is_the_other_way_round(order: str, wrong: list[str]) -> None:
    """A thing goes before what it needs."""
    assert wrong == deleted_early([Call("delete", QUEUE, name) for name in order], graph())


def platform() -> Platform:
    return read_stack("dev").platform


def test_a_change_is_a_key_and_a_value() -> None:
    """Of the kind that the key has."""
    assert 50 == changed(platform(), "database.storage_gb=50").database.storage_gb


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("database.storage_gb", "give KEY=VALUE"),
        ("database.size=3", "give KEY=VALUE"),
        ("nothing.at.all=3", "give KEY=VALUE"),
        ("database.storage_gb=much", "Expected `int`"),
        ("network.cidr=8.8.0.0/20", "is public"),
    ],
)
def test_a_change_that_no_stack_file_could_have_is_refused(words: str, why: str) -> None:
    """With what was given."""
    with pytest.raises(ConfigError, match=f"^--change {words}: .*{why}"):
        changed(platform(), words)


@pytest.mark.parametrize(("cidr", "beside"), [("10.20.0.0/16", "10.21.0.0/16"), ("172.31.0.0/16", "172.30.0.0/16")])
def test_the_change_that_is_shown_by_itself_stays_private(cidr: str, beside: str) -> None:
    """Other addresses, in the same private block."""
    assert f"network.cidr={beside}" == moved(changed(platform(), f"network.cidr={cidr}"))


def ended(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def script(folder: Path, text: str) -> Command:
    path = folder / "pulumi"
    path.write_text(f"#!{sys.executable}\n{text}")
    path.chmod(0o755)
    return Command(path, "v3.259.0", limit_s=2)


def test_the_engine_is_handed_nothing_of_our_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No account, no token."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.setenv("PULUMI_ACCESS_TOKEN", "x")
    done = script(tmp_path, "import os; print(' '.join(sorted(os.environ)))").run(
        ["version"], str(tmp_path), {"OURS": "1"}
    )
    assert {"OURS", "HOME", "PATH"} <= set(done.stdout.split())
    assert not {"AWS_SECRET_ACCESS_KEY", "PULUMI_ACCESS_TOKEN"} & set(done.stdout.split())


def test_an_engine_that_does_not_end_is_ended_with_all_it_started(tmp_path: Path) -> None:
    """And the words say which command it was."""
    text = (
        "import subprocess\nprint(subprocess.Popen(['sleep', '60']).pid, flush=True)\nsubprocess.run(['sleep', '60'])"
    )
    heard: list[str] = []
    with pytest.raises(ProgramError, match="pulumi up did not end in 2 s; its last words: "):
        script(tmp_path, text).run(["up"], str(tmp_path), {}, on_output=heard.append)
    until(lambda: ended(int(heard[0])), "the child has ended")


def test_an_engine_that_fails_is_an_error_with_its_words(tmp_path: Path) -> None:
    """As the SDK's own command."""
    with pytest.raises(CommandError, match="no stack here"):
        script(tmp_path, "raise SystemExit('no stack here')").run(["up"], str(tmp_path), {})
