"""Steps below the baseline, and advice on commitments."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from infra.cost.advice import advise
from infra.cost.charge import Terms
from infra.cost.estimate import Estimate
from infra.cost.further import CHANGES, further
from infra.cost.month import Months
from infra.cost.report import advice_words, step_rows, verdict
from infra.cost.terms import BASELINE, STEPS, laid_over, pool_arm, read_terms
from infra.cost.usage import HOURS
from infra.cost.what_if import compare
from infra.errors import ConfigError
from infra.policy.rules import RULES
from infra.stackfile import read_stack, stacks
from scripts.commands.infra import command
from scripts.exits import Exit


@cache
def months(stack: str) -> Months:
    return Months(stack, read_stack(stack))


@cache
def without_steps() -> Estimate:
    return months("prod").under(BASELINE)


def changed(stack: str, sections: dict[str, Any]) -> Months:
    return months(stack).changed(sections)


TERMS = st.builds(
    Terms,
    spot=st.floats(0, 1),
    graviton=st.booleans(),
    savings_plan=st.sampled_from(["none", "1y", "3y"]),
    reserved=st.sampled_from(["none", "1y"]),
    elastic=st.booleans(),
    nat=st.sampled_from(["planned", "regional", "per-zone"]),
)


@given(terms=TERMS)
def test_no_terms_make_a_component_appear_or_cost_more_than_the_baseline(terms: Terms) -> None:
    """They change how the same things are bought."""
    baseline, found = without_steps(), months("prod").under(terms)
    assert set(found.components) <= set(baseline.components)
    assert found.usd <= baseline.usd + 1e-6


def test_steps_are_read_by_name() -> None:
    """Over whatever terms there were."""
    assert Terms(spot=0.7, graviton=True, savings_plan="1y", nat="per-zone") == read_terms(
        "spot=0.7,graviton=true, savings-plan=1y", BASELINE
    )


@pytest.mark.parametrize("words", ["spot", "spots=1", "spot=2", "savings-plan=2y", "nat=all", ""])
def test_a_wrong_step_is_refused_with_what_is_allowed(words: str) -> None:
    """Before anything is priced."""
    with pytest.raises(ConfigError, match="--what-if"):
        read_terms(words, BASELINE)


def test_the_command_refuses_a_wrong_step_before_it_prints_anything() -> None:
    """What is to be mended stands alone."""
    done = CliRunner().invoke(command, ["cost", "dev", "--what-if", "spots=1"])
    assert (Exit.USAGE, "") == (done.exit_code, done.stdout)
    assert "--what-if spots=1: write NAME=VALUE; names are spot, " in done.stderr


def test_prod_is_not_compared_with_what_it_must_not_be() -> None:
    """One NAT gateway for three zones is refused there, whatever it saves."""
    done = CliRunner().invoke(command, ["cost", "prod", "--what-if", "nat=single"])
    assert Exit.USAGE == done.exit_code
    assert "nat=single" in done.stderr


def test_a_step_that_the_program_refuses_is_in_no_sum() -> None:
    """It is named with the reason; alone it is no comparison at all."""
    found, why = compare(months("prod"), "night=true,spot=0.5"), "production does not sleep"
    assert ["night=true"] == [each.name for each in found.refused]
    assert why in found.refused[0].why
    assert found.together.usd == found.steps[0].usd
    assert ("night=true (refused)", "", "") in step_rows(found)
    assert why in verdict(found)
    with pytest.raises(ConfigError, match=f"--what-if night=true: .*{why}"):
        compare(months("prod"), "night=true")


@pytest.mark.parametrize("name", stacks())
def test_a_step_is_priced_as_the_program_would_make_it(name: str) -> None:
    """The stack file with the step in it is what is planned, and is judged as any stack file is."""
    platform = read_stack(name).platform
    for word in STEPS.split(","):
        terms = read_terms(word, BASELINE)
        if terms.night and platform.keeps_data:
            with pytest.raises(ConfigError, match=r"night\.stop: "):
                laid_over(platform, terms)
        else:
            laid = laid_over(platform, terms)
            assert (terms.night, terms.nat) == (laid.night.stop is not None, laid.network.nat)


@pytest.mark.parametrize("changes", [{"replicas": 1}, {"replica_of": "arn:aws:rds:eu-west-1:222222222222:db:x"}])
def test_no_night_is_priced_that_rds_refuses(changes: dict[str, Any]) -> None:
    """It stops neither a database with replicas nor a replica."""
    staging = changed("staging", {"database": {"proxy": False, **changes}}).platform
    with pytest.raises(ConfigError, match=r"night\.stop: RDS stops no"):
        laid_over(staging, read_terms("night=true", BASELINE))


def test_each_step_alone_and_all_together_stand_against_one_baseline() -> None:
    """Together they never bring less than the best of them, nor more than their sum."""
    found = compare(months("prod"), STEPS)
    assert STEPS.split(",") == [*(each.name for each in found.steps), *(each.name for each in found.refused)]
    assert max(each.saved for each in found.steps) <= found.together.saved + 1e-9
    assert found.reached == (found.together.saved >= 0.5)
    assert found.together.saved <= found.touched <= 1


def test_the_command_says_whether_half_is_reached() -> None:
    """In words, and in JSON for machines."""
    call = ["cost", "prod", "--what-if", STEPS]
    assert "50% less is" in CliRunner().invoke(command, call).stdout
    (found,) = json.loads(CliRunner().invoke(command, [*call, "--json"]).stdout)["what_if"]
    assert "prod" == found["stack"]


def test_a_savings_plan_is_advised_only_for_nodes_that_run_without_requests() -> None:
    """For less of each hour than they cost on demand, and only where they run for enough of the hours."""
    found = advise(months("prod"))
    assert ["1y", "3y"] == [each.plan for each in found]
    idle = [each for each in months("prod").under(months("prod").planned).lines if "on-demand" in each.sku]
    for each in found:
        assert 0 < each.commit_usd_hour * HOURS < sum(line.usd for line in idle)
        assert each.worth == (each.runs > each.breaks_even)


def test_x86_nodes_cost_more_than_graviton_and_spot_less_than_on_demand() -> None:
    """The book says so today; a fresh one that says otherwise is news."""
    prod = months("prod")
    assert prod.under(read_terms("graviton=true", BASELINE)).usd < prod.under(BASELINE).usd
    assert prod.under(read_terms("spot=1", BASELINE)).usd < prod.under(read_terms("spot=0.5", BASELINE)).usd


def test_nodes_of_the_application_are_priced_as_its_image_is_built(tmp_path: Path) -> None:
    """Its values pin it to x86, whatever Karpenter may take; the managed group is Graviton."""
    prod = months("prod")
    found = {each.what.split()[1] for each in prod.under(prod.planned).lines if "linux" in each.sku}
    assert {"m7g.large", "m7i.large"} == found
    values, x86 = tmp_path / "values.yaml", changed("prod", {"cluster": {"nodes": {"architectures": ["amd64"]}}})
    values.write_text("nodeSelector: {}\n")
    assert (False, True, False) == (
        pool_arm(prod.platform),
        pool_arm(prod.platform, values),
        pool_arm(x86.platform, values),
    )


def usd(stack: Months, words: str, part: str, component: str = "") -> float:
    """Of the month as the stack file has it, with some words laid over."""
    lines = stack.under(read_terms(words, stack.planned)).lines
    return sum(each.usd for each in lines if part in each.sku and component in (each.component, ""))


def test_a_night_stops_what_the_program_stops_and_nothing_else() -> None:
    """65 of the 168 hours of a week, from 7 to 20 on workdays, for the database and the managed nodes.

    Karpenter's nodes, the proxy, the cache and every disk of data are paid for day and night.
    """
    dev = changed("dev", {"database": {"proxy": True}, "cluster": {"nodes": {"spot_percent": 50}}})
    awake, asleep = dev.under(read_terms("night=false", dev.planned)), dev.under(dev.planned)
    less = {was.sku + was.resource for was, now in zip(awake.lines, asleep.lines, strict=True) if was.usd != now.usd}
    assert {
        "RDS: PostgreSQL db.t4g.medium single-AZprimetrade-dev-database",
        "EC2: t4g.medium linux on-demandprimetrade-dev-nodes",
        "EBS: gp3 volumeprimetrade-dev-nodes",
    } == less
    for part, component in (("RDS: PostgreSQL", ""), ("t4g.medium linux", "")):
        assert usd(dev, "night=true", part, component) == pytest.approx(
            usd(dev, "night=false", part, component) * 65 / 168
        )


def test_the_night_in_a_stack_file_is_the_one_that_is_priced() -> None:
    """Its hours, not those that `night=true` stands for elsewhere."""
    short = changed("dev", {"night": {"stop": "12:00"}})
    assert usd(short, "night=true", "RDS: PostgreSQL") == pytest.approx(
        usd(short, "night=false", "RDS: PostgreSQL") * 25 / 168
    )


@pytest.mark.parametrize(
    ("words", "part", "discount"),
    [
        ("savings-plan=1y", "t4g.medium linux", "Compute Savings Plan 1y no upfront"),
        ("savings-plan=3y", "t4g.medium linux", "Compute Savings Plan 3y no upfront"),
        ("reserved=1y", "RDS: PostgreSQL", "Reserved Instance 1y no upfront"),
    ],
)
def test_a_commitment_is_due_in_every_hour_or_is_not_made(words: str, part: str, discount: str) -> None:
    """What sleeps most of the week is cheaper on demand; what sleeps little pays the whole commitment."""
    off = months("dev").book.discount(discount).usd
    for stop in ("20:00", "23:59"):
        some = changed("dev", {"night": {"stop": stop, "start": "00:00"}})
        whole = usd(some, "night=false", part)
        used = usd(some, "night=true", part)
        committed = usd(some, f"night=true,{words}", part)
        assert committed == pytest.approx(min(used, whole * (1 - off)))
        assert committed <= used
    assert usd(months("dev"), words, part) == usd(months("dev"), "night=true", part)


def test_no_savings_plan_is_advised_for_what_sleeps() -> None:
    """It runs for fewer hours than a commitment needs to pay: of development's nodes only Prometheus's does not."""
    dev = months("dev")
    (node,) = [each for each in dev.under(dev.planned).lines if each.what == "1 m7i.large on demand"]
    for each in advise(dev):
        assert each.commit_usd_hour == pytest.approx(node.usd_each * each.breaks_even)
        asleep = msgspec.structs.replace(each, saves_usd_month=-1, runs=65 / 168)
        assert "none; the nodes of dev run 39% of the hours" in advice_words(asleep, "dev")


def test_of_nodes_some_of_which_sleep_the_others_are_committed_to() -> None:
    """Karpenter's half on demand runs all week; what is saved is what the terms themselves would save."""
    some = changed("dev", {"cluster": {"nodes": {"spot_percent": 50}}})
    for each in advise(some):
        assert (each.worth, each.runs) == (True, 1)
        plan = f"savings-plan={each.plan}"
        saved = usd(some, "savings-plan=none", "linux on-demand") - usd(some, plan, "linux on-demand")
        assert each.saves_usd_month == pytest.approx(saved)


