"""Asks AWS for the prices of the book's rows: list prices from its Price List API, spot prices from EC2's history."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from statistics import median
from typing import Annotated, Final, NamedTuple, Protocol

import msgspec

from infra.cost.book import Price, stamped
from infra.cost.offers import Question, questions

FAR: Final = 3  # times dearer or cheaper than before is no new price but another unit, or another thing
SPOT: Final = re.compile(r"(\S+) linux spot \(median over zones\)")
LIST: Final = "AWS Price List API"
HISTORY: Final = "EC2 DescribeSpotPriceHistory"


class Market(Protocol):
    """What AWS is asked. infra/ops has the real one."""

    def products(self, code: str, filters: dict[str, str]) -> Iterable[str]:
        """The JSON texts of GetProducts that fit every filter."""

    def spot_prices(self, instance: str, region: str) -> Iterable[str]:
        """The latest price of each zone, as EC2 writes it: "0.0272"."""


class _Dimension(msgspec.Struct):
    prices: Annotated[dict[str, str], msgspec.Meta(description="By currency.")] = msgspec.field(name="pricePerUnit")
    begin: str = msgspec.field(name="beginRange", default="0")


class _Term(msgspec.Struct):
    dimensions: dict[str, _Dimension] = msgspec.field(name="priceDimensions")


class _Terms(msgspec.Struct):
    on_demand: dict[str, _Term] = msgspec.field(name="OnDemand", default={})


class _Product(msgspec.Struct):
    """What is read of a product; the rest is passed over."""

    terms: _Terms
    published: datetime = msgspec.field(name="publicationDate")


class Answer(NamedTuple):
    """A row, what AWS says of it, and why it was kept where that is nothing."""

    before: Price
    after: Price
    kept: str = ""  # "" if AWS said one price


def refresh(prices: Iterable[Price], market: Market, today: date) -> Iterator[Answer]:
    """An answer for each row. A row that AWS gives no price, or more than one, keeps what it has, confidence too."""
    for price in prices:
        if spot := SPOT.fullmatch(price.sku):
            found = [float(each) for each in market.spot_prices(spot[1], price.region)]
            after = stamped(price, median(found), today, HISTORY) if found else price
            yield Answer(price, after, "" if found else "no zone has a spot price")
        else:
            yield _listed(price, market)


def _listed(price: Price, market: Market) -> Answer:
    asked = questions(price)
    if not asked:
        return Answer(price, price, "nobody has said how to ask")
    each, products = _first_answered(asked, market)
    found = {usd * each.times for product in products for usd in _first_tier(product)}
    if len(found) != 1:
        return Answer(price, price, f"{len(found)} prices found for {each.code} {each.filters}")
    usd = found.pop()
    if not price.usd / FAR < usd < price.usd * FAR:
        return Answer(price, price, f"{usd:g} is far from {price.usd:g}: look whether it is the same thing and unit")
    published = max(product.published for product in products).date()
    return Answer(price, stamped(price, usd, published, LIST))


def _first_answered(asked: list[Question], market: Market) -> tuple[Question, list[_Product]]:
    """The first question under which something is sold, and what; the last where nothing is under any."""
    for each in asked:
        if products := [msgspec.json.decode(text, type=_Product) for text in market.products(each.code, each.filters)]:
            return each, products
    return asked[-1], []


def _first_tier(product: _Product) -> Iterator[float]:
    """Dollars of what is sold on demand: the first tier that is not free, where all before it are."""
    for term in product.terms.on_demand.values():
        tiers = sorted((float(each.begin), float(each.prices.get("USD", "0"))) for each in term.dimensions.values())
        paid = [usd for _, usd in tiers if usd > 0]
        if paid and tiers[0][0] == 0:
            yield paid[0]
