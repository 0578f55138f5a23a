"""The verdict and the outcomes in words and symbols, so that no reader depends on colour."""

from __future__ import annotations

import msgspec

from loadtest.result import Result
from slo.objective import Outcome


class Word(msgspec.Struct, frozen=True):
    """An outcome as it is shown: `kind` is the class that colours it."""

    symbol: str
    word: str
    kind: str


OUTCOMES = {
    Outcome.PASS: Word("✓", "met", "pass"),
    Outcome.FAIL: Word("✕", "missed", "fail"),
    Outcome.INCONCLUSIVE: Word("?", "not settled", "inconclusive"),
    Outcome.ERROR: Word("!", "no verdict", "error"),
}
VERDICTS = {
    Outcome.PASS: Word("✓", "Passed", "pass"),
    Outcome.FAIL: Word("✕", "Failed", "fail"),
    Outcome.INCONCLUSIVE: Word("?", "Inconclusive", "inconclusive"),
    Outcome.ERROR: Word("!", "No verdict", "error"),
}
INVALID = Word("!", "Invalid run", "error")
VOID = Word("\N{EN DASH}", "void", "void")


def verdict(result: Result) -> Word:
    """The one word on top: an invalid run proves nothing, whatever its numbers look like."""
    return VERDICTS[result.outcome] if result.valid else INVALID


def badge(result: Result, outcome: Outcome) -> Word:
    """The outcome of one judgement: void in an invalid run, where a green tick would be quoted alone."""
    return OUTCOMES[outcome] if result.valid else VOID
