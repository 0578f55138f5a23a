"""Steps below the baseline, and advice on commitments."""

from __future__ import annotations

import json
from functools import cache

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from infra.cost.advice import advise
from infra.cost.charge import Terms
from infra.cost.month import Months
from infra.cost.report import advice_words
from infra.cost.terms import BASELINE, STEPS, read_terms
from infra.cost.usage import HOURS
from infra.cost.what_if import compare
from infra.errors import ConfigError
from infra.stackfile import read_stack
from scripts.commands.infra import command
from scripts.exits import Exit


@cache
def months(stack: str) -> Months:
    return Months(stack, read_stack(stack))


TERMS = st.builds(
    Terms,
    spot=st.floats(0, 1),
    graviton=st.booleans(),
    savings_plan=st.sampled_from(["none", "1y", "3y"]),
    reserved=st.sampled_from(["none", "1y"]),
    elastic=st.booleans(),
    nat=st.sampled_from(["planned", "regional", "per-zone", "none"]),
    night=st.booleans(),
)


@given(terms=TERMS)
def test_no_terms_make_a_component_appear_or_cost_more_than_the_baseline(terms: Terms) -> None:
    """They change how the same things are bought."""
    baseline, found = months("prod").under(BASELINE), months("prod").under(terms)
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


def test_prod_is_not_compared_with_what_it_must_not_be() -> None:
    """One NAT gateway for three zones is refused there, whatever it saves."""
    done = CliRunner().invoke(command, ["cost", "prod", "--what-if", "nat=single"])
    assert Exit.USAGE == done.exit_code
    assert "nat=single" in done.stderr


def test_each_step_alone_and_all_together_stand_against_one_baseline() -> None:
    """Together they never bring less than the best of them, nor more than their sum."""
    found = compare(months("prod"), STEPS)
    assert STEPS.split(",") == [each.name for each in found.steps]
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


def test_a_night_stops_machines_and_not_storage_and_never_production() -> None:
    """65 of the 168 hours of a week, from 7 to 20 on workdays."""

    def usd(stack: str, night: str, part: str) -> float:
        found = months(stack).under(read_terms(f"night={night}", months(stack).planned)).lines
        return sum(each.usd for each in found if part in each.sku)

    for part in ("RDS: PostgreSQL", "linux"):
        assert usd("dev", "true", part) == pytest.approx(usd("dev", "false", part) * 65 / 168)
        assert usd("prod", "true", part) == usd("prod", "false", part) > 0
    assert usd("dev", "true", "gp3 storage") == usd("dev", "false", "gp3 storage") > 0


def test_no_savings_plan_is_advised_for_what_sleeps() -> None:
    """It runs for fewer hours than a commitment needs to pay."""
    assert [False, False] == [each.worth for each in advise(months("dev"))]
    assert "none; the nodes of dev run 39% of the hours" in advice_words(advise(months("dev"))[0], "dev")