def test_each_further_change_is_planned_judged_and_counted_on_top_of_the_others() -> None:
    """No row costs more than the one before it; the last is what its stack file would cost, priced alone."""
    found, base = further(months("prod")), months("prod").under(BASELINE).usd
    assert [each.name for each in CHANGES] == [each.change.name for each in found]
    usd = [compare(months("prod"), STEPS).together.usd, *(each.usd for each in found)]
    assert usd == sorted(usd, reverse=True)
    assert [each.saved for each in found] == [pytest.approx(1 - each.usd / base) for each in found]
    laid = months("prod").changed({name: keys for each in CHANGES for name, keys in each.keys.items()})
    words = STEPS.removesuffix(",night=true") + "," + ",".join(each.terms for each in CHANGES if each.terms)
    assert found[-1].usd == pytest.approx(laid.under(read_terms(words, BASELINE)).usd)
    assert all({*each.broken} <= {rule.name for rule in RULES} for each in found)


def test_keys_that_a_stack_must_not_have_are_no_change() -> None:
    """As its own file would be refused."""
    with pytest.raises(ConfigError, match=r"database\.multi_az: false is not for prod"):
        months("prod").changed({"database": {"multi_az": False}})


def test_without_endpoints_their_traffic_goes_through_nat() -> None:
    """It is not free of a sudden."""

    def gb(stack: Months, sku: str) -> float:
        return sum(each.quantity for each in stack.under(stack.planned).lines if each.sku.startswith(f"VPC: {sku}"))

    prod = months("prod")
    bare = prod.changed({"network": {"endpoints": []}})
    assert gb(bare, "NAT gateway data") == gb(prod, "NAT gateway data") + gb(prod, "interface endpoint data")
