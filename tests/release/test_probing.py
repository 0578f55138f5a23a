"""Probes of the users' route: what they say of it, and what they do not say of a slot."""

from __future__ import annotations

import itertools

import msgspec
import pytest

from scripts.release import engine
from scripts.release.engine import Caller
from scripts.release.errors import Reverted
from scripts.release.file import Kubernetes, ReleaseFile, override_one
from scripts.release.gates.verdict import GateFailed
from scripts.release.probing import PROBE_S, probed
from scripts.release.route import Target, Weights
from scripts.release.slots import Answer
from scripts.release.step import Kind, Step
from scripts.release.twin import Behaviour, Twin
from tests.release.runs import run_of

DOWN = Behaviour(broken=("/health",))
SHARED = Target(Weights(95, 5))
VERIFY = Step(Kind.VERIFY, "green", "probes on the users' route see it", target=SHARED)
BLUE, GREEN, NOBODY = Answer(200, "blue"), Answer(200, "green"), Answer(0, "", "reset")


def with_steps(file: ReleaseFile, steps: str) -> ReleaseFile:
    return msgspec.structs.replace(file, settings=override_one(file.settings, f"steps={steps}"))


def answering(twin: Twin, monkeypatch: pytest.MonkeyPatch, *answers: Answer) -> None:
    """These come one after the other, and the last one for ever."""
    found = itertools.chain(answers, itertools.repeat(answers[-1]))
    monkeypatch.setattr(twin, "ask", lambda request: next(found))


def test_a_fix_is_brought_in_while_the_old_slot_fails_every_probe(
    twin: Twin, file: ReleaseFile, caller: Caller
) -> None:
    """How the old slot answers says nothing against the new one, nor against the route."""
    twin.behaviours["1.0.0"] = DOWN
    assert engine.deploy(twin, file, "1.1.0", caller).words.startswith("1.1.0 on green has all users")


def test_a_rollback_ends_in_an_outage_of_both_slots(twin: Twin, file: ReleaseFile, caller: Caller) -> None:
    """Probes say who answers, and a way back needs to know no more."""
    engine.deploy(twin, file, "1.1.0", caller)
    twin.behaviours |= {"1.0.0": DOWN, "1.1.0": DOWN}
    assert engine.rollback(twin, file, caller).words == "1.0.0 on blue has all users; 1.1.0 on green is rejected"


def test_a_new_slot_that_fails_its_probes_is_refused(twin: Twin, file: ReleaseFile, caller: Caller) -> None:
    def tick() -> None:
        if twin.current.weights == Weights(95, 5):
            twin.behaviours["1.1.0"] = DOWN

    twin.on_tick = tick
    with pytest.raises(Reverted, match="refused by verify"):
        engine.deploy(twin, file, "1.1.0", caller)
    assert twin.current.weights == Weights(100, 0)


def test_where_no_answer_names_its_slot_only_good_ones_count(
    twin: Twin, file: ReleaseFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The slot is then taken from the route: it says nothing of who answers."""
    place = Kubernetes("shop", image="shop:1", slot_header="")
    nameless = msgspec.structs.replace(file.settings, platform="kubernetes", kubernetes=place)
    run = run_of(twin, msgspec.structs.replace(file, settings=nameless))
    run.verb = "rollback"
    answering(twin, monkeypatch, Answer(503, "blue"))
    with pytest.raises(GateFailed, match="answered with 503 by blue"):
        probed(run, msgspec.structs.replace(VERIFY, slot="blue", target=Target.all_on("blue")))


def test_one_bad_answer_does_not_make_unseen_what_was_seen(
    twin: Twin, file: ReleaseFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slot with a small share is drawn rarely."""
    answering(twin, monkeypatch, GREEN, NOBODY, BLUE)
    assert probed(run_of(twin, file), VERIFY)[0] == 7


def test_a_small_share_has_the_time_to_be_drawn(twin: Twin, file: ReleaseFile, caller: Caller) -> None:
    """One probe in a hundred goes to the new slot, and a hundred of these take longer than timeouts.verify."""
    twin.behaviours |= {version: Behaviour(takes_s=0.06) for version in ("1.0.0", "1.1.0")}
    done = engine.deploy(twin, with_steps(file, "[1, 100]"), "1.1.0", caller)
    assert done.words.startswith("1.1.0 on green has all users")


def test_a_share_that_is_never_drawn_is_refused_all_the_same(
    twin: Twin, file: ReleaseFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(twin, monkeypatch, GREEN)
    step = msgspec.structs.replace(VERIFY, slot="blue", target=Target(Weights(2, 98)))
    with pytest.raises(GateFailed, match=r"in 12\.5 s \(2\.5 times timeouts\.verify, for 2 % of the probes\)"):
        probed(run_of(twin, file), step)


def test_what_the_old_route_drew_is_no_sight_of_the_new_one(
    twin: Twin, file: ReleaseFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of the users were there already: that one more of them is says nothing."""
    answering(twin, monkeypatch, GREEN, BLUE, GREEN)
    begun = twin.clock
    probes, seen = probed(run_of(twin, file), msgspec.structs.replace(VERIFY, target=Target.all_on("green")))
    assert (probes, seen) == (7, pytest.approx(begun + 2 * PROBE_S))


def test_a_small_share_that_was_drawn_and_fails_is_not_waited_for(
    twin: Twin, file: ReleaseFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(twin, monkeypatch, *[Answer(500, "blue"), GREEN] * 5)
    step = msgspec.structs.replace(VERIFY, slot="blue", target=Target(Weights(1, 99)))
    with pytest.raises(GateFailed, match=r"in 5 s \(timeouts\.verify\)"):
        probed(run_of(twin, file), step)
