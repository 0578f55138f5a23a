"""The price book, and what AWS's answers make of it. The answers are handmade in the form that AWS documents."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path

import pytest
from boto3.session import Session
from botocore.stub import Stubber
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from infra.cost import book as books
from infra.cost.aws import Aws
from infra.cost.book import Book, BookError, Confidence, Price, read_book, to_csv
from infra.cost.offers import question
from infra.cost.refresh import refresh
from scripts.commands import infra_cost
from scripts.commands.infra import command
from scripts.exits import Exit

TODAY = date(2026, 11, 30)
NAT = next(each for each in read_book().prices if each.sku == "NAT gateway" and each.region == "eu-west-1")
SPOT = next(each for each in read_book().prices if each.sku.startswith("m7g.large linux spot"))


def product(*usd: str, begin: str = "0") -> str:
    """A product of GetProducts with a price dimension for each."""
    dimensions = {
        f"D{at}": {"unit": "Hrs", "beginRange": begin, "endRange": "Inf", "pricePerUnit": {"USD": each}}
        for at, each in enumerate(usd)
    }
    return json.dumps(
        {
            "product": {"productFamily": "NAT Gateway", "attributes": {"regionCode": "eu-west-1"}, "sku": "X"},
            "serviceCode": "AmazonEC2",
            "terms": {"OnDemand": {"X.T": {"effectiveDate": "2026-11-01T00:00:00Z", "priceDimensions": dimensions}}},
            "version": "20261120",
            "publicationDate": "2026-11-20T10:00:00Z",
        }
    )


class Shop:
    """A market that answers what it was given, and remembers what it was asked."""

    def __init__(self, products: list[str], spot: tuple[str, ...] = ()) -> None:
        self.answers, self.spot = products, spot
        self.asked: list[tuple[str, dict[str, str]]] = []

    def products(self, code: str, filters: dict[str, str]) -> Iterable[str]:
        self.asked.append((code, filters))
        return self.answers

    def spot_prices(self, instance: str, region: str) -> Iterable[str]:
        return self.spot


def test_one_answer_becomes_the_price_with_its_date() -> None:
    """And the row is verified from then on."""
    shop = Shop([product("0.0490000000")])
    (answer,) = refresh([NAT], shop, TODAY)
    assert [("AmazonEC2", {"usagetype": "EU-NatGateway-Hours", "regionCode": "eu-west-1"})] == shop.asked
    after = answer.after
    assert (0.049, "2026-11-20", Confidence.VERIFIED) == (after.usd, after.source_date, after.confidence)
    assert "" == answer.kept


@pytest.mark.parametrize(
    ("products", "words"),
    [
        ([], "0 prices found"),
        ([product("0.05"), product("0.06")], "2 prices found"),
        ([product("0.0000000000")], "0 prices found"),
        ([product("0.05", begin="51200")], "0 prices found"),
    ],
)
def test_any_other_answer_changes_nothing(products: list[str], words: str) -> None:
    """A wrong filter, a price of nothing and a later tier are no price."""
    (answer,) = refresh([NAT], Shop(products), TODAY)
    assert NAT == answer.after
    assert words in answer.kept


def test_the_same_price_twice_is_one() -> None:
    """AWS lists some things under several operations."""
    (answer,) = refresh([NAT], Shop([product("0.05"), product("0.05")]), TODAY)
    assert 0.05 == answer.after.usd


def test_spot_is_the_median_over_zones_of_today() -> None:
    """A single dear zone does not decide."""
    (answer,) = refresh([SPOT], Shop([], ("0.03", "0.02", "0.09")), TODAY)
    assert (0.03, "2026-11-30") == (answer.after.usd, answer.after.source_date)
    (none,) = refresh([SPOT], Shop([]), TODAY)
    assert SPOT == none.after


def test_half_of_the_book_can_be_asked_for() -> None:
    """The other rows say so when asked; those of machines, the dearest, all can."""
    prices = read_book().prices
    assert sum(question(each) is not None for each in prices) >= 50
    dear = [each for each in prices if each.service == "EC2" and each.sku.endswith("on-demand")]
    assert [] == [each.sku for each in dear if question(each) is None]


def test_the_book_reads_as_it_is_written() -> None:
    """Sorted, so that a refresh changes only what changed."""
    text = books.FILE.read_text()
    assert to_csv(read_book().prices) == text


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("EC2,x,us-east-1,hour,0,page,2026,verified", "usd is 0"),
        ("EC2,x,us-east-1,hour,-1,page,2026,verified", "usd is -1"),
        ("EC2,x,us-east-1,hour,1,,2026,verified", "source is empty"),
        ("EC2,x,us-east-1,hour,1,page,2026,certain", "Invalid enum value"),
        ("EC2,x,us-east-1,hour,one,page,2026,verified", "Expected `float`"),
    ],
)
def test_a_row_that_cannot_be_is_refused_with_its_line(line: str, words: str, tmp_path: Path) -> None:
    """Nothing is priced by a typing error."""
    path = tmp_path / "prices.csv"
    path.write_text(f"{','.join(books.COLUMNS)}\n{line}\n")
    with pytest.raises(BookError, match=rf"prices\.csv:2: .*{words}"):
        read_book(path)


def test_a_row_twice_is_refused() -> None:
    """Two prices for one thing."""
    with pytest.raises(BookError, match="twice"):
        Book((NAT, NAT))


@given(st.floats(0.01, 100), st.floats(0, 0.9), st.sampled_from(Confidence), st.sampled_from(Confidence))
def test_a_discounted_price_is_believed_no_more_than_its_parts(
    usd: float, off: float, one: Confidence, two: Confidence
) -> None:
    """And is never dearer."""
    row = Price("EC2", "x", "us-east-1", "hour", usd, "page", "2026", one)
    cut = Price("EC2 commitment", "plan", "us-east-1", "fraction", off, "page", "2026", two)
    both = row.less(cut)
    order = list(Confidence)
    assert max(order.index(one), order.index(two)) == order.index(both.confidence)
    assert both.usd <= usd


def test_the_verb_shows_changes_and_writes_only_when_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A price that fell is worth a look before it is committed."""
    path = tmp_path / "prices.csv"
    path.write_text(to_csv((NAT, SPOT)))
    monkeypatch.setattr(books, "FILE", path)
    monkeypatch.setattr(infra_cost, "market", lambda: Shop([product("0.05")], ("0.02",)))
    done = CliRunner().invoke(command, ["prices", "refresh"])
    assert Exit.DONE == done.exit_code, done.output
    assert "VPC, NAT gateway, eu-west-1: 0.048 → 0.05" in done.stdout
    assert 0.048 == read_book(path).find("VPC", "NAT gateway", "eu-west-1").usd  # type: ignore[union-attr]
    CliRunner().invoke(command, ["prices", "refresh", "--write"])
    assert 0.05 == read_book(path).find("VPC", "NAT gateway", "eu-west-1").usd  # type: ignore[union-attr]


