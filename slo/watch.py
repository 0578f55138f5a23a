"""What users' traffic says of a new slot, a second at a time: beside the old slot (`Hold`), and alone (`Bake`); pure.

Both are folded: `add` a block, then look at `finding`, as often as one likes (`slo.sequential`). Evidence to refuse is
kept from hold to hold, since it is about the release; evidence to pass is each gate's own. `docs/statistics.md` tells
how often they err, and what they find.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import msgspec

from slo import sequential
from slo.objective import Outcome
from slo.sequential import Sample, Wealth
from slo.verdict import percent, round_up

KEPT: Final = 0.95  # of the old slot's answers: what its latency is compared at
LEAST_ANSWERS: Final = 1000  # of the old slot, to choose that latency by
GATES: Final = 4  # kinds that share the chance of a false alarm: analysis, comparison, all holds together, bake
REFUSALS: Final = 4  # tests of a hold that refuse: failures by the objective, and three measures by the margin
NOTHING: Final = Sample(0, 0)


class Measure(StrEnum):
    """What is bad about a request."""

    FAILED = "failed"  # of all requests
    SLOW = "slow"  # over the latency threshold, of the answers that did not fail
    LATE = "late"  # over the latency that the old slot kept before, of the same; refuses only


Block = Mapping[Measure, tuple[Sample, Sample]]  # what the old and the new slot answered between two looks


class Finding(msgspec.Struct, frozen=True):
    """What the counts say by now. `needed` is about how many more requests of the thinner slot would decide."""

    outcome: Outcome
    words: str
    needed: int | None = None


class Claims(msgspec.Struct, frozen=True):
    """What a hold tests, as shares of 1."""

    margin: float  # more bad requests than in the old slot, up to which a release is not refused for that
    allowed: float  # failed requests, by the objective
    alarms: float  # chance that a good release is refused, by any look of any of its gates
    passes: float = 0.05  # chance that one worse than the margin passes one hold

    @property
    def refuse(self) -> float:
        """The error rate of each test that refuses."""
        return self.alarms / GATES / REFUSALS


class Hold(msgspec.Struct, frozen=True):
    """Both slots under users' traffic. Start with `Hold.open(claims)`; `again()` opens the next hold of a release."""

    claims: Claims
    ill: tuple[Wealth, Wealth]  # over the allowed share, bursts aside: the old slot, the new one
    over: Wealth  # the new one, bursts and all
    blame: Wealth  # its failures are more than its share of both slots' failures
    worse: dict[Measure, Wealth]
    fine: dict[Measure, Wealth]
    counts: dict[Measure, tuple[Sample, Sample]] = {}  # of this hold
    failed: tuple[Sample, Sample] = (NOTHING, NOTHING)  # of all holds
    blocks: int = 0
    late_ms: float | None = None  # what LATE means in this hold

    @classmethod
    def open(cls, claims: Claims, late_ms: float | None = None) -> Hold:
        """Before the first look of a release. Raises ValueError where a claim is not a share."""
        sequential.comparisons_needed(claims.margin, claims.passes)
        sequential.requests_under(claims.allowed, claims.alarms)
        over, worse = (Wealth.start(stakes, sequential.RESERVE) for stakes in (sequential.OVER, sequential.BOLDNESS))
        blame = Wealth.start(sequential.OVER)
        return cls(claims, (over, over), over, blame, dict.fromkeys(Measure, worse), {}).again(late_ms)

    def again(self, late_ms: float | None = None) -> Hold:
        """The next hold of the same release: nothing has passed yet, and what speaks against it is kept."""
        fine = dict.fromkeys(Measure, Wealth.start(sequential.BOLDNESS))
        return msgspec.structs.replace(self, fine=fine, counts={}, late_ms=late_ms)

    def add(self, block: Block) -> Hold:
        """After one more block."""
        failed, most = block[Measure.FAILED], sequential.growth(self.claims.refuse)
        old, new = (sequential.share_bets(slot, self.claims.allowed, sequential.OVER) for slot in failed)
        worse, fine, counts = dict(self.worse), dict(self.fine), dict(self.counts)
        for number, (measure, both) in enumerate(block.items()):
            apart = sequential.differences(*both, (self.blocks, number))
            worse[measure] = worse[measure].add(sequential.worse_bets(apart, self.claims.margin), most)
            fine[measure] = fine[measure].add(sequential.not_worse_bets(apart, self.claims.margin))
            counts[measure] = _both(counts.get(measure, (NOTHING, NOTHING)), both)
        return Hold(
            claims=self.claims,
            ill=(self.ill[0].add(old, most), self.ill[1].add(new, most)),
            over=self.over.add(new),
            blame=self.blame.add(sequential.blame_bets(*failed)),
            worse=worse,
            fine=fine,
            counts=counts,
            failed=_both(self.failed, failed),
            blocks=self.blocks + 1,
            late_ms=self.late_ms,
        )

    @property
    def finding(self) -> Finding:
        """Fail, inconclusive because the service itself is ill, pass, or inconclusive with what is missing."""
        rate = self.claims.refuse
        allowed = f"the {percent(self.claims.allowed)} allowed"
        found = _beside(Measure.FAILED, *self.failed)
        if self.over.reached(rate) and self.blame.reached(rate):
            return Finding(Outcome.FAIL, f"{found}: over {allowed}, and worse than the old slot")
        for measure, wealth in self.worse.items():
            if wealth.reached(rate):
                return Finding(Outcome.FAIL, f"{self._seen(measure)}: worse by more than {self._points}")
        old, new = (wealth.reached(rate) for wealth in self.ill)
        if new:
            both = "both slots fail, so the release is not to blame"
            why = both if old else "that the old slot is better is not sure yet"
            return Finding(Outcome.INCONCLUSIVE, f"{found}: over {allowed}; {why}", self._needed(Measure.FAILED))
        return self._passed()

    def _passed(self) -> Finding:
        judged = [m for m in (Measure.FAILED, Measure.SLOW) if m is Measure.FAILED or m in self.counts]
        open_ = [m for m in judged if not self.fine[m].reached(self.claims.passes)]
        if not open_:
            latency = "" if Measure.SLOW in self.counts else "; latency was not judged: a slot tells none"
            seen = "; ".join(self._seen(m) for m in judged)
            return Finding(Outcome.PASS, f"{seen}: not worse by {self._points}{latency}")
        needed = [self._needed(m) for m in open_]
        most = None if None in needed else max(n for n in needed if n is not None)
        more = f"about {round_up(most):,} more requests to each are needed" if most else "no number would settle it"
        words = f"{self._seen(open_[0])}: too few to say that it is not worse by {self._points}; {more}"
        return Finding(Outcome.INCONCLUSIVE, words, most)

    def _needed(self, measure: Measure) -> int | None:
        old, new = self.counts.get(measure, (NOTHING, NOTHING))
        both = old + new
        share = both.bad / both.total if both.total else 0.0
        return sequential.more_comparisons(self.fine[measure], share, self.claims.margin, self.claims.passes)

    def _seen(self, measure: Measure) -> str:
        late = f" (over the {self.late_ms:g} ms that it kept before)" if measure is Measure.LATE else ""
        return _beside(measure, *self.counts.get(measure, (NOTHING, NOTHING))) + late

    @property
    def _points(self) -> str:
        return f"{100 * self.claims.margin:g} points"


