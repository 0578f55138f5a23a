"""The gates over traffic, on the twin: when they pass, refuse or hold, and what figures that are wrong do to them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from scripts.release import engine
from scripts.release.engine import Caller
from scripts.release.errors import ReleaseError, Reverted, Undecided
from scripts.release.file import ReleaseFile, read_release_file
from scripts.release.gates import figures as source
from scripts.release.gates.figures import WAIT_S, Figures
from scripts.release.gates.table import GATES
from scripts.release.histogram import answers_within, slow_answers
from scripts.release.judge import Verdict
from scripts.release.route import Target, Weights
from scripts.release.slots import Tally
from scripts.release.step import Kind, Stage, Step
from scripts.release.twin import Behaviour, Twin
from slo.objective import Outcome
from tests.release.conftest import FILE
from tests.release.runs import judged, run_of

Counts = Mapping[str, Tally]
HOLD = Step(Kind.HOLD, "green", "", seconds=10, limit=60, share=50)
BAKE = Step(Kind.BAKE, "green", "", seconds=20, limit=60)


@pytest.fixture
def shifted(twin: Twin, file: ReleaseFile) -> Twin:
    """Half of the users are on 1.1.0 in green."""
    twin.deploy("green", file.release("1.1.0", {}), 1, 9)
    twin.sleep(5)
    twin.edit(Target(Weights(50, 50)))
    return twin


def after(twin: Twin, seconds: float, does: Callable[[], object]) -> None:
    """Call it, once, when so much time has passed."""
    at = twin.clock + seconds

    def tick() -> None:
        if twin.clock >= at:
            twin.on_tick = lambda: None
            does()

    twin.on_tick = tick


def test_a_good_slot_passes_at_the_end_of_its_window_and_not_before(shifted: Twin, file: ReleaseFile) -> None:
    verdict, seconds = judged(shifted, file, HOLD)
    assert (verdict.outcome, seconds) == (Outcome.PASS, 10)
    assert "not worse by 2 points" in verdict.words


BAD = {"failures": Behaviour(failed=0.05), "slow answers": Behaviour(slow=0.2)}


@pytest.mark.parametrize("behaviour", BAD.values(), ids=BAD)
def test_a_bad_slot_is_refused_at_whichever_look_it_is_sure(
    shifted: Twin, file: ReleaseFile, behaviour: Behaviour
) -> None:
    """Long before the window is over."""
    shifted.behaviours["1.1.0"] = behaviour
    verdict, seconds = judged(shifted, file, HOLD)
    assert verdict.outcome is Outcome.FAIL
    assert seconds < HOLD.seconds


def test_a_slot_that_was_good_at_first_is_refused_all_the_same(shifted: Twin, file: ReleaseFile) -> None:
    after(shifted, 8, lambda: shifted.behaviours.update({"1.1.0": Behaviour(failed=0.05)}))
    assert judged(shifted, file, HOLD)[0].outcome is Outcome.FAIL


def test_what_speaks_against_a_release_is_kept_from_hold_to_hold(shifted: Twin, file: ReleaseFile) -> None:
    """Each window alone is too short to be sure; what is for it begins anew with each."""
    shifted.rate, shifted.behaviours["1.1.0"] = 100, Behaviour(failed=0.03)
    run, short = run_of(shifted, file), msgspec.structs.replace(HOLD, seconds=3, limit=3)
    found = [GATES[Kind.HOLD](run, short).outcome for _ in range(6)]
    assert (found[0], found[-1]) == (Outcome.INCONCLUSIVE, Outcome.FAIL)
    assert judged(shifted, file, short)[0].outcome is Outcome.INCONCLUSIVE


def test_too_few_requests_hold_and_say_how_many_are_missing(shifted: Twin, file: ReleaseFile) -> None:
    """Time passes no gate."""
    shifted.rate = 2
    verdict, seconds = judged(shifted, file, HOLD)
    assert (verdict.outcome, seconds) == (Outcome.INCONCLUSIVE, 60)
    assert "more requests to each are needed" in verdict.words
    assert verdict.needed


def test_a_slot_nobody_is_sent_to_holds(shifted: Twin, file: ReleaseFile) -> None:
    shifted.edit(Target(Weights(100, 0)))
    verdict, _ = judged(shifted, file, HOLD)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "green answered none of the users' requests in 60 s" in verdict.words


def test_both_slots_bad_blame_no_release(shifted: Twin, file: ReleaseFile) -> None:
    """Something that both depend on is ill: the gate holds, whoever is asked."""
    shifted.behaviours = {"1.0.0": Behaviour(failed=0.05), "1.1.0": Behaviour(failed=0.05)}
    verdict, _ = judged(shifted, file, HOLD)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "the release is not to blame" in verdict.words


def down(counts: Counts) -> Counts:
    raise ReleaseError("the metrics server refuses connections")


def without_latency(counts: Counts) -> Counts:
    """As a platform reads it where the histogram of green holds no numbers."""
    within = answers_within(NAN)
    told = msgspec.structs.replace(counts["green"], slow=slow_answers(within, 200), within=within)
    return {**counts, "green": told}


NAN = """
# TYPE http_request_duration_seconds histogram
http_request_duration_seconds_bucket{route="/a",status_code="200",le="0.2"} NaN
http_request_duration_seconds_bucket{route="/a",status_code="200",le="+Inf"} NaN
"""


def labelled(counts: Counts) -> Counts:
    return {"blue": counts["blue"], "canary": counts["green"]}


@pytest.mark.parametrize("behaviour", [Behaviour(), Behaviour(failed=0.05)], ids=["good", "bad"])
@pytest.mark.parametrize(
    ("seen", "says"),
    [
        pytest.param(down, "the metrics server refuses connections", id="down"),
        pytest.param(lambda counts: {}, "the figures tell nothing of blue and green", id="empty"),
        pytest.param(labelled, "nothing of green, only of blue, canary: are their labels right", id="wrong label"),
    ],
)
def test_figures_that_are_not_there_pass_nobody_and_refuse_nobody(
    shifted: Twin, file: ReleaseFile, behaviour: Behaviour, seen: Callable[[Counts], Counts], says: str
) -> None:
    """A wrong metric name must not pass a bad release, nor fail a good one: down, empty, or of another slot."""
    shifted.behaviours["1.1.0"], shifted.seen = behaviour, seen
    verdict, seconds = judged(shifted, file, HOLD)
    assert (verdict.outcome, seconds) == (Outcome.INCONCLUSIVE, 60)
    assert says in verdict.words


def test_figures_that_come_back_are_judged_on(shifted: Twin, file: ReleaseFile) -> None:
    shifted.seen = down
    after(shifted, 30, lambda: setattr(shifted, "seen", lambda counts: counts))
    verdict, seconds = judged(shifted, file, HOLD)
    assert verdict.outcome is Outcome.PASS
    assert 30 + HOLD.seconds <= seconds <= 30 + HOLD.seconds + 2


def test_a_latency_that_is_no_number_passes_nobody(shifted: Twin, file: ReleaseFile) -> None:
    """The old slot tells one, so the new one must."""
    shifted.seen = without_latency
    verdict, _ = judged(shifted, file, HOLD)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "green tells no latency to compare with blue" in verdict.words


def test_an_artefact_that_tells_no_latency_is_judged_by_its_failures(shifted: Twin, file: ReleaseFile) -> None:
    """Neither slot does: the verdict says what it did not look at."""
    shifted.seen = lambda counts: {n: msgspec.structs.replace(tally, slow=None) for n, tally in counts.items()}
    verdict, _ = judged(shifted, file, HOLD)
    assert verdict.outcome is Outcome.PASS
    assert "latency was not judged" in verdict.words


@pytest.mark.parametrize("stale", ["green", "blue"])
def test_figures_that_stand_still_pass_nobody(shifted: Twin, file: ReleaseFile, stale: str) -> None:
    """Enough was seen before, but nothing is known of the slot by now."""
    kept: dict[str, Tally] = {}

    def seen(counts: Counts) -> Counts:
        if shifted.clock > frozen:
            return {**counts, stale: kept[stale]}
        kept.update(counts)
        return counts

    frozen, shifted.seen = shifted.clock + 7, seen
    verdict, _ = judged(shifted, file, HOLD)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert f"the figures of {stale} stand still" in verdict.words
    assert "older than 3 s (from Prometheus: have it scrape more often)" in verdict.words


def test_a_service_with_little_traffic_is_not_called_stale(shifted: Twin, file: ReleaseFile) -> None:
    """Seconds without a request are its ordinary day."""
    shifted.rate = 20
    after(shifted, 20, lambda: setattr(shifted, "rate", 0.5))
    verdict, _ = judged(shifted, file, msgspec.structs.replace(HOLD, seconds=25))
    assert verdict.outcome is Outcome.PASS


def test_counters_that_begin_anew_lose_a_block_and_nothing_else(shifted: Twin, file: ReleaseFile) -> None:
    """A slot or the source was started again: what was counted before is not taken away, and no failure appears."""
    base: dict[str, Tally] = {}

    def seen(counts: Counts) -> Counts:
        if shifted.clock < anew:
            base.update(counts)
            return counts
        return {**counts, "green": counts["green"].since(base["green"])}

    anew, shifted.seen = shifted.clock + 4, seen
    verdict, seconds = judged(shifted, file, HOLD)
    assert (verdict.outcome, seconds) == (Outcome.PASS, 10)
    assert "0 of 4,500 failed (0 %) in the new slot" in verdict.words


@contextmanager
def hanging(twin: Twin) -> Iterator[None]:
    """The source of figures answers nobody, and is waited for as long as it is in earnest."""
    over = threading.Event()

    def seen(counts: Counts) -> Counts:
        over.wait(60)
        return counts

    twin.seen = seen
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(source, "WAIT_S", WAIT_S)
            yield
    finally:
        over.set()


def asked() -> set[threading.Thread]:
    """The calls that have not ended."""
    return {thread for thread in threading.enumerate() if thread.name.startswith("aside ")}


def test_a_source_that_hangs_holds_the_release_and_is_asked_once(shifted: Twin, file: ReleaseFile) -> None:
    before = asked()
    with hanging(shifted):
        verdict, seconds = judged(shifted, file, HOLD)
        assert (verdict.outcome, seconds) == (Outcome.INCONCLUSIVE, 60)
        assert "the source of figures has not answered for 60 s" in verdict.words
        assert len(asked() - before) == 1


@pytest.mark.parametrize(
    ("behaviour", "says"),
    [
        (Behaviour(crashes=True), "green is not running any more"),
        (Behaviour(ready_s=float("inf")), "green is not ready any more"),
        (Behaviour(broken=("/health",)), "green answers /health with 500"),
    ],
)
def test_a_source_that_hangs_does_not_hide_a_dead_slot(
    shifted: Twin, file: ReleaseFile, behaviour: Behaviour, says: str
) -> None:
    after(shifted, 5, lambda: shifted.behaviours.update({"1.1.0": behaviour}))
    with hanging(shifted):
        verdict, seconds = judged(shifted, file, HOLD)
    assert verdict == Verdict(Outcome.FAIL, says)
    assert seconds < 10


def test_a_source_that_is_slow_is_taken_as_it_comes(file: ReleaseFile) -> None:
    """What comes after a look belongs to the next one; no request is lost between two."""
    answers, counts = threading.Semaphore(0), iter([Tally(100), Tally(200), Tally(400)])

    def read() -> Counts:
        answers.acquire(timeout=60)
        return {"green": next(counts)}

    figures, found = Figures(read, ("green",), latency=False), []
    for at in range(3):
        assert figures.look(at) is None
        assert "has not answered" in figures.trouble
        answers.release()
        while (block := figures.look(at)) is None and figures.trouble:
            pass
        found.append(block and block["green"].requests)
    assert found == [None, 100, 200]


def test_a_slot_whose_readiness_flaps_at_the_end_of_the_window_is_not_passed_then(
    shifted: Twin, file: ReleaseFile
) -> None:
    """Every second look finds it unready: nobody passes in such a second, and requests that fail for it count."""
    begun = shifted.clock

    def tick() -> None:
        unready = int(shifted.clock - begun) % 2 == 0 and 8 < shifted.clock - begun < 13
        shifted.behaviours["1.1.0"] = Behaviour(ready_s=float("inf") if unready else 1)

    shifted.on_tick = tick
    shifted.seen = lambda counts: {n: msgspec.structs.replace(t, failed=0) for n, t in counts.items()}
    verdict, seconds = judged(shifted, file, HOLD)
    assert (verdict.outcome, seconds) == (Outcome.PASS, 11)


def test_a_platform_that_cannot_be_seen_refuses_nobody_that_answers(shifted: Twin, file: ReleaseFile) -> None:
    shifted.observe_error = "the admin port does not answer"
    verdict, _ = judged(shifted, file, HOLD)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "the admin port does not answer" in verdict.words
    shifted.behaviours["1.1.0"] = Behaviour(broken=("/health",))
    assert judged(shifted, file, HOLD)[0].outcome is Outcome.FAIL


@pytest.mark.parametrize(
    ("behaviour", "outcome"),
    [
        (Behaviour(), Outcome.PASS),
        (Behaviour(failed=0.02), Outcome.FAIL),
        (Behaviour(failed=0.0045), Outcome.INCONCLUSIVE),
        (Behaviour(broken=("/cart",)), Outcome.FAIL),
    ],
)
def test_a_bake_judges_the_new_slot_alone(
    shifted: Twin, file: ReleaseFile, behaviour: Behaviour, outcome: Outcome
) -> None:
    """By the share that may fail, and by the checks in the end. The old slot is drained and stands still."""
    shifted.edit(Target(Weights(0, 100)))
    shifted.behaviours["1.1.0"] = behaviour
    assert judged(shifted, file, BAKE)[0].outcome is outcome


def test_an_old_slot_that_answers_nothing_holds_no_bake(shifted: Twin, file: ReleaseFile) -> None:
    shifted.edit(Target(Weights(0, 100)))
    shifted.retire("blue", 9)
    assert judged(shifted, file, BAKE)[0].outcome is Outcome.PASS


def staged(file_at: Callable[..., Path], steps: str) -> ReleaseFile:
    text = FILE.replace("steps: [5, 50, 100]", f"steps: {steps}\naudience: {{share: 2, headers: {{x-beta: yes}}}}")
    return read_release_file(file_at(text.replace("x-beta: yes", 'x-beta: "yes"')))


def test_a_release_that_fails_copies_of_reads_is_refused_and_no_user_notices(
    twin: Twin, file_at: Callable[..., Path], caller: Caller
) -> None:
    """The shadow stage: its analysis load was good, its answers to the users' own reads are not."""
    twin.on_tick = lambda: twin.current.target.mirror and twin.behaviours.update({"1.1.0": Behaviour(failed=0.05)})
    with pytest.raises(Reverted, match=r"hold of green: \d+ of"):
        engine.deploy(twin, staged(file_at, "[shadow, 50, 100]"), "1.1.0", caller)
    assert (twin.slots["blue"].users.failed, twin.current.target) == (0, Target.all_on("blue"))


