"""A gate that watches users has until a written time: killed, it is gone on with, or said to be overdue."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from scripts.commands.release.text import status_lines
from scripts.release import engine
from scripts.release.doctor import examine
from scripts.release.engine import Caller, Done
from scripts.release.errors import Undecided
from scripts.release.file import ReleaseFile
from scripts.release.gates.traffic import LOOK_S
from scripts.release.route import Target, Weights
from scripts.release.status import status
from scripts.release.twin import Behaviour, Twin
from tests.release.killing import killed_behind

BOB = Caller("bob@desk", "her laptop died")
LIMIT_S = 60
GATES = pytest.mark.parametrize("gate", ["hold", "bake"])


def killed_after(twin: Twin, file: ReleaseFile, caller: Caller, gate: str, seconds: float) -> float:
    """A deploy whose process dies so long after this gate began to watch; until when it had been given time."""
    with killed_behind(twin, "watch", gate):
        engine.deploy(twin, file, "1.1.0", caller)
    twin.sleep(seconds)
    watching = engine.look(twin).memory.watching
    assert watching
    return watching.until


def text(twin: Twin) -> str:
    return "\n".join(status_lines(status(engine.look(twin), twin.holder()), twin.now()))


def drifts(twin: Twin, file: ReleaseFile) -> dict[str, str]:
    return {each.where: f"{each.what} → {each.mend}" for each in examine(twin, file)}


@GATES
@pytest.mark.parametrize("verb", [engine.resume, engine.promote])
def test_who_goes_on_with_a_gate_gets_no_more_time_than_it_had(
    twin: Twin, file: ReleaseFile, caller: Caller, gate: str, verb: Callable[..., Done]
) -> None:
    """What the killed engine saw is not counted, and that is said."""
    until, said = killed_after(twin, file, caller, gate, 40), list[str]()
    assert until == twin.clock - 40 + LIMIT_S
    twin.on_tick = lambda: setattr(twin, "rate", 0 if twin.clock >= until - 19 else 1000)  # just after it was asked
    hears = Caller("bob@desk", on_event=lambda at, kind, label, detail: said.append(f"{label}: {detail}"))
    with pytest.raises(Undecided):
        verb(twin, file, hears)
    assert until <= twin.clock <= until + LOOK_S
    assert f"{gate} of green goes on: 19 s of its limit are left; what an earlier run saw is not counted" in said


@GATES
def test_a_gate_that_is_gone_on_with_sees_a_whole_window_anew(
    twin: Twin, file: ReleaseFile, caller: Caller, gate: str
) -> None:
    """Good figures from before the kill pass nothing."""
    until, begun = killed_after(twin, file, caller, gate, 19), twin.clock
    engine.resume(twin, file, BOB)
    passed = next(e for e in twin.journal.entries if (e.actor, e.phase, e.step) == ("bob@desk", "done", gate))
    assert begun + getattr(file.settings, gate).duration <= passed.at < until


@GATES
def test_a_gate_whose_time_is_over_is_said_to_be_watched_by_nobody(
    twin: Twin, file: ReleaseFile, caller: Caller, gate: str
) -> None:
    """By `status` and `doctor`, with the verbs that come next; before that `status` says how much time is left."""
    until = killed_after(twin, file, caller, gate, 30)
    whose = {"hold": "5 %", "bake": "all users"}[gate]
    what = f"{gate} of 1.1.0 on green ({whose})"
    assert f"{what}, which nobody watches; 30 s left, then it is overdue" in text(twin)
    assert "deadline" not in drifts(twin, file)
    twin.clock = until
    mends = "`primetrade release resume` watches anew, `primetrade release rollback` takes it back"
    assert f"{what}, which nobody watches: overdue; {mends}" in text(twin)
    assert drifts(twin, file)["deadline"].startswith(f"{what} had to be decided by ")
    assert drifts(twin, file)["deadline"].endswith(f", is not, and nobody watches → {mends}")


@GATES
def test_time_alone_passes_no_gate_and_takes_nothing_back(
    twin: Twin, file: ReleaseFile, caller: Caller, gate: str
) -> None:
    """Users stay where they are, whatever is reaped."""
    killed_after(twin, file, caller, gate, 0)
    twin.clock += 24 * 3600
    before, twin.calls = twin.current, []
    assert engine.reap(twin, file, BOB).words.startswith("nothing to do: ")
    assert (twin.current, twin.calls) == (before, [])
    assert "overdue" in text(twin)


@GATES
def test_what_is_overdue_is_mended_by_the_verbs_that_are_named(
    twin: Twin, file: ReleaseFile, caller: Caller, gate: str
) -> None:
    """`resume` has the whole time again, since nobody watched meanwhile; then nothing is overdue any more."""
    killed_after(twin, file, caller, gate, LIMIT_S + 1)
    begun = twin.clock
    assert engine.resume(twin, file, BOB).words == "1.1.0 on green has all users; 1.0.0 on blue is warm"
    again = next(e for e in twin.journal.entries if (e.actor, e.phase, e.step) == ("bob@desk", "watch", gate))
    assert again.until
    assert again.until - begun >= LIMIT_S
    assert engine.look(twin).memory.watching is None
    assert drifts(twin, file) == {}
    engine.rollback(twin, file, BOB)
    killed_after(twin, file, caller, gate, LIMIT_S + 1)
    engine.rollback(twin, file, BOB)
    assert twin.current.target == Target.all_on("blue")
    assert engine.look(twin).memory.watching is None
    assert drifts(twin, file) == {}


def test_an_interrupted_bake_is_overdue_too(twin: Twin, file: ReleaseFile, caller: Caller) -> None:
    """ctrl-C ends it as it should; that nobody watches all the users afterwards is said all the same."""

    def interrupt() -> None:
        if engine.look(twin).memory.watching and twin.current.target == Target.all_on("green"):
            twin.on_tick = lambda: None
            raise KeyboardInterrupt

    twin.on_tick = interrupt
    with pytest.raises(KeyboardInterrupt):
        engine.deploy(twin, file, "1.1.0", caller)
    twin.clock += LIMIT_S
    assert "nobody watches" in drifts(twin, file)["deadline"]


def test_while_a_run_is_at_work_its_gate_has_its_time_and_somebody_watches(twin: Twin, file: ReleaseFile) -> None:
    found: list[str] = []

    def tick() -> None:
        if twin.current.weights == Weights(50, 50):
            found.append(text(twin))

    twin.on_tick = tick
    engine.deploy(twin, file, "1.1.0", Caller("ann@laptop"))
    assert "hold of 1.1.0 on green (50 %); 50 s left, then it stops, undecided" in found[-1]
    assert "nobody watches" not in "".join(found)


def test_a_gate_that_could_not_decide_in_time_is_given_its_time_again(
    twin: Twin, file: ReleaseFile, caller: Caller
) -> None:
    """By whoever resumes when there is more traffic."""
    twin.on_tick = lambda: setattr(twin, "rate", 0 if twin.journal.entries[-1].phase == "watch" else 1000)
    for _ in range(2):
        twin.sleep(1)
        begun = twin.clock
        with pytest.raises(Undecided):
            engine.resume(twin, file, BOB) if engine.look(twin).memory.open else deploys(twin, file, caller)
        assert twin.clock - begun >= LIMIT_S
    assert "overdue" in text(twin)


def deploys(twin: Twin, file: ReleaseFile, caller: Caller) -> Done:
    return engine.deploy(twin, file, "1.1.0", caller)


def test_a_clock_that_was_set_back_gives_no_more_than_the_limit(twin: Twin, file: ReleaseFile, caller: Caller) -> None:
    killed_after(twin, file, caller, "hold", 1)
    twin.clock -= 3600
    for slot in twin.slots.values():
        slot.started -= 3600  # what runs does not know what time it is
    begun = twin.clock
    twin.on_tick = lambda: setattr(twin, "rate", 0 if twin.clock > begun + 1 else 1000)
    with pytest.raises(Undecided):
        engine.resume(twin, file, BOB)
    assert twin.clock - begun <= LIMIT_S + 2


@pytest.mark.parametrize("ends", ["shift by hand", "abort", "refused"])
def test_a_release_that_moved_on_leaves_no_gate_behind(
    twin: Twin, file: ReleaseFile, caller: Caller, ends: str
) -> None:
    killed_after(twin, file, caller, "hold", 1)
    match ends:
        case "shift by hand":
            engine.shift(twin, file, 50, BOB)
        case "abort":
            engine.abort(twin, file, BOB)
        case "refused":
            twin.behaviours["1.1.0"] = Behaviour(failed=0.5)
            with killed_behind(twin, "failed", "hold"):
                engine.resume(twin, file, BOB)
    assert engine.look(twin).memory.watching is None
