"""Waivers: findings that somebody answers for until a day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from infra.config.base import Strict
from infra.policy.rule import Finding
from infra.policy.rules import RULES
from slo import yamlfile

FILE: Final = Path(__file__).with_name("waivers.yaml")
Text = Annotated[str, Meta(min_length=1, max_length=500)]


class Waiver(Strict, frozen=True):
    """One rule for one resource of one stack."""

    stack: Text
    rule: Text
    resource: Text
    owner: Text
    reason: Text
    until: date

    def __post_init__(self) -> None:
        if self.rule not in (names := [rule.name for rule in RULES]):
            raise ValueError(f"rule: there is no {self.rule}; one of {', '.join(names)} is expected")


class Waivers(Strict, frozen=True):
    """The whole file."""

    version: Literal[1]
    waivers: tuple[Waiver, ...]


class Judged(msgspec.Struct, frozen=True):
    """Findings that stand, those that are waived, and waivers that have ended or waive nothing."""

    findings: tuple[Finding, ...]
    waived: tuple[Finding, ...]
    stale: tuple[Waiver, ...]


def read_waivers(path: Path = FILE) -> tuple[Waiver, ...]:
    """The waivers of a file. Raises YamlFileError with file, line and key."""
    return yamlfile.load(path, Waivers).waivers


def waive(findings: Sequence[Finding], waivers: Sequence[Waiver], stack: str, today: date) -> Judged:
    """Part the findings of a stack by its waivers as they stand on a day."""
    ours = [waiver for waiver in waivers if waiver.stack == stack]
    live = {(waiver.rule, waiver.resource): waiver for waiver in ours if today < waiver.until}
    waived = tuple(each for each in findings if (each.rule, each.resource) in live)
    used = {(each.rule, each.resource) for each in waived}
    return Judged(
        findings=tuple(each for each in findings if each not in waived),
        waived=waived,
        stale=tuple(each for each in ours if (each.rule, each.resource) not in used),
    )
