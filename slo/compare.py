"""Is the new slot worse than the old one? Non-inferiority of two shares, with a stated margin.

The interval of the difference is the square-and-add one of Newcombe (Statistics in Medicine 17, 1998, method 10) on
Clopper-Pearson limits, as Zou & Donner allow (Statistics in Medicine 27, 2008). On Wilson limits, Newcombe's own
choice, a bad slot passed in up to 7.0 % of cases where 5 % was promised, with shares near 0.1 % and ten times less
traffic in one slot; on exact limits in at most 5.3 % (enumerated). Requests count as independent: give both slots the
same seconds. One look at counts of a size fixed before: what is looked at again and again needs `slo.watch`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import NormalDist

import msgspec

from slo.bounds import clopper_pearson
from slo.budget import least, requests_needed
from slo.objective import Bounds, Outcome
from slo.verdict import percent, round_up
from slo.watch import Measure

POWER = 0.8  # chance that `needed` requests let an equally good slot pass


class Counts(msgspec.Struct, frozen=True):
    """Requests of one slot, or of a route in it: answered, failed, and answered but over the threshold."""

    ok: int
    failed: int
    over: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.ok + other.ok, self.failed + other.failed, self.over + other.over)

    def sample(self, measure: Measure) -> tuple[int, int]:
        """(bad, total) of `measure`."""
        return (self.failed, self.ok + self.failed) if measure is Measure.FAILED else (self.over, self.ok)


class Comparison(msgspec.Struct, frozen=True):
    """What two slots' counts say. `difference` is new bad share minus old; None where a slot has no requests."""

    outcome: Outcome
    difference: float | None
    bounds: Bounds | None  # of the difference, one-sided each way
    margin: float
    needed: int | None  # requests per slot with which an equally good slot passes in 80 of 100 cases
    words: str


class RoutesComparison(msgspec.Struct, frozen=True):
    """The slots as a whole and route by route."""

    outcome: Outcome
    total: Comparison  # over the routes that both slots served
    routes: dict[str, Comparison]
    thin: tuple[str, ...]  # routes with too few requests for a pass: they can only fail
    alone: tuple[str, ...]  # routes that only one slot served
    words: str


def compare_slots(
    old: Counts,
    new: Counts,
    margin: float,
    errors: tuple[float, float] = (0.05, 0.05),
    measure: Measure = Measure.FAILED,
) -> Comparison:
    """Pass when the new bad share is at most `margin` above the old, fail when it is more, inconclusive between.

    A slot worse than the margin passes, and one within it fails, in at most about `errors` of cases. Raises ValueError
    unless 0 < margin < 1 and 0 < error < 0.5.
    """
    if not (0 < margin < 1 and all(0 < e < 0.5 for e in errors)):
        raise ValueError(f"margin {margin:g}, error rate {errors[0]:g}: not shares; write such as 0.005 and 0.05")
    was, now = old.sample(measure), new.sample(measure)
    if not (was[1] and now[1]):
        needed = requests_per_slot(0, margin, errors[0])
        words = f"the {'new' if was[1] else 'old'} slot has no requests to compare: inconclusive; {_wanted(needed, 0)}"
        return Comparison(Outcome.INCONCLUSIVE, None, None, margin, needed, words)
    difference = now[0] / now[1] - was[0] / was[1]
    bounds = Bounds(difference - _reach(was, now, errors[1])[0], difference + _reach(was, now, errors[0])[1])
    needed = requests_per_slot((was[0] + now[0]) / (was[1] + now[1]), margin, errors[0])

    found = f"{_share(new, measure)} in the new slot, {_share(old, measure)} in the old"
    if bounds.lower > margin:
        outcome, sure, worse = Outcome.FAIL, 1 - errors[1], f"at least {_points(bounds.lower)}"
    elif bounds.upper <= margin:
        outcome, sure, worse = Outcome.PASS, 1 - errors[0], f"at most {_points(bounds.upper)}"
    else:
        outcome, sure = Outcome.INCONCLUSIVE, 1 - errors[0]
        worse = f"between {_points(bounds.lower)} and {_points(bounds.upper)}"
    words = f"{found}; with {percent(sure)} confidence {worse} points worse, {_points(margin)} allowed: {outcome}"
    if outcome is Outcome.INCONCLUSIVE:
        words += f"; {_wanted(needed, min(was[1], now[1]))}"
    return Comparison(outcome, difference, bounds, margin, needed, words)


