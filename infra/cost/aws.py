"""AWS as a market. Its Price List API lives in one region and answers for all; spot prices come from each."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from boto3.session import Session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from infra.cost.book import BookError

HOME: Final = "us-east-1"  # of the Price List API
LIMITS: Final = Config(connect_timeout=5, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 6})


class Aws:
    """By boto3 with the shell's credentials. Raises BookError for whatever AWS refuses."""

    def __init__(self, session: Session | None = None) -> None:
        self._session = session or Session()

    def products(self, code: str, filters: dict[str, str]) -> Iterator[str]:
        """As Market says, page by page."""
        wanted = [{"Type": "TERM_MATCH", "Field": key, "Value": value} for key, value in filters.items()]
        try:
            client = self._session.client("pricing", region_name=HOME, config=LIMITS)
            for page in client.get_paginator("get_products").paginate(ServiceCode=code, Filters=wanted):
                yield from page["PriceList"]
        except (BotoCoreError, ClientError) as exc:
            raise BookError(f"asking for {code} {filters}: {exc}") from exc

    def spot_prices(self, instance: str, region: str) -> Iterator[str]:
        """As Market says."""
        try:
            client = self._session.client("ec2", region_name=region, config=LIMITS)
            history = client.describe_spot_price_history(
                Filters=[{"Name": "instance-type", "Values": [instance]}],
                ProductDescriptions=["Linux/UNIX"],
                StartTime=datetime.now(UTC),
            )
        except (BotoCoreError, ClientError) as exc:
            raise BookError(f"asking for spot prices of {instance} in {region}: {exc}") from exc
        yield from (each["SpotPrice"] for each in history["SpotPriceHistory"])
