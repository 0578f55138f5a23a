"""What counts say of a new slot: pass, fail, inconclusive or error, with a sentence; pure.

A gate passes when the new slot is not worse than the old one by more than a margin (non-inferiority, `slo.compare`),
in failures and in slow answers, and its share of failures is not significantly over the objective. Where the old slot
is over it too, the release is not to blame, and the gate is inconclusive. Proving the objective is the load verdict's
job.

A gate may look several times, so each look spends a part of the stated error rate (Bonferroni): a third for each of
the two looks at the whole window, a third over all the looks in between, which can only refuse.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import msgspec

from scripts.release.file import ReleaseFile
from scripts.release.slots import Sample, Tally
from scripts.release.stages import Needs
from slo.bounds import clopper_pearson
from slo.budget import requests_needed
from slo.compare import Comparison, Counts, Measure, compare_routes, compare_slots, over_objective, requests_per_slot
from slo.objective import Outcome

PARTS = 3
_ORDER = (Outcome.FAIL, Outcome.ERROR, Outcome.INCONCLUSIVE, Outcome.PASS)  # the first one found decides


class Verdict(msgspec.Struct, frozen=True):
    """What a gate found. `needed` is how many requests of the new slot would decide, when too few were seen."""

    outcome: Outcome
    words: str
    needed: int | None = None


def needs(file: ReleaseFile) -> Needs:
    """Requests of the new slot with which each gate decides when nothing fails."""
    compare = file.settings.gates.compare
    look = compare.error_rate / PARTS
    return Needs(
        analysis=requests_per_slot(0, compare.margin, compare.error_rate) or 0,
        hold=requests_per_slot(0, compare.margin, look) or 0,
        bake=requests_needed(file.settings.bake.failure_share, 0, 1 - look) or 0,
    )


def judge_analysis(sample: Sample, old: str, new: str, file: ReleaseFile) -> Verdict:
    """Judge analysis load, as a whole and route by route."""
    compare = file.settings.gates.compare
    was, now = _by_route(sample, old), _by_route(sample, new)
    total = sum(was.values(), Counts(0, 0)), sum(now.values(), Counts(0, 0))
    verdicts = []
    for measure in Measure:
        found = compare_routes(was, now, compare.margin, compare.error_rate, measure)
        words = _passed(*total, measure, found.total) if found.outcome is Outcome.PASS else found.words
        verdicts.append(Verdict(found.outcome, words, found.total.needed))
    return _worst(verdicts, _objective(*total, file, compare.error_rate))


def judge_hold(old: Tally, new: Tally, file: ReleaseFile) -> Verdict:
    """Judge users' traffic on both slots at one of two looks."""
    compare = file.settings.gates.compare
    look = compare.error_rate / PARTS
    was, now = _counts(old), _counts(new)
    measures = [Measure.FAILED] if None in (old.slow, new.slow) else list(Measure)
    verdicts = []
    for measure in measures:
        found = compare_slots(was, now, compare.margin, look, measure)
        words = _passed(was, now, measure, found) if found.outcome is Outcome.PASS else found.words
        verdicts.append(Verdict(found.outcome, words, found.needed))
    verdict = _worst(verdicts, _objective(was, now, file, look))
    if len(measures) == 1:
        return msgspec.structs.replace(verdict, words=f"{verdict.words}; latency was not judged: a slot tells none")
    return verdict


def judge_bake(new: Tally, file: ReleaseFile) -> Verdict:
    """Judge users' traffic on the new slot alone at one of two looks, by the most that may fail."""
    allowed, look = file.settings.bake.failure_share, file.settings.gates.compare.error_rate / PARTS
    found = f"{new.failed} of {new.requests:,} requests failed"
    needed = requests_needed(allowed, new.failed / new.requests if new.requests else 0, 1 - look)
    if new.requests:
        bounds = clopper_pearson(new.failed, new.requests, 1 - look)
        if bounds.lower > allowed:
            return Verdict(Outcome.FAIL, f"{found}: more than the {allowed:.2%} of bake.failure_share")
        if bounds.upper <= allowed:
            return Verdict(Outcome.PASS, f"{found}: within the {allowed:.2%} of bake.failure_share")
    more = f"; about {needed:,} requests are needed" if needed else ""
    return Verdict(Outcome.INCONCLUSIVE, f"{found}: too few to say whether {allowed:.2%} are kept{more}", needed)


def judge_early(old: Tally, new: Tally, allowed: float, looks: int, file: ReleaseFile) -> Verdict | None:
    """One of many looks inside a window, which can only refuse."""
    rate = file.settings.gates.compare.error_rate / PARTS / looks
    if new.requests and (over := over_objective(_counts(new), 1 - allowed, rate)).outcome is Outcome.FAIL:
        same = old.requests and over_objective(_counts(old), 1 - allowed, rate).outcome is Outcome.FAIL
        return None if same else Verdict(Outcome.FAIL, over.words)
    return None


def looks_in(seconds: float) -> int:
    """Early looks in a window, one a second."""
    return max(1, math.ceil(seconds))


def _objective(old: Counts, new: Counts, file: ReleaseFile, error_rate: float) -> Verdict:
    if not new.ok + new.failed:
        return Verdict(Outcome.PASS, "")  # the comparison says what is missing
    mine, other = (over_objective(counts, 1 - file.failure_share, error_rate) for counts in (new, old))
    if mine.outcome is other.outcome is Outcome.FAIL:
        return Verdict(Outcome.INCONCLUSIVE, f"both slots fail, so the release is not to blame: {mine.words}")
    return Verdict(mine.outcome, mine.words if mine.outcome is Outcome.FAIL else "", mine.needed)


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


def _counts(tally: Tally) -> Counts:
    ok = tally.requests - tally.failed
    return Counts(ok, tally.failed, min(ok, tally.slow or 0))


def _by_route(sample: Sample, slot: str) -> Mapping[str, Counts]:
    return {route: arms[slot] for route, arms in sample.items() if slot in arms}
