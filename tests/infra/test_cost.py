"""What a month costs: sums, prices, and that nothing is left out in silence."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import msgspec
import pulumi_aws
import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st
from pulumi.runtime import rpc

from infra.config.network import ALONE
from infra.cost.book import Confidence, read_book
from infra.cost.charge import Basis, Terms
from infra.cost.estimate import METERS, Estimate, estimate, kind_of, shares, total
from infra.cost.free import FREE, NOT_PRICED
from infra.cost.page import BLOCK, PAGE, TABLES, filled, look
from infra.cost.report import report
from infra.cost.usage import HOURS, KEYS, Usage, read_file, usage_of
from infra.plan import golden
from infra.plan.graph import Graph, Resource, from_json
from infra.stackfile import read_stack, stacks
from scripts.commands.infra import command
from scripts.exits import Exit

BOOK, USES = read_book(), read_file()
HOW = "give it a meter in infra/cost/meters, or a reason in FREE or NOT_PRICED of infra/cost/free.py"


@cache
def region(stack: str) -> str:
    return read_stack(stack).platform.region


def month(graph: Graph, terms: Terms | None = None, **usage: float) -> Estimate:
    used = msgspec.structs.replace(usage_of(graph.stack, USES), **usage)
    return estimate(Basis(graph, used, USES.logs, USES.buckets, terms or Terms(), region(graph.stack)), BOOK)


def call(*words: str) -> Result:
    return CliRunner().invoke(command, list(words))


def test_every_type_is_priced_or_free_for_a_reason_or_listed(stack: Graph) -> None:
    """A new type in a stack is refused until somebody says what it costs."""
    known = METERS.keys() | FREE.keys() | NOT_PRICED.keys()
    assert {} == {kind: HOW for each in stack.made if (kind := kind_of(each)) not in known}


@pytest.mark.parametrize(
    "path", sorted(golden.DIRECTORY.glob("*/*.json")), ids=lambda path: f"{path.parent.name}-{path.stem}"
)
def test_the_other_programs_have_no_type_without_a_price(path: Path) -> None:
    """And cost next to nothing: a bucket, a key, and what runs on nodes that are priced already."""
    graph = from_json(path.read_bytes(), str(path))
    found = estimate(Basis(graph, usage_of("prod", USES), USES.logs, USES.buckets, Terms(), "us-east-1"), BOOK)
    assert {} == {each.what: HOW for each in found.not_priced}
    assert found.usd < 10


def test_no_type_is_said_twice() -> None:
    """Priced and free would be two truths."""
    tables = (METERS.keys(), FREE.keys(), NOT_PRICED.keys())
    assert sum(map(len, tables)) == len(set().union(*tables))


@pytest.mark.parametrize("kind", sorted(METERS.keys() | FREE.keys() | NOT_PRICED.keys()))
def test_a_type_of_the_tables_is_one_of_the_sdk(kind: str) -> None:
    """A slip of the pen would price nothing."""
    if ":" in kind:
        return  # of another provider
    assert rpc.get_resource_module(pulumi_aws.__name__.removeprefix("pulumi_"), kind, "")


def test_every_charge_finds_its_price(stack: Graph) -> None:
    """What the book lacks would be listed as not priced; today it lacks nothing that a stack needs."""
    assert [] == [each for each in month(stack).not_priced if each.why.startswith("no price")]


def test_a_price_that_the_book_lacks_is_listed_and_not_zero(graph_of: Callable[..., Graph]) -> None:
    """A total without it would be a lie."""
    missing = month(graph_of(database={"instance": "db.r8g.16xlarge"})).not_priced
    assert "no price of PostgreSQL db.r8g.16xlarge single-AZ in us-east-1" in [each.why for each in missing]


def test_a_type_without_a_meter_is_listed(stack: Graph) -> None:
    """Also in the estimate itself, for stacks that nobody committed."""
    new = Resource(name="new", type="aws:redshift/cluster:Cluster")
    graph = msgspec.structs.replace(stack, resources=(*stack.resources, new))
    assert ("new", "redshift/cluster", "has no meter") in [(x.resource, x.what, x.why) for x in month(graph).not_priced]


def test_the_total_is_the_sum_of_its_parts(stack: Graph) -> None:
    """By component, by confidence, and fixed beside what grows."""
    found = month(stack)
    whole = report(found, 1, [])
    assert found.usd == pytest.approx(sum(each.quantity * each.usd_each for each in found.lines))
    assert found.usd == pytest.approx(sum(total(found.of(name)) for name in found.components))
    assert found.usd == pytest.approx(whole.fixed_usd + whole.traffic_usd)
    assert pytest.approx(1) == sum(shares(found.lines).values())
    assert {each.name for each in stack.resources if each.is_component} >= {
        each.component for each in found.lines if each.resource
    }


GROWING = st.floats(min_value=0, max_value=4, allow_nan=False)


@given(data=st.data())
def test_more_use_never_costs_less(data: st.DataObject, committed: Callable[[str], Graph]) -> None:
    """Whatever grows: requests, answers, data, logs, GB through the network."""
    key = data.draw(st.sampled_from([key for key in KEYS if key != "partner_share"]))  # that moves requests
    value = getattr(usage_of("prod", USES), key)
    shared = key.endswith("_share") and key not in ("peak_share", "data_share")
    lower, upper = sorted(min(1.0, value * data.draw(GROWING)) if shared else value * data.draw(GROWING) for _ in "ab")
    if key == "headroom":
        lower, upper = 1 + lower, 1 + upper
    graph = committed("prod")
    assert month(graph, **{key: lower}).usd <= month(graph, **{key: upper}).usd + 1e-9


def test_prod_without_requests_costs_what_is_fixed(committed: Callable[[str], Graph]) -> None:
    """What grows is nothing then."""
    idle = month(committed("prod"), mean_share=0)
    assert 0 == pytest.approx(total(each for each in idle.lines if each.grows))
    busy = month(committed("prod"))
    assert total(each for each in busy.lines if not each.grows) == pytest.approx(idle.usd)


def test_storage_grows_with_the_data_up_to_its_limit(graph_of: Callable[..., Graph]) -> None:
    """RDS keeps a tenth free; 20 GiB hold 18 GiB of data."""

    def storage(data_gib: float) -> float:
        found = month(graph_of(), data_share=data_gib * 2**30 / 1e12).lines
        return next(each.quantity for each in found if "gp3 storage" in each.sku)

    assert [20, pytest.approx(21), 33] == [storage(gib) for gib in (18, 18.9, 1000)]


def test_nodes_follow_the_cpu_of_the_busiest_hour(committed: Callable[[str], Graph]) -> None:
    """1,000 requests/s at 3 ms in two slots with headroom 2 are 12 vCPUs: 6 nodes; never fewer than the zones."""

    def nodes(cpu_ms: float, terms: Terms) -> float:
        found = month(committed("prod"), terms, cpu_ms=cpu_ms).of("nodes")
        return sum(each.quantity for each in found if not each.resource and "linux" in each.sku) / HOURS

    assert pytest.approx(6) == nodes(3, Terms(spot=0.5))
    assert pytest.approx(3) == nodes(0.1, Terms(spot=0.5))
    assert pytest.approx(5) == nodes(8, Terms(elastic=True))


def test_a_second_region_that_waits_has_its_load_balancer_and_its_monitoring(
    committed: Callable[[str], Graph],
) -> None:
    """Without a request: addresses in three zones, a node on demand for Prometheus whatever spot is, its disk."""
    found = month(committed("dr"), Terms(spot=1))
    assert {"load balancer", "its 3 addresses"} <= {each.what for each in found.of("load balancer")}
    said = {each.what: each.quantity for each in found.of("nodes") if not each.resource}
    assert {"1 m7i.large on demand": HOURS, "disks of 1 nodes": 50, "volumes of pods": 60} == said


def test_prometheus_keeps_a_node_on_demand(committed: Callable[[str], Graph]) -> None:
    """Its values ask for one, so that no share of spot is all of the nodes."""
    found = month(committed("prod"), Terms(spot=1)).of("nodes")
    words = {each.what for each in found if not each.resource and "linux" in each.sku}
    assert {"1 m7i.large on demand", "2 m7i.large on spot"} == words


def test_a_regional_nat_gateway_costs_what_one_in_each_zone_does(graph_of: Callable[..., Graph]) -> None:
    """It is simpler, not cheaper; one gateway for all zones is."""

    def network(nat: str) -> float:
        return total(month(graph_of(network={"nat": nat, "endpoints": ALONE})).of("network"))

    assert network("regional") == pytest.approx(network("per-zone"))
    assert network("none") < network("single") < network("regional")


@pytest.mark.parametrize(
    ("kind", "what"), [("cloudwatch/logGroup", "logs of new"), ("s3/bucket", "files in new")], ids=["log", "bucket"]
)
def test_a_log_group_or_bucket_that_nobody_thought_of_is_listed(
    committed: Callable[[str], Graph], kind: str, what: str
) -> None:
    """As not priced, never as free."""
    new = Resource(name="new", type=f"aws:{kind}:X")
    dev = committed("dev")
    (missing,) = month(msgspec.structs.replace(dev, resources=(*dev.resources, new))).not_priced
    assert (what, True) == (missing.what, "infra/cost/usage.yaml" in missing.why)


def test_advanced_insights_are_listed_until_the_book_has_their_price(graph_of: Callable[..., Graph]) -> None:
    """They are paid for by vCPU."""
    missing = month(graph_of(database={"insights": "advanced"})).not_priced
    assert ["Database Insights"] == [each.what for each in missing]


def test_every_log_group_and_bucket_has_an_assumption(stack: Graph) -> None:
    """What nobody thought of would be free: name it in infra/cost/usage.yaml."""
    groups = [str(each.inputs.get("name", each.name)) for each in stack.of("cloudwatch/logGroup")]
    assert [] == [name for name in groups if not any(log.match in name for log in USES.logs)]
    buckets = [str(each.inputs.get("bucket", each.name)) for each in stack.of("s3/bucket")]
    assert [] == [name for name in buckets if not any(each.match in name for each in USES.buckets)]


def test_every_use_has_a_line_and_every_assumption_is_read() -> None:
    """The file and the struct say the same keys."""
    assert set(KEYS) == set(USES.everywhere)
    assert set(stacks()) == set(USES.stacks)
    assert Usage.__struct_fields__[: len(KEYS)] == KEYS


@pytest.mark.parametrize("name", stacks())
def test_each_stack_is_within_its_budget(name: str) -> None:
    """The gate of CI."""
    done = call("cost", name)
    assert Exit.DONE == done.exit_code, done.output


def test_over_the_budget_the_exit_code_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the last line names the key."""
    cheap = read_stack("dev")
    platform = msgspec.structs.replace(cheap.platform, cost=msgspec.structs.replace(cheap.platform.cost, budget=1))
    config = msgspec.structs.replace(cheap.config, platform=platform)
    monkeypatch.setattr("infra.stackfile.read_stack", lambda name: msgspec.structs.replace(cheap, config=config))
    done = call("cost", "dev")
    assert Exit.SLO_MISSED == done.exit_code
    assert "OVER its budget of 1 (cost.budget)" in done.stdout.splitlines()[-1]


def test_json_has_the_lines_and_their_confidence() -> None:
    """A machine reads stdout."""
    (found,) = json.loads(call("cost", "dev", "--json").stdout)["stacks"]
    assert "primetrade.infra-cost/1" == found["schema"]
    assert {each.value for each in Confidence} == set(found["by_confidence"])
    assert found["usd"] == pytest.approx(sum(line["usd"] for line in found["lines"]))
    assert found["in_no_total"]


def test_the_tables_of_the_docs_are_those_of_the_commands() -> None:
    """A stale number would be believed: make docs."""
    text = PAGE.read_text()
    assert set(TABLES) == {name for _, name, _ in BLOCK.findall(text)}
    assert filled(text, look()) == text, "write it anew: make docs"
