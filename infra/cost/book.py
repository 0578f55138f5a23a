"""The price book, `prices.csv`: list prices in US dollars without tax, each with its source, date and confidence.

Free tiers are not applied. `primetrade infra prices refresh` writes it anew from AWS's own price list.
"""

from __future__ import annotations

import csv
from datetime import date
from enum import StrEnum
from io import StringIO
from pathlib import Path
from typing import Final

import msgspec

from infra.errors import InfraError

FILE: Final = Path(__file__).with_name("prices.csv")
# Where a service has no price for a region it has one for a larger part of the world.
WIDER: Final = {"us-east-1": ("united-states", "global", "all"), "eu-west-1": ("europe", "global", "all")}


class BookError(InfraError):
    """A price book that cannot be used."""


class Confidence(StrEnum):
    """How far a price can be believed, best first."""

    VERIFIED = "verified"  # AWS's own machine-readable prices, of 2024 or later
    SECONDARY = "secondary"  # republished, inferred, undated, or of 2023
    UNVERIFIED = "unverified"  # general knowledge, or derived; replace these first


class Price(msgspec.Struct, frozen=True):
    """One row."""

    service: str
    sku: str
    region: str
    unit: str
    usd: float
    source: str
    source_date: str
    confidence: Confidence

    def less(self, discount: Price) -> Price:
        """This price after a discount (a fraction), believed no more than the weaker of the two."""
        order = list(Confidence)
        return msgspec.structs.replace(
            self,
            usd=self.usd * (1 - discount.usd),
            sku=f"{self.sku}, less {discount.sku}",
            source=f"{self.source}; {discount.source}",
            confidence=max(self.confidence, discount.confidence, key=order.index),
        )


COLUMNS: Final = Price.__struct_fields__


class Book:
    """Prices by service, name and region."""

    def __init__(self, prices: tuple[Price, ...]) -> None:
        self.prices = prices
        self._of: dict[tuple[str, str, str], Price] = {}
        for each in prices:
            key = (each.service, each.sku, each.region)
            if key in self._of:
                raise BookError(f"{', '.join(key)}: is there twice; keep one row")
            self._of[key] = each

    def find(self, service: str, sku: str, region: str) -> Price | None:
        """The price in a region, or in the part of the world it lies in; None where there is none."""
        places = (region, *WIDER.get(region, ()))
        return next((found for place in places if (found := self._of.get((service, sku, place)))), None)

    def discount(self, commitment: str) -> Price:
        """What a commitment takes off, as a fraction, in any region. Raises BookError for one that is not there."""
        sku = f"typical discount, {commitment}"
        found = next((each for each in self.prices if each.sku == sku), None)
        if found is None:
            raise BookError(f"{FILE}: has no row {sku!r}; add one with its source")
        return found

    def oldest(self) -> str:
        """The earliest date of any dated row, as ISO writes it."""
        return min(each.source_date for each in self.prices if each.source_date[:2].isdigit())


def read_book(path: Path = FILE) -> Book:
    """Read a price book. Raises BookError with file, line and column of the first row that is refused."""
    with path.open(newline="") as text:
        rows = csv.DictReader(text)
        if tuple(rows.fieldnames or ()) != COLUMNS:
            raise BookError(f"{path}:1: has the columns {rows.fieldnames}; {', '.join(COLUMNS)} are expected")
        return Book(tuple(_price(row, f"{path}:{number}") for number, row in enumerate(rows, start=2)))


def _price(row: dict[str, str], where: str) -> Price:
    try:
        price = msgspec.convert(row, Price, strict=False)
    except msgspec.ValidationError as exc:
        raise BookError(f"{where}: {exc}; write a row as its neighbours are") from exc
    if not price.usd > 0:
        raise BookError(f"{where}: usd is {price.usd:g}; a price is above 0, what is free stands in infra/cost/free.py")
    if not price.source:
        raise BookError(f"{where}: source is empty; say where the price is from")
    return price


def to_csv(prices: tuple[Price, ...]) -> str:
    """The text of a price book, sorted by service, name and region."""
    text = StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMNS)
    for each in sorted(prices, key=lambda price: (price.service, price.sku, price.region)):
        usd = f"{each.usd:.10f}".rstrip("0").rstrip(".")
        rows.writerow(usd if name == "usd" else str(getattr(each, name)) for name in COLUMNS)
    return text.getvalue()


def stamped(price: Price, usd: float, published: date, source: str) -> Price:
    """The same row with what AWS itself says."""
    return msgspec.structs.replace(
        price, usd=usd, source=source, source_date=published.isoformat(), confidence=Confidence.VERIFIED
    )
