"""The demo's story over the twin, and the demo's own judgement of it."""

import msgspec

from scripts.demo.story import BAD, Played, acts, play
from scripts.release.engine import Caller
from scripts.release.file import ReleaseFile
from scripts.release.route import Weights
from scripts.release.twin import Behaviour, Twin

CALLER = Caller("tester")


def told(twin: Twin, file: ReleaseFile) -> list[Played]:
    return [play(act, twin, file, CALLER) for act in acts("1.0.0")]


def test_the_story_ends_as_told(twin: Twin, file: ReleaseFile) -> None:
    """A good release, a rollback, the good one again, and a bad one that its gate refuses."""
    twin.behaviours[BAD] = Behaviour(slow=1.0)
    played = told(twin, file)
    assert [(act.words, True) for act in played] == [(act.words, act.as_told) for act in played]
    assert ["", "", "", "blue"] == [act.refused_slot for act in played]
    assert twin.current.weights == Weights.with_share("green", 100)


def test_a_bad_release_that_is_let_in_is_not_as_told(twin: Twin, file: ReleaseFile) -> None:
    """Where the gate does not refuse, the demo says so instead of calling it a success."""
    last = told(twin, file)[-1]
    assert (last.as_told, last.refused_slot) == (False, "")
    assert last.words.startswith("should have been refused")


def test_a_good_release_that_is_refused_is_not_as_told(twin: Twin, file: ReleaseFile) -> None:
    """The first act of a version that fails ends as a refusal, and is not hidden."""
    twin.behaviours["1.1.0"] = Behaviour(failed=0.08)
    first = play(acts("1.0.0")[0], twin, file, CALLER)
    assert (first.as_told, first.refused_slot) == (False, "green")
    assert "refused by analysis" in first.words


def test_the_cut_overs_of_an_act_are_kept(twin: Twin, file: ReleaseFile) -> None:
    """Each shift of the first act is a cut-over to be printed."""
    first = play(acts("1.0.0")[0], twin, file, CALLER)
    assert list(file.settings.steps) == [cut.weights.of("green") for cut in first.cut_overs]
    assert msgspec.to_builtins(first)["as_told"] is True


def test_an_act_that_cannot_be_decided_is_told_and_does_not_stop_the_demo(twin: Twin, file: ReleaseFile) -> None:
    """A gate without figures ends the act; the demo goes on to its verdict and report."""
    twin.load_error = "no tokens"
    first = play(acts("1.0.0")[0], twin, file, CALLER)
    assert not first.as_told
    assert "stuck" in first.words
    assert "no tokens" in first.words