def compare_routes(
    old: Mapping[str, Counts],
    new: Mapping[str, Counts],
    margin: float,
    errors: tuple[float, float] = (0.05, 0.05),
    measure: Measure = Measure.FAILED,
) -> RoutesComparison:
    """Compare all routes together and each of them, without more false passes or alarms (`errors`) than one comparison.

    It passes when the whole and every route with enough requests pass, each at the first rate: all must, so no share of
    it is lost (intersection-union test: Berger, Technometrics 24, 1982). It fails when any one fails, thin routes
    included, each at the second rate divided by their number (Bonferroni). A route with too few requests to pass is
    thin: it neither passes nor holds. Routes that only one slot served are named.
    """
    shared = sorted(set(old) & set(new))
    each = errors[0], errors[1] / (len(shared) + 1)
    total = compare_slots(_sum(old, shared), _sum(new, shared), margin, each, measure)
    routes = {route: compare_slots(old[route], new[route], margin, each, measure) for route in shared}
    fewest = requests_needed(margin, 0, 1 - errors[0]) or 0  # even without one bad request
    thin = tuple(r for r in shared if min(old[r].sample(measure)[1], new[r].sample(measure)[1]) < fewest)
    alone = tuple(sorted(set(old) ^ set(new)))

    failed = tuple(r for r, c in routes.items() if c.outcome is Outcome.FAIL)
    open_ = tuple(r for r, c in routes.items() if c.outcome is Outcome.INCONCLUSIVE and r not in thin)
    outcome = total.outcome
    if failed:
        outcome = Outcome.FAIL
    elif open_ and outcome is Outcome.PASS:
        outcome = Outcome.INCONCLUSIVE
    said = [f"all routes: {total.words}"]
    said += [f"{route}: {routes[route].words}" for route in (*failed[:1], *open_[:1])]
    said += [f"also failed: {_few(failed[1:])}"] if failed[1:] else []
    said += [f"also undecided: {_few(open_[1:])}"] if open_[1:] else []
    said += [f"too few requests for a pass of their own: {_few(thin)}"] if thin else []
    said += [f"only the {'old' if r in old else 'new'} slot served {r}" for r in alone]
    return RoutesComparison(outcome, total, routes, thin, alone, "; ".join(said))


def _few(routes: tuple[str, ...]) -> str:
    """The first names of a long list: words are for reading, `thin` has them all."""
    more = len(routes) - 2
    return ", ".join(routes) if more <= 1 else f"{', '.join(routes[:2])} and {more} other routes"


def over(counts: Counts, allowed: float, error_rate: float) -> bool:
    """Whether significantly more than the share `allowed` of a slot's requests failed."""
    failed, total = counts.sample(Measure.FAILED)
    return total > 0 and clopper_pearson(failed, total, 1 - error_rate).lower > allowed


def to_blame(old: Counts, new: Counts, error_rate: float) -> bool:
    """Whether significantly more of both slots' failures are the new one's than its share of their requests.

    Where a failure is as likely in both, that number is hypergeometric; the binomial tail is no smaller from its mean
    on (Hoeffding, JASA 58, 1963).
    """
    (was, before), (now, after) = old.sample(Measure.FAILED), new.sample(Measure.FAILED)
    from scipy.special import bdtrc  # noqa: PLC0415 - a third of a second that a rollback need not wait for

    return now > 0 and float(bdtrc(now - 1, was + now, after / (before + after))) <= error_rate


def requests_per_slot(share: float, margin: float, error_rate: float = 0.05, power: float = POWER) -> int | None:
    """Requests each slot needs so that a new one as good as the old, both with bad share `share`, passes with `power`.

    The difference is taken at its `power` quantile (normal), the interval is the one that judges. None when no
    reasonable number is enough.
    """

    def enough(total: int) -> bool:
        bad = share * total
        unlucky = NormalDist().inv_cdf(power) * math.sqrt(2 * share * (1 - share) / total)
        return unlucky + _reach((bad, total), (bad, total), error_rate)[1] <= margin

    return least(enough)


def _reach(old: tuple[float, float], new: tuple[float, float], error_rate: float) -> tuple[float, float]:
    """How far below and above the measured difference its bounds lie (square and add)."""
    was, now = (clopper_pearson(*sample, 1 - error_rate) for sample in (old, new))
    p, q = old[0] / old[1], new[0] / new[1]
    return math.hypot(q - now.lower, was.upper - p), math.hypot(now.upper - q, p - was.lower)


def _wanted(needed: int | None, seen: int) -> str:
    if needed is None:
        return "no number of requests would settle it at this margin"
    if needed <= seen:
        return f"{seen:,} requests per slot let an equally good one pass in {100 * POWER:g} of 100 cases, not in this"
    return f"about {round_up(needed):,} requests per slot are needed"


def _share(counts: Counts, measure: Measure) -> str:
    bad, total = counts.sample(measure)
    return f"{bad:,} of {total:,} {measure} ({percent(bad / total)})"


def _points(share: float) -> str:
    """A difference of shares in percentage points, to three significant digits."""
    return f"{100 * share:.3g}"


def _sum(counts: Mapping[str, Counts], routes: list[str]) -> Counts:
    return sum((counts[r] for r in routes), Counts(0, 0))