class Stubbed(Session):
    """A session whose clients say what botocore's own model of the service allows, and never call out."""

    def __init__(self, **answers: Mapping[str, object]) -> None:
        super().__init__(aws_access_key_id="none", aws_secret_access_key="none")
        self.answers = answers

    def client(self, service: str, **options: object) -> object:  # type: ignore[override]
        made = super().client(service, **options)  # type: ignore[call-overload]
        stub = Stubber(made)
        if (answer := self.answers[service]) == {}:
            stub.add_client_error("get_products", "AccessDeniedException")
        else:
            stub.add_response("get_products" if service == "pricing" else "describe_spot_price_history", answer)
        stub.activate()
        return made


def test_the_real_market_speaks_as_botocore_knows_aws() -> None:
    """Requests and answers fit the models of both services."""
    spot = {"SpotPriceHistory": [{"SpotPrice": "0.03", "AvailabilityZone": "us-east-1a"}]}
    market = Aws(Stubbed(pricing={"PriceList": [product("0.05")]}, ec2=spot))
    assert [product("0.05")] == list(market.products("AmazonEC2", {"regionCode": "eu-west-1"}))
    assert ["0.03"] == list(market.spot_prices("m7g.large", "us-east-1"))


def test_what_aws_refuses_is_said_in_one_line() -> None:
    """With what was asked."""
    with pytest.raises(BookError, match=r"asking for AmazonEC2.*AccessDenied"):
        list(Aws(Stubbed(pricing={})).products("AmazonEC2", {}))
