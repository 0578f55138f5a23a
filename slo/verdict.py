"""What counts say of an objective: pass, fail, inconclusive or error, in numbers and in a sentence.

A share fails when even the upper bound of the good share is under the target, passes when the lower bound reaches it,
and is inconclusive between. Bounds are the wider of Clopper-Pearson and the block bootstrap, one-sided, 95 % each way.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import msgspec

from slo.bounds import CONFIDENCE, block_bootstrap, clopper_pearson, wider
from slo.budget import budget_burnt, budget_seconds, burn_rate, requests_needed
from slo.objective import SHARES, Bounds, Judgement, Kind, Objective, Outcome

SURE = f"{100 * CONFIDENCE:g} %"
NO_COUNTS = "no requests were counted, so nothing can be said: error"
Blocks = Sequence[tuple[int, int]]  # (bad, total) of each second


class _Sample(msgspec.Struct, frozen=True):
    """Counts with the bounds of their bad share: for independent requests, and those to judge by."""

    bad: int
    total: int
    exact: Bounds
    bounds: Bounds


def _sample(bad: int, total: int, blocks: Blocks) -> _Sample:
    exact = clopper_pearson(bad, total)
    return _Sample(bad, total, exact, wider(exact, block_bootstrap(blocks)) if any(t for _, t in blocks) else exact)


def judge_share(objective: Objective, bad: int, total: int, blocks: Blocks = (), floor: int = 0) -> Judgement:
    """Judge a latency, errors or availability objective by `bad` of `total`.

    For latency, `total` counts the answers that did not fail and `bad` those of them over the threshold; for errors
    and availability all requests and the failed ones. `blocks` are the same counts by second; without them the bounds
    are those of independent requests. Under `floor` requests nothing passes; what is surely missed fails all the same.
    Raises ValueError for an objective that is not a share and for bad > total.
    """
    if objective.kind not in SHARES:
        raise ValueError(f"{objective.name} is an amount ({objective.kind}); judge it with judge_amount")
    if total == 0:
        return _judgement(objective, Outcome.ERROR, NO_COUNTS)
    sample = _sample(bad, total, blocks)
    allowed = 1 - objective.target
    if sample.bounds.lower > allowed:
        outcome, reason = Outcome.FAIL, f"{_reason(objective, sample.bounds, Outcome.FAIL)}: fail"
    elif total < floor:
        outcome, reason = Outcome.INCONCLUSIVE, f"no share passes on fewer than {floor:,} requests: inconclusive"
    elif sample.bounds.upper <= allowed:
        outcome, reason = Outcome.PASS, f"{_reason(objective, sample.bounds, Outcome.PASS)}: pass"
    else:
        outcome = Outcome.INCONCLUSIVE
        reason = f"{_reason(objective, sample.bounds, outcome)}: inconclusive; {_more(sample, allowed)}"
    return _judgement(objective, outcome, f"{_found(objective, sample)}; {reason}", sample)


def judge_amount(objective: Objective, value: float | None) -> Judgement:
    """Judge an amount, such as successful requests per second: pass from the target on, error where it is None."""
    if objective.kind in SHARES:
        raise ValueError(f"{objective.name} is a share ({objective.kind}); judge it with judge_share")
    if value is None:
        return _judgement(objective, Outcome.ERROR, f"{objective.kind} was not measured, so nothing can be said: error")
    outcome = Outcome.PASS if value >= objective.target else Outcome.FAIL
    unit = {
        Kind.THROUGHPUT: "successful requests per second",
        Kind.USERS: "concurrent users",
        Kind.DATA: "bytes of data",
    }
    shown = f"{value:,.0f}" if round(value) < objective.target or value >= objective.target else f"{value:,.3f}"
    words = f"{shown} {unit[objective.kind]}, the target is {objective.target:,.10g}: {outcome}"
    return _judgement(objective, outcome, words, value)


def not_judged(
    objective: Objective,
    bad: int | None = None,
    total: int | None = None,
    blocks: Blocks = (),
    seconds: float | None = None,
) -> Judgement:
    """An objective this run may not judge: inconclusive, with bound and budget burnt where counts say something.

    `seconds` is how long the counts took; with it, an objective with a window also tells the budget minutes burnt.
    """
    why = f"judged by {objective.judged_by}, not by this run"
    if objective.kind not in SHARES or bad is None or not total:
        return _judgement(objective, Outcome.INCONCLUSIVE, why)
    sample = _sample(bad, total, blocks)
    bound = _bound(objective, sample.bounds, Outcome.PASS)
    words = f"{why}: {_found(objective, sample)}; with {SURE} confidence {bound}"
    if seconds is not None and objective.window_days is not None:
        allowed = 1 - objective.target
        minutes = budget_seconds(allowed, objective.window_days) / 60
        burnt = budget_burnt(burn_rate(bad, total, allowed), seconds, objective.window_days) * minutes
        shown = "none" if burnt == 0 else f"{burnt:.2f}" if burnt >= 0.01 else "less than 0.01"
        words += f"; {shown} of the {minutes:.1f} budget minutes in {objective.window_days:g} days went here"
    return _judgement(objective, Outcome.INCONCLUSIVE, words, sample)


def overall(judgements: Iterable[Judgement]) -> Outcome:
    """The outcome of all together: a failure decides, then an error, then a doubt; nothing judged is an error."""
    found = {j.outcome for j in judgements} or {Outcome.ERROR}
    return next(o for o in (Outcome.FAIL, Outcome.ERROR, Outcome.INCONCLUSIVE, Outcome.PASS) if o in found)


def percent(share: float, against: float = 0.0) -> str:
    """`share` in percent, with the decimals it takes to show on which side of `against` it lies, and of 0 and 1."""
    exact = 100 * share
    limits = [round(100 * against, 9), 0.0, 100.0]
    text = ""
    for decimals in range(2 if 1 <= exact <= 99 else 3, 9):
        text = f"{exact:.{decimals}f}"
        if all((float(text) > at, float(text) < at) == (exact > at + 1e-9, exact < at - 1e-9) for at in limits):
            break
    return f"{text.rstrip('0').rstrip('.')} %"


def round_up(count: float) -> int:
    """`count` rounded up to two significant digits, for a number that is only an estimate."""
    digit: int = 10 ** max(math.floor(math.log10(count)) - 1, 0)
    return math.ceil(count / digit) * digit


def _judgement(
    objective: Objective, outcome: Outcome, words: str, measured: _Sample | float | None = None
) -> Judgement:
    sample = measured if isinstance(measured, _Sample) else None
    value = 1 - measured.bad / measured.total if isinstance(measured, _Sample) else measured
    return Judgement(
        objective=objective.name,
        says=objective.says,
        judged_by=objective.judged_by,
        outcome=outcome,
        value=value,
        target=objective.target,
        bounds=Bounds(1 - sample.bounds.upper, 1 - sample.bounds.lower) if sample else None,
        bad=sample.bad if sample else None,
        total=sample.total if sample else None,
        margin=None if value is None else value - objective.target,
        budget_burnt=burn_rate(sample.bad, sample.total, 1 - objective.target) if sample else None,
        words=words,
    )


def _found(objective: Objective, sample: _Sample) -> str:
    share, total = _share(objective, sample.bad / sample.total), f"{sample.total:,}"
    match objective.kind:
        case Kind.LATENCY:
            return f"{share} of {total} answers came under {objective.threshold_ms:g} ms"
        case Kind.ERRORS:
            return f"{sample.bad:,} of {total} requests failed, {share}"
    return f"{share} of {total} requests were good"


def _share(objective: Objective, bad_share: float) -> str:
    """Errors are told as the share that failed, everything else as the share that was good."""
    if objective.kind is Kind.ERRORS:
        return percent(bad_share, 1 - objective.target)
    return percent(1 - bad_share, objective.target)


def _bound(objective: Objective, bounds: Bounds, outcome: Outcome) -> str:
    """The bound that decides: what the share is at worst for a pass, at best for a fail, both for a doubt."""
    worst, best = _share(objective, bounds.upper), _share(objective, bounds.lower)
    if outcome is Outcome.INCONCLUSIVE:
        low, high = (best, worst) if objective.kind is Kind.ERRORS else (worst, best)
        return f"between {low} and {high}"
    at_most = (objective.kind is Kind.ERRORS) == (outcome is Outcome.PASS)
    return f"{'at most' if at_most else 'at least'} {worst if outcome is Outcome.PASS else best}"


def _reason(objective: Objective, bounds: Bounds, outcome: Outcome) -> str:
    target = _share(objective, 1 - objective.target)
    limit = f"{target} is allowed" if objective.kind is Kind.ERRORS else f"the target is {target}"
    return f"with {SURE} confidence {_bound(objective, bounds, outcome)}, {limit}"


def _more(sample: _Sample, allowed: float) -> str:
    """How many requests would settle it at this share; bursts make each request say less, by the variance ratio."""
    needed = requests_needed(allowed, sample.bad / sample.total)
    if needed is None:
        return "no number of requests would settle a share this close to the target"
    bounds, exact = sample.bounds, sample.exact
    bursts = ((bounds.upper - bounds.lower) / (exact.upper - exact.lower)) ** 2
    return f"about {round_up(max(needed * bursts, sample.total + 1)):,} requests at this share would settle it"
