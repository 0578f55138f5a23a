"""Rehearsals on Pulumi's own engine: the committed stacks, and a small program where things go wrong."""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pulumi
import pulumi_aws as aws
import pytest
from click.testing import CliRunner

from infra.addons.charts import CHARTS
from infra.plan.programs import PROGRAMS
from infra.plan.run import record
from infra.rehearsal.change import Change, changed
from infra.rehearsal.engine import Engine, opened
from infra.rehearsal.process import Command
from infra.rehearsal.protocol import served
from infra.rehearsal.provider import Aws
from infra.rehearsal.story import Scene, Story
from infra.rehearsal.subject import of_platform
from infra.rehearsal.world import Fault, World
from infra.stackfile import read_stack, stacks
from scripts import tools
from scripts.commands.infra import command
from scripts.commands.infra_rehearse import ENGINE
from scripts.exits import Exit
from tests.local.traffic import until

pytestmark = [
    pytest.mark.rehearsal,
    # The SDK leaves its event loop open where an engine ends before the program that it runs.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
DEV = read_stack("dev").platform


def program(*, kept: bool = True, version: str = "18") -> None:
    """A network, and a database in it that is to be kept."""
    platform = pulumi.Config("primetrade").require_object("platform")
    account = aws.Provider("account", region=platform["region"], allowed_account_ids=[platform["account"]])
    inside = pulumi.ResourceOptions(provider=account)
    vpc = aws.ec2.Vpc("net", cidr_block=platform["network"]["cidr"], opts=inside)
    subnet = aws.ec2.Subnet("subnet", vpc_id=vpc.id, cidr_block="10.50.0.0/24", opts=inside)
    group = aws.rds.SubnetGroup("subnets", subnet_ids=[subnet.id], opts=inside)
    aws.rds.Instance(
        "database",
        engine="postgres",
        engine_version=version,
        instance_class=platform["database"]["instance"],
        db_subnet_group_name=group.name,
        deletion_protection=kept,
        opts=pulumi.ResourceOptions(provider=account, protect=kept),
    )


@pytest.fixture(autouse=True)
def _swept() -> Iterator[None]:
    """Let what the SDK has left behind be found here, not in somebody else's test."""
    yield
    gc.collect()


@pytest.fixture(scope="session")
def cli() -> Command:
    """Pulumi's command line, built now where it never was."""
    return Command(tools.tool("pulumi"), tools.version("pulumi", ENGINE))


@contextmanager
def rehearsed(cli: Command, world: World, run: Callable[[], None] = program) -> Iterator[Engine]:
    with (
        served(Aws(world)) as port,
        opened(
            cli,
            ("canary", "test"),
            program=run,
            setting=of_platform(DEV),
            secrets={},
            ports={"aws": port},
            hear=lambda words: None,
        ) as engine,
    ):
        yield engine


def story(cli: Command, world: World, upto: str, change: str = "network.cidr=10.51.0.0/16") -> list[Scene]:
    """The scenes up to that one."""
    config = {"primetrade:platform": msgspec.json.encode(DEV).decode()}
    graph, found = record(program, "canary", "test", config), []
    with rehearsed(cli, world) as engine:
        for scene in Story(engine, world, graph, Change(change, of_platform(changed(DEV, change)))).scenes():
            found.append(scene)
            if scene.name == upto:
                break
    return found


def rehearsal(stack: str, program: str, *options: str) -> dict[str, Any]:
    """The report of the command, in which nothing went wrong."""
    asked = ["rehearse", stack, "--program", program, "--json", *options]
    done = CliRunner(env={"KUBECONFIG": None}).invoke(command, asked)
    report: dict[str, Any] = json.loads(done.stdout)
    assert [] == [words for scene in report["scenes"] for words in scene["wrong"]]
    assert Exit.DONE == done.exit_code
    return report


@pytest.mark.parametrize("stack", stacks())
def test_every_stack_lives_from_its_preview_to_its_end(stack: str) -> None:
    """Where data is kept, its end is refused first."""
    report = rehearsal(stack, "platform")
    refused = ["refused"] if read_stack(stack).platform.keeps_data else []
    assert ["preview", "up", "same", "change", *refused, "destroy"] == [scene["name"] for scene in report["scenes"]]
    assert "replaced (" in report["scenes"][3]["words"]


@pytest.mark.parametrize("stack", PROGRAMS["bootstrap"].stacks)
def test_every_account_lives_from_its_preview_to_its_end(stack: str) -> None:
    """What it keeps is refused first, whatever the account is for."""
    report = rehearsal(stack, "bootstrap")
    assert ["preview", "up", "same", "change", "refused", "destroy"] == [scene["name"] for scene in report["scenes"]]
    assert ": 3 updated (" in report["scenes"][3]["words"]


@pytest.mark.parametrize("stack", PROGRAMS["addons"].stacks)
def test_every_cluster_lives_from_its_preview_to_its_end(stack: str) -> None:
    """Its charts are listed, its objects too where no API server is named; another address replaces none of them."""
    report = rehearsal(stack, "addons")
    assert ["preview", "up", "same", "change", "destroy"] == [scene["name"] for scene in report["scenes"]]
    assert report["scenes"][3]["words"].endswith(f": 1 updated (primetrade-{stack}-kubernetes)")
    assert {"Namespace task-api", "StorageClass gp3"} <= {*report["unasked"]}
    asked_for = (each for each in CHARTS if each.name not in ("external-dns", "adot-collector"))
    assert {f"{each.chart} {each.version}" for each in asked_for} == {*report["charts"]}


def test_another_cluster_replaces_all_that_is_in_it() -> None:
    """By what the platform exports."""
    words = rehearsal("dev", "addons", "--change", "cluster_name=another")["scenes"][3]["words"]
    assert words.startswith("with cluster_name=another: 16 replaced (")


@pytest.mark.parametrize("fault", Fault)
def test_an_up_that_stopped_half_way_goes_on(cli: Command, fault: Fault) -> None:
    """Nothing is made twice, and afterwards nothing is left to do."""
    scenes = story(cli, World(fault, 3), "same")
    assert [] == [scene for scene in scenes if scene.wrong]
    assert ["preview", "up", "up again", "same"] == [scene.name for scene in scenes]
    assert "stopped with" in scenes[1].words


def test_a_fault_that_never_comes_is_said(cli: Command) -> None:
    """Rather than taken for a resume."""
    last = story(cli, World(Fault.FAIL, 99), "same")[-1]
    assert ("up", ("the fault never came: give the number of a create that there is",)) == (last.name, last.wrong)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("network.cidr=10.51.0.0/16", "2 replaced (net, subnet); 1 updated (subnets)"),
        ("database.instance=db.r7g.large", "1 updated (database)"),
        ("owner=us", "nothing would change"),
    ],
)
def test_a_change_says_what_it_replaces(cli: Command, change: str, words: str) -> None:
    """What only takes an update, too."""
    assert f"with {change}: {words}" == story(cli, World(), "change", change)[-1].words


