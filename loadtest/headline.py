"""The verdict in one or two sentences."""

from __future__ import annotations

from collections.abc import Sequence

from loadtest import units
from loadtest.result import Result
from slo.objective import Judgement, Outcome

NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def headline(result: Result) -> str:
    """What a person would say of the run; `result.headline` itself is not read."""
    if not result.valid:
        broken = "; ".join(f"{g.name}: {g.found} (allowed: {g.allowed})" for g in result.guards if not g.ok)
        return f"This run proves nothing about the system, because the generator cannot be believed: {broken}."
    return " ".join(filter(None, (_targets(result), _routes(result))))


def _targets(result: Result) -> str:
    judged = result.judgements
    wrong = [j for j in judged if j.outcome is not Outcome.PASS]
    if not judged:
        return f"No target is judged by a load run: {_numbers(result)}."
    if not wrong:
        all_of = "The one target is met" if len(judged) == 1 else f"All {_number(len(judged))} targets met"
        return f"{all_of}: {_numbers(result)}."
    missed = [j for j in wrong if j.outcome is Outcome.FAIL]
    unsettled = [j for j in wrong if j.outcome is not Outcome.FAIL]
    parts = [
        f"{_number(len(some)).capitalize()} of {_number(len(judged))} targets {word}: {words(some)}."
        for some, word, words in ((missed, "missed", _missed), (unsettled, "not settled", _unsettled))
        if some
    ]
    return " ".join([*parts, f"{_numbers(result)}."])


def _routes(result: Result) -> str:
    missed = [r.judgement for r in result.routes if r.judgement and r.judgement.outcome is Outcome.FAIL]
    if not missed:
        return ""
    whose = "route missed its own target" if len(missed) == 1 else "routes missed their own targets"
    return f"{_number(len(missed)).capitalize()} {whose}: {_missed(missed)}."


def _numbers(result: Result) -> str:
    """Such as: 61,204 requests at 1,020/s, 95 % under 12 ms, none failed."""
    failed = units.count(result.failed) if result.failed else "none"
    rate = units.per_second(result.achieved_rps)
    return f"{units.count(result.requests)} requests at {rate}, 95 % under {units.ms(result.p95_ms)}, {failed} failed"


def _missed(judgements: Sequence[Judgement]) -> str:
    """Each target with what was found; its bounds stand in the table below."""
    return "; ".join(f"{j.says} ({found(j).partition(';')[0]})" for j in judgements)


def _unsettled(judgements: Sequence[Judgement]) -> str:
    """The targets with what would settle them, once."""
    reasons = dict.fromkeys(found(j).rpartition("; ")[2] for j in judgements)
    return f"{'; '.join(j.says for j in judgements)} ({'; '.join(reasons)})"


def found(judgement: Judgement) -> str:
    """A judgement's words without the outcome at their end, for places that show the outcome beside them."""
    return judgement.words.removesuffix(f": {judgement.outcome}")


def _number(count: int) -> str:
    return NUMBERS[count] if count < len(NUMBERS) else units.count(count)
