"""A release that breaks when it has all users: the story over the twin, whose requests it cost, and one real run."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from loadtest.recording import Failure, Recording
from scripts.demo.ending import code
from scripts.demo.late import LATE, Hurt, late_acts, users_hurt
from scripts.demo.run import Demo
from scripts.demo.story import Played, play
from scripts.exits import Exit
from scripts.local.processes import marked
from scripts.release.engine import Caller
from scripts.release.file import ReleaseFile
from scripts.release.route import Weights
from scripts.release.twin import Behaviour, Twin
from slo.objective import Outcome
from tests.report.example import recording

ROOT = Path(__file__).parent.parent.parent
CALLER = Caller("tester")


def told(twin: Twin, file: ReleaseFile, *, failed: float) -> Played:
    """The story, with a release that begins to fail this share of its requests in its bake."""

    def breaks(slot: str) -> None:
        twin.behaviours[LATE] = Behaviour(failed=failed)

    (act,) = late_acts("1.0.0", breaks)
    return play(act, twin, file, CALLER)


def test_a_release_that_breaks_with_all_users_is_brought_back_by_the_engine(twin: Twin, file: ReleaseFile) -> None:
    """Every gate let it pass, it had all users, and the old version has them again; the bad slot is named."""
    played = told(twin, file, failed=0.05)
    assert (True, "green", "") == (played.as_told, played.left_slot, played.refused_slot), played.words
    assert Weights(100, 0) == twin.current.weights
    assert f"route {Weights(0, 100)}" in twin.calls


def test_a_release_that_does_not_break_is_not_the_story(twin: Twin, file: ReleaseFile) -> None:
    """It ends live, and the demo says that it should not have."""
    played = told(twin, file, failed=0.0)
    assert (False, "") == (played.as_told, played.left_slot)
    assert played.words.startswith("should have been taken back by the engine")


def test_a_release_that_is_refused_before_it_has_all_users_is_not_the_story(twin: Twin, file: ReleaseFile) -> None:
    """A gate that sees the fault early is another story."""
    twin.behaviours[LATE] = Behaviour(failed=0.08)
    played = told(twin, file, failed=0.08)
    assert (False, "green", "") == (played.as_told, played.refused_slot, played.left_slot)


def failure(slot: str, first: float, last: float, kind: str = "status 500") -> Failure:
    return Failure(kind, "GET /tasks", slot, 10, first, last, "500 {}")


@pytest.fixture
def example() -> Recording:
    return recording()


def test_only_what_the_broken_slot_answered_in_its_time_is_put_down_to_it(example: Recording) -> None:
    """Failures of the other slot, of no slot, of the edge, or from before and after were lost by somebody else."""
    broke, returned = example.epoch + 40, example.epoch + 43
    others = (
        failure("blue", 41, 42),
        failure("", 41, 42, "timeout"),
        failure("green", 41, 42, "status 503"),
        failure("green", 30, 42),
        failure("green", 41, 50),
    )
    mine = (failure("green", 40.1, 41.5), failure("green", 39.9, 42.25))
    found = msgspec.structs.replace(example, failures=(*others, *mine))
    assert Hurt("green", 20, 2.25) == users_hurt(found, "green", broke, returned)
    assert Hurt("green", 0, 0.0) == users_hurt(
        msgspec.structs.replace(example, failures=others), "green", broke, returned
    )


def test_a_missed_error_target_does_not_fail_the_story_about_it(demo: Demo) -> None:
    """Users who were hurt by the broken release alone: 0. One lost beside them, or none hurt at all: 1."""
    late = msgspec.structs.replace(demo, hurt=Hurt("green", 70, 1.5))
    late = msgspec.structs.replace(late, result=msgspec.structs.replace(late.result, outcome=Outcome.FAIL))
    assert Exit.DONE == code(late)
    assert Exit.ERROR == code(msgspec.structs.replace(late, lost=1))
    assert Exit.ERROR == code(msgspec.structs.replace(late, hurt=Hurt("green", 0, 0.0)))
    assert Exit.RUN_INVALID == code(
        msgspec.structs.replace(late, result=msgspec.structs.replace(late.result, valid=False))
    )


@pytest.mark.faults
def test_the_command_tells_the_story_and_counts_the_users_hurt(home: Path) -> None:
    """On real processes under load: brought back without a person, and nothing lost but by the bad slot.

    On a busy machine the generator may not be believed; what became of the requests is known all the same.
    """
    argv = [sys.executable, "-m", "scripts.cli", "demo", "--late-fault", "--profile", "smoke", "--json"]
    argv += ["--home", str(home), "--out", str(home.parent / "out")]
    run = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=180, check=False)
    assert run.returncode in (Exit.DONE, Exit.RUN_INVALID), run.stderr
    found = msgspec.json.decode(run.stdout)
    assert [True] == [act["as_told"] for act in found["acts"]]
    assert ("green", 0) == (found["hurt"]["slot"], found["lost"])
    assert found["hurt"]["failed"] > 0
    assert "to fail 5%" in run.stderr
    assert [] == marked(home)