class Bake(msgspec.Struct, frozen=True):
    """The new slot alone with all users, against the share that may fail."""

    allowed: float
    alarms: float  # as in `Claims`
    passes: float
    over: Wealth
    under: Wealth
    failed: Sample = NOTHING

    @classmethod
    def open(cls, allowed: float, alarms: float, passes: float = 0.05) -> Bake:
        """Before the first look. Raises ValueError where `allowed` or a rate is not a share."""
        sequential.requests_under(allowed, max(alarms, passes))
        over, under = Wealth.start(sequential.OVER, sequential.RESERVE), Wealth.start(sequential.UNDER)
        return cls(allowed, alarms, passes, over, under)

    def add(self, failed: Sample) -> Bake:
        """After one more block."""
        most = sequential.growth(self.alarms / GATES)
        over = self.over.add(sequential.share_bets(failed, self.allowed, sequential.OVER), most)
        under = self.under.add(sequential.share_bets(failed, self.allowed, sequential.UNDER))
        return msgspec.structs.replace(self, over=over, under=under, failed=self.failed + failed)

    @property
    def finding(self) -> Finding:
        """What is over after two seconds does not refuse: the next ones tell whether it is."""
        found, allowed = _said(Measure.FAILED, self.failed), f"the {percent(self.allowed)} allowed"
        if self.over.reached(self.alarms / GATES):
            return Finding(Outcome.FAIL, f"{found}: over {allowed}")
        if self.under.reached(self.passes):
            return Finding(Outcome.PASS, f"{found}: under {allowed}")
        share = self.failed.bad / self.failed.total if self.failed.total else 0.0
        needed = sequential.more_requests(self.under, share, self.allowed, self.passes)
        more = f"about {round_up(needed):,} more requests are needed" if needed else "at this share it never will be"
        return Finding(Outcome.INCONCLUSIVE, f"{found}: not surely under {allowed}; {more}", needed)


def kept_ms(within: Mapping[float, int] | None) -> float | None:
    """The smallest bound, in ms, that at least 95 % of the answers kept; None for too few answers or no such bound.

    `within` holds the answers within each bound, the infinite one included.
    """
    total = (within or {}).get(math.inf, 0)
    if not within or total < LEAST_ANSWERS:
        return None
    return min((b for b, count in within.items() if count >= KEPT * total and b < math.inf), default=None)


def _both(one: tuple[Sample, Sample], two: tuple[Sample, Sample]) -> tuple[Sample, Sample]:
    return one[0] + two[0], one[1] + two[1]


def _beside(measure: Measure, old: Sample, new: Sample) -> str:
    return f"{_said(measure, new)} in the new slot, {_said(measure, old)} in the old"


def _said(measure: Measure, sample: Sample) -> str:
    share = f" ({percent(sample.bad / sample.total)})" if sample.total else ""
    return f"{sample.bad:,} of {sample.total:,} {measure}{share}"
