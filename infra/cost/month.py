"""The month of a stack under any terms: plans it where the terms change the plan."""

from __future__ import annotations

from functools import cache
from typing import Final

import msgspec
from msgspec import structs

from infra.components.night import WEEK_HOURS, hours_on
from infra.config.platform import Platform
from infra.cost.book import Book, read_book
from infra.cost.charge import Basis, Terms
from infra.cost.estimate import Estimate, estimate
from infra.cost.terms import planned, with_nat
from infra.cost.usage import Usage, UsageFile, read_file, usage_of
from infra.plan.graph import Graph
from infra.plan.run import plan_platform
from infra.stackfile import StackFile

STOP: Final = "20:00"  # what `night=true` means where the stack file says nothing


class Months:
    """Estimates of one stack."""

    def __init__(self, stack: str, file: StackFile, *, uses: UsageFile | None = None, book: Book | None = None) -> None:
        self.stack, self.platform = stack, file.platform
        self.uses, self.book = uses or read_file(), book or read_book()
        self.usage = usage_of(stack, self.uses)
        self.planned = planned(file.platform)
        self._secrets = file.wanted_secrets

    def under(self, terms: Terms, usage: Usage | None = None) -> Estimate:
        """The month under these terms. Raises ConfigError for terms that the environment must not have."""
        platform = with_nat(self.platform, terms)
        return estimate(
            Basis(
                graph=_plan(self.stack, msgspec.json.encode(platform), self._secrets),
                usage=usage or self.usage,
                logs=self.uses.logs,
                buckets=self.uses.buckets,
                terms=terms,
                region=platform.region,
                awake=self.awake(terms),
            ),
            self.book,
        )

    def awake(self, terms: Terms) -> float:
        """Of all hours, those in which machines that can stop run; production never sleeps."""
        if not terms.night or self.platform.keeps_data:
            return 1.0
        night = self.platform.night
        return hours_on(night if night.stop else structs.replace(night, stop=STOP)) / WEEK_HOURS


@cache  # each comparison asks for the same two or three plans again and again
def _plan(stack: str, platform: bytes, secrets: tuple[str, ...]) -> Graph:
    return plan_platform(msgspec.json.decode(platform, type=Platform), stack, secrets=secrets)
