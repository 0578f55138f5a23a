"""Asks AWS for the prices of the book's rows: list prices from its Price List API, spot prices from EC2's history."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from statistics import median
from typing import Annotated, Final, NamedTuple, Protocol

import msgspec

from infra.cost.book import Price, stamped
from infra.cost.offers import question

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
    asked = question(price)
    if asked is None:
        return Answer(price, price, "nobody has said how to ask")
    products = [msgspec.json.decode(text, type=_Product) for text in market.products(asked.code, asked.also)]
    found = {usd for product in products for usd in _first_tier(product)}
    if len(found) != 1:
        return Answer(price, price, f"{len(found)} prices found for {asked.also}")
    published = max(product.published for product in products).date()
    return Answer(price, stamped(price, found.pop(), published, LIST))


def _first_tier(product: _Product) -> Iterator[float]:
    """Dollars above 0 of what is sold on demand, from the first unit on."""
    for term in product.terms.on_demand.values():
        for dimension in term.dimensions.values():
            usd = float(dimension.prices.get("USD", "0"))
            if usd > 0 and float(dimension.begin) == 0:
                yield usd
