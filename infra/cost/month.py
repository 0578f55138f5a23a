"""The month of a stack under any terms: plans it where the terms change the plan."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import msgspec
from msgspec import structs

from infra.components.night import WEEK_HOURS, hours_on
from infra.config.platform import Platform
from infra.cost.book import Book, read_book
from infra.cost.charge import Basis, Terms
from infra.cost.estimate import Estimate, estimate
from infra.cost.terms import laid_over, planned, pool_arm
from infra.cost.usage import Usage, UsageFile, read_file, usage_of
from infra.errors import ConfigError
from infra.plan.graph import Graph
from infra.plan.run import plan_platform
from infra.stackfile import StackFile


class Months:
    """Estimates of one stack."""

    def __init__(self, stack: str, file: StackFile, *, uses: UsageFile | None = None, book: Book | None = None) -> None:
        self.stack, self.file, self.platform = stack, file, file.platform
        self.uses, self.book = uses or read_file(), book or read_book()
        self.usage = usage_of(stack, self.uses)
        self.planned = planned(file.platform)

    def changed(self, sections: Mapping[str, Mapping[str, object] | None]) -> Months:
        """The same stack with keys laid over its file; None leaves a section out. Raises ConfigError."""
        whole = msgspec.to_builtins(self.platform)
        for name, keys in sections.items():
            whole[name] = None if keys is None else {**(whole[name] or {}), **keys}
        try:
            platform = msgspec.convert(whole, Platform)
        except msgspec.ValidationError as exc:
            raise ConfigError(str(exc)) from exc
        config = structs.replace(self.file.config, platform=platform)
        return Months(self.stack, structs.replace(self.file, config=config), uses=self.uses, book=self.book)

    def graph(self, terms: Terms) -> Graph:
        """The plan under these terms. Raises ConfigError for terms that the environment must not have."""
        return self._graph(laid_over(self.platform, terms))

    def _graph(self, platform: Platform) -> Graph:
        return _plan(self.stack, msgspec.json.encode(platform), self.file.wanted_secrets)

    def under(self, terms: Terms, usage: Usage | None = None) -> Estimate:
        """The month under these terms. Raises ConfigError for terms that the environment must not have."""
        platform = laid_over(self.platform, terms)
        return estimate(
            Basis(
                graph=self._graph(platform),
                usage=usage or self.usage,
                logs=self.uses.logs,
                buckets=self.uses.buckets,
                terms=terms,
                region=platform.region,
                pool_arm=pool_arm(platform),
                awake=hours_on(platform.night) / WEEK_HOURS,
            ),
            self.book,
        )


@cache  # each comparison asks for the same two or three plans again and again
def _plan(stack: str, platform: bytes, secrets: tuple[str, ...]) -> Graph:
    return plan_platform(msgspec.json.decode(platform, type=Platform), stack, secrets=secrets)