def test_an_audience_that_is_hurt_refuses_the_release_for_everybody(
    twin: Twin, file_at: Callable[..., Path], caller: Caller
) -> None:
    twin.on_tick = lambda: twin.current.target.first and twin.behaviours.update({"1.1.0": Behaviour(failed=0.05)})
    with pytest.raises(Reverted, match="hold of green"):
        engine.deploy(twin, staged(file_at, "[audience, 50, 100]"), "1.1.0", caller)
    assert (twin.slots["blue"].users.failed, twin.current.target) == (0, Target.all_on("blue"))


def test_a_good_release_goes_through_copies_and_audience_to_everybody(
    twin: Twin, file_at: Callable[..., Path], caller: Caller
) -> None:
    done = engine.deploy(twin, staged(file_at, "[shadow, audience, 50, 100]"), "1.1.0", caller)
    assert [word.split(":")[0] for word in done.verdicts] == ["smoke", "analysis", "hold", "hold", "hold", "bake"]
    assert twin.current.weights == Weights(0, 100)


@pytest.mark.parametrize("stage", [Stage.SHADOW, Stage.AUDIENCE])
def test_a_stage_that_gets_no_traffic_holds(shifted: Twin, file: ReleaseFile, stage: Stage) -> None:
    shifted.edit(Target(Weights(100, 0)))
    verdict, _ = judged(shifted, file, msgspec.structs.replace(HOLD, stage=stage))
    assert verdict.outcome is Outcome.INCONCLUSIVE


def test_a_hold_stands_in_an_engine_that_stays_where_it_is(twin: Twin, file: ReleaseFile, caller: Caller) -> None:
    """Undecided moves nobody: the weights stay, the slot stays, and the words say what is missing."""
    twin.on_tick = lambda: setattr(twin, "seen", labelled if twin.current.weights == Weights(95, 5) else lambda c: c)
    with pytest.raises(Undecided, match="are their labels right"):
        engine.deploy(twin, file, "1.1.0", caller)
    assert twin.current.weights == Weights(95, 5)
