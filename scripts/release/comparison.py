"""The comparison gate: the same reads to both slots, whose answers must agree and must not come later than allowed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from scripts.release import secret
from scripts.release.diff import Compared, Reply, compare
from scripts.release.external import Judged
from scripts.release.median import Slower, repeats_needed, slower
from scripts.release.slots import Request
from slo.objective import Outcome
from slo.watch import GATES

Ask = Callable[[Request, str], tuple[Reply, float]]  # of a slot; the answer and how many milliseconds it took
Answers = Callable[[], tuple[Reply, float]]

READS: Final = ("GET", "HEAD")
_ORDER: Final = (Outcome.FAIL, Outcome.INCONCLUSIVE, Outcome.PASS)  # the first one found decides
SHOWN: Final = 3  # differences of one request in words; the rest is counted


class Comparison(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Reads whose answers must be the same from both slots, and not slower than allowed."""

    requests: Annotated[tuple[Request, ...], Meta(min_length=1)]  # GET or HEAD; header values may hold ${NAME}
    ignore: tuple[str, ...] = ()  # `uptime`: a key, wherever it stands; `data.*.updated_at`: a path, * any one step
    repeat: Annotated[int, Meta(ge=2, le=100)] = 10  # answers of each slot to each request
    latency_ms: Annotated[float, Meta(gt=0)] | None = None  # the median may be this much later; left out: not judged

    def __post_init__(self) -> None:
        for at, request in enumerate(self.requests):
            if request.method not in READS:
                raise ValueError(
                    f"requests[{at}].method: {request.method} could change data, and twice; compare GET and HEAD only"
                )
        for at, name in enumerate(self.ignore):
            if name in ("", "*"):
                raise ValueError(
                    f"ignore[{at}]: {name!r} names no field; write a key or a path such as data.*.updated_at"
                )
        least = repeats_needed(comparisons=GATES * len(self.requests))
        if self.latency_ms and self.repeat < least:
            raise ValueError(f"repeat: {self.repeat} answers cannot decide latency_ms; give at least {least}")

    def missing(self, env: Mapping[str, str]) -> tuple[str, ...]:
        """Variables in header values that `env` does not have, a sentence with its key for each."""
        return tuple(
            words
            for at, request in enumerate(self.requests)
            for name, text in request.headers.items()
            for words in secret.lacking(f"requests[{at}].headers.{name}", text, env)
        )


def judge_comparison(
    comparison: Comparison, arms: tuple[str, str], ask: Ask, env: Mapping[str, str], error_rate: float = 0.05
) -> Judged:
    """Ask both slots of `arms` in turns, the old one first and last, and judge all answers together.

    A release as fast as the old one is called too slow in at most `error_rate` of cases, over all requests. Raises what
    `ask` raises.
    """
    if lacks := comparison.missing(env):
        return Judged(Outcome.ERROR, "; ".join(lacks))
    found = []
    for request in comparison.requests:
        headers = {name: secret.fill(text, env) for name, text in request.headers.items()}
        filled = msgspec.structs.replace(request, headers=headers)
        asks = partial(ask, filled, arms[0]), partial(ask, filled, arms[1])
        judged = _one(filled, comparison, asks, error_rate / len(comparison.requests))
        found.append((f"{request.method} {request.path}", judged))
    return _together(found)


def _one(request: Request, comparison: Comparison, asks: tuple[Answers, Answers], error_rate: float) -> Judged:
    ask_old, ask_new = asks
    olds, news = [ask_old()], []
    for _ in range(comparison.repeat):
        news.append(ask_new())
        olds.append(ask_old())
    compared = compare([reply for reply, _ in olds], [reply for reply, _ in news], comparison.ignore, request.expect)
    late = None
    if comparison.latency_ms is not None and not (compared.unclear or compared.note):  # how fast it fails says nothing
        took = [ms for _, ms in olds[1:]], [ms for _, ms in news]
        late = slower(*took, comparison.latency_ms, error_rate=error_rate)
    return _settled(compared, late)


def _settled(compared: Compared, late: Slower | None) -> Judged:
    """The worst of what was found of one request."""
    if compared.differences:
        return Judged(Outcome.FAIL, _few([difference.words for difference in compared.differences]))
    if compared.unclear:
        return Judged(Outcome.INCONCLUSIVE, compared.unclear)
    if late and late.outcome is not Outcome.PASS:
        return Judged(late.outcome, late.words)
    said = (compared.note, _noise(compared), late.words if late else "")
    return Judged(Outcome.PASS, "; ".join(words for words in said if words))


def _together(found: Sequence[tuple[str, Judged]]) -> Judged:
    """The worst of all requests, in the words that led to it; a pass tells what it did not compare."""
    worst = next(o for o in _ORDER if any(judged.outcome is o for _, judged in found))
    said = [f"{name}: {judged.words}" for name, judged in found if judged.outcome is worst and judged.words]
    if worst is Outcome.PASS:
        said.insert(0, f"no difference in {len(found)} {'request' if len(found) == 1 else 'requests'}")
    return Judged(worst, "; ".join(said))


def _noise(compared: Compared) -> str:
    """What was left out of the comparison, and the name by which it can be left out knowingly."""
    named = list(dict.fromkeys(d.name for d in compared.noise if d.name))
    found = [f"changes by itself, ignore it by name: {_few(named, ', ')}"] if named else []
    found += [f"changes by itself and was not compared: {d.words}" for d in compared.noise if not d.name]
    return "; ".join(found)


def _few(words: Sequence[str], between: str = "; ") -> str:
    more = len(words) - SHOWN
    return between.join(words[:SHOWN]) + (f"{between}and {more} more" if more > 0 else "")
