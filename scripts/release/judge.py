"""What analysis load says of a new slot, and the requests that each gate needs; pure.

The gate passes when the new slot is not worse than the old one by more than a margin (non-inferiority, `slo.compare`),
in failures and in slow answers, and its failures are not significantly over the objective. Where they are, and it is
not the new slot alone that has them, the release is not to blame, and the gate is inconclusive. Proving the objective
is the load verdict's job. Users' traffic is judged by `slo.watch`, a second at a time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from scripts.release.file import ReleaseFile
from scripts.release.slots import Sample
from scripts.release.stages import Needs
from slo import sequential
from slo.compare import Comparison, Counts, compare_routes, over, requests_per_slot, to_blame
from slo.objective import Outcome
from slo.verdict import percent
from slo.watch import GATES, Measure

REFUSALS = 3  # tests of this gate that refuse: failures by the objective, and two measures by the margin
_ORDER = (Outcome.FAIL, Outcome.ERROR, Outcome.INCONCLUSIVE, Outcome.PASS)  # the first one found decides


class Verdict(msgspec.Struct, frozen=True):
    """What a gate found. `needed` is how many requests of the new slot would decide, when too few were seen."""

    outcome: Outcome
    words: str
    needed: int | None = None


def needs(file: ReleaseFile) -> Needs:
    """Requests with which each gate decides when nothing fails: of the thinner slot, in a bake of the new one."""
    compare = file.settings.gates.compare
    return Needs(
        analysis=requests_per_slot(0, compare.margin, compare.error_rate) or 0,
        hold=sequential.comparisons_needed(compare.margin, compare.error_rate),
        bake=sequential.requests_under(file.settings.bake.failure_share, compare.error_rate),
    )


def judge_analysis(sample: Sample, old: str, new: str, file: ReleaseFile) -> Verdict:
    """Judge analysis load, as a whole and route by route."""
    compare = file.settings.gates.compare
    alarms = compare.error_rate / GATES / REFUSALS
    was, now = _by_route(sample, old), _by_route(sample, new)
    total = sum(was.values(), Counts(0, 0)), sum(now.values(), Counts(0, 0))
    verdicts = []
    for measure in (Measure.FAILED, Measure.SLOW):
        found = compare_routes(was, now, compare.margin, (compare.error_rate, alarms), measure)
        words = _passed(*total, measure, found.total) if found.outcome is Outcome.PASS else found.words
        verdicts.append(Verdict(found.outcome, words, found.total.needed))
    return _worst(verdicts, _objective(*total, file.failure_share, alarms))


def _objective(old: Counts, new: Counts, allowed: float, alarms: float) -> Verdict:
    if not over(new, allowed, alarms):
        return Verdict(Outcome.PASS, "")  # where there are no requests, the comparison says what is missing
    (was, before), (now, after) = old.sample(Measure.FAILED), new.sample(Measure.FAILED)
    words = f"{now:,} of {after:,} failed, in the old slot {was:,} of {before:,}: over the {percent(allowed)} allowed"
    if to_blame(old, new, alarms):
        return Verdict(Outcome.FAIL, f"{words}, and worse than the old slot")
    both = "both slots fail, so the release is not to blame"
    why = both if over(old, allowed, alarms) else "that the old slot is better is not sure"
    return Verdict(Outcome.INCONCLUSIVE, f"{words}; {why}")


def _passed(old: Counts, new: Counts, measure: Measure, found: Comparison) -> str:
    (was, of), (now, out_of) = old.sample(measure), new.sample(measure)
    worse = f"at most {100 * found.bounds.upper:.1f} points worse" if found.bounds else ""
    return f"{now} of {out_of:,} {measure}, in the old slot {was} of {of:,}: {worse}, {100 * found.margin:g} allowed"


def _worst(compared: Sequence[Verdict], objective: Verdict) -> Verdict:
    """The worst outcome: with all its words when it is a pass, otherwise with those of the first that brought it.

    That both slots fail comes first, since it is the reason why no comparison helps.
    """
    found = [objective, *compared] if objective.outcome is Outcome.INCONCLUSIVE else [*compared, objective]
    outcome = next(o for o in _ORDER if any(v.outcome is o for v in found))
    alike = [v for v in found if v.outcome is outcome]
    if outcome is Outcome.PASS:
        return Verdict(outcome, "; ".join(v.words for v in alike if v.words))
    needed = [v.needed for v in alike]
    return Verdict(outcome, alike[0].words, None if None in needed else max(n for n in needed if n is not None))


def _by_route(sample: Sample, slot: str) -> Mapping[str, Counts]:
    return {route: arms[slot] for route, arms in sample.items() if slot in arms}