def test_what_is_protected_is_not_deleted_and_neither_is_the_rest(cli: Command) -> None:
    """The preview of a destroy refuses before anything is gone."""
    refused = story(cli, World(), "refused")[-1]
    assert refused.words.startswith("refused for database; without its preview ")
    assert () == refused.wrong


def test_a_guard_that_aws_keeps_stops_a_destroy_that_the_engine_allows(cli: Command) -> None:
    """Deletion protection is a second lock."""
    world = World()
    with rehearsed(cli, world) as engine:
        assert () == engine.up().errors
        engine.unprotect()
        assert any("deletion protection" in words for words in engine.destroy().errors)
        assert "database" in [thing.name for thing in world.things.values()]


def test_inputs_that_aws_would_refuse_stop_the_preview(cli: Command) -> None:
    """Before anything is made, with what is allowed."""
    world = World()
    with rehearsed(cli, world, lambda: program(version="7")) as engine:
        assert any("EngineVersion" in words and "'7' is not one of" in words for words in engine.preview().errors)
    assert [] == world.calls


@pytest.mark.parametrize(("how", "code"), [(signal.SIGINT, Exit.INTERRUPTED), (signal.SIGTERM, Exit.TERMINATED)])
def test_an_interrupted_rehearsal_leaves_nothing(cli: Command, tmp_path: Path, how: signal.Signals, code: Exit) -> None:
    """No process and no folder."""
    with started(tmp_path) as process:
        until(lambda: bool(engines(tmp_path)), "an engine runs", 120)
        process.send_signal(how)
        assert code == process.wait(180)
    assert [] == engines(tmp_path)
    assert [] == [*tmp_path.iterdir()]


def test_a_killed_rehearsal_leaves_no_process(cli: Command, tmp_path: Path) -> None:
    """Without its program the engine ends by itself."""
    with started(tmp_path) as process:
        until(lambda: bool(engines(tmp_path)), "an engine runs", 120)
        process.kill()
        until(lambda: not engines(tmp_path), "the engine has ended")


def started(home: Path) -> AbstractContextManager[subprocess.Popen[bytes]]:
    argv = [sys.executable, "-m", "scripts.cli", "infra", "rehearse", "dev"]
    return subprocess.Popen(argv, env={**os.environ, "TMPDIR": str(home)}, stdout=subprocess.DEVNULL)


def engines(home: Path) -> list[int]:
    """The processes that work below a folder."""
    return [
        process.pid
        for process in psutil.process_iter(["cwd", "status"])
        if (process.info["cwd"] or "").startswith(str(home)) and process.info["status"] != psutil.STATUS_ZOMBIE
    ]
