"""The price book, and what AWS's answers make of it. The answers are handmade in the form that AWS documents."""

from __future__ import annotations

import re
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
from infra.cost.offers import OFFERS, questions
from infra.cost.refresh import refresh
from scripts.commands import infra_cost
from scripts.commands.infra import command
from scripts.exits import Exit
from tests.infra.price_list import EAST, ROWS, WEST, PriceList, product

TODAY = date(2026, 11, 30)
NAT = next(each for each in read_book().prices if each.sku == "NAT gateway" and each.region == "eu-west-1")
SPOT = next(each for each in read_book().prices if each.sku.startswith("m7g.large linux spot"))


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


def test_what_comes_after_a_free_tier_is_the_price() -> None:
    """The book has no free tiers; a tier after a paid one is not looked at."""
    (answer,) = refresh([NAT], Shop([product("0.0000000000", "0.0490000000")]), TODAY)
    assert (0.049, "") == (answer.after.usd, answer.kept)


def test_a_price_far_from_the_last_one_is_looked_at_first() -> None:
    """It is of another unit, or of another thing."""
    for usd in ("0.000005", "4.8"):
        (answer,) = refresh([NAT], Shop([product(usd)]), TODAY)
        assert NAT == answer.after
        assert "far from 0.048" in answer.kept


def test_usage_types_that_begin_otherwise_are_asked_for_too() -> None:
    """AWS has several prefixes for one region; the first under which something is sold counts."""
    shop = Shop([])
    (answer,) = refresh([NAT], shop, TODAY)
    asked = [filters["usagetype"] for _, filters in shop.asked]
    assert ["EU-NatGateway-Hours", "EUW1-NatGateway-Hours", "eu-west-1-NatGateway-Hours"] == asked
    assert "0 prices found" in answer.kept


def test_all_of_the_book_but_discounts_and_serverless_valkey_can_be_asked_for() -> None:
    """Each row by one pattern; the others say so when asked."""
    prices = read_book().prices
    left = {each.sku for each in prices if not questions(each) and "spot" not in each.sku}
    assert {
        "Auto Mode surcharge as share of EC2 on-demand",
        "Valkey serverless data stored",
        "Valkey serverless requests",
    } == {sku for sku in left if "typical discount" not in sku}
    for each in prices:
        fits = [pattern for pattern, _ in OFFERS.get(each.service, ()) if re.fullmatch(pattern, each.sku)]
        assert len(fits) == bool(questions(each)), each


def test_every_question_finds_its_own_price_in_a_list_like_that_of_aws() -> None:
    """Production's dearest among them: requests and answers of CloudFront and its firewall, storage, endpoints.

    Every row of the list that is sold under the name of a row of the book says what the book says, in its unit.
    """
    answers = [each for each in refresh(read_book().prices, PriceList(), TODAY) if not each.kept]
    for answer in answers:
        assert answer.after.usd == pytest.approx(answer.before.usd), answer
    found = {(each.before.service, each.before.sku, each.before.region) for each in answers}
    assert {
        ("CloudFront", "HTTPS requests", "united-states"),
        ("CloudFront", "HTTPS requests", "europe"),
        ("CloudFront", "data out, first 10 TB", "united-states"),
        ("WAF", "requests (up to 1500 WCU)", EAST),
        ("WAF", "requests (up to 1500 WCU)", WEST),
        ("WAF", "rule", EAST),
        ("ELB", "Application Load Balancer", EAST),
        ("S3", "Standard PUT, COPY, POST or LIST", EAST),
        ("S3", "Standard storage first 50 TB", WEST),
        ("VPC", "interface endpoint per zone", EAST),
        ("CloudWatch", "dashboard", WEST),
        ("Lambda", "requests", EAST),
        ("DynamoDB", "standard table storage", EAST),
        ("Data transfer", "to other regions", EAST),
        ("Route 53", "health check, AWS endpoint", "global"),
    } <= found
    assert len(answers) >= 45


@pytest.mark.parametrize(
    ("code", "usagetype"),
    [
        ("awswaf", "USE1-ShieldProtected-WebACLV2"),
        ("AWSELB", "Outposts-LCUUsage"),
        ("AmazonS3", "TimedStorage-SIA-ByteHrs"),
        ("AmazonRoute53", "USE1-DNS-Queries"),
        ("AWSQueueService", "Requests-FIFO-RBP"),
        ("AmazonCloudFront", "Global-DataTransfer-Out-Bytes"),
    ],
)
def test_what_only_looks_like_it_is_not_asked_for(code: str, usagetype: str) -> None:
    """It is in the list, and no question of any row is about it."""
    assert any((code, usagetype) == (row[0], row[2]["usagetype"]) for row in ROWS)
    asked = [each for price in read_book().prices for each in questions(price)]
    assert not any((code, usagetype) == (each.code, each.filters.get("usagetype")) for each in asked)
    assert not any("regionCode" in each.filters for each in asked if each.code == "AmazonCloudFront")


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
