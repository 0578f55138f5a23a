"""What the demo says of itself at the end: the worst finding decides the exit code."""

import fcntl
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from loadtest.launch import BadRun
from loadtest.recording import Recording
from scripts.demo.ending import code
from scripts.demo.errors import DemoError
from scripts.demo.home import fresh_system
from scripts.demo.run import Demo, Options, lost, run
from scripts.demo.screen import Screen
from scripts.demo.story import Played
from scripts.exits import Exit
from scripts.local.errors import LockedError
from slo.objective import Outcome
from tests.report.example import recording

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def example() -> Recording:
    return recording()


def but(demo: Demo, **changes: object) -> Demo:
    return msgspec.structs.replace(demo, **changes)


def judged(demo: Demo, **changes: object) -> Demo:
    return but(demo, result=msgspec.structs.replace(demo.result, **changes))


def test_a_demo_that_went_well_ends_with_done(demo: Demo) -> None:
    """Valid, every target met, nothing lost: 0."""
    assert code(demo) == Exit.DONE


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [(Outcome.FAIL, Exit.SLO_MISSED), (Outcome.INCONCLUSIVE, Exit.INCONCLUSIVE), (Outcome.ERROR, Exit.ERROR)],
)
def test_the_verdict_decides_when_the_profile_proves(demo: Demo, outcome: Outcome, expected: Exit) -> None:
    """Each verdict has its own exit code; a profile that only shows the mechanics has none."""
    assert code(judged(demo, outcome=outcome)) == expected
    assert code(but(judged(demo, outcome=outcome), proves=False)) == Exit.DONE


def test_an_invalid_run_is_never_green(demo: Demo) -> None:
    """A generator that cannot be believed ends with 4 whatever the verdict and the profile."""
    assert code(judged(demo, valid=False)) == Exit.RUN_INVALID
    assert code(but(judged(demo, valid=False), proves=False)) == Exit.RUN_INVALID


@pytest.mark.parametrize(
    "changes",
    [
        {"lost": 1},
        {"reached_bad": 1},
        {"played": (Played("an act", 0, 1, as_told=False, words="went wrong"),)},
    ],
)
def test_a_lost_request_or_a_broken_story_fails_whatever_the_verdict(demo: Demo, changes: dict[str, object]) -> None:
    """One lost request, one user on the bad release or one act not as told: 1."""
    assert code(but(demo, **changes)) == Exit.ERROR


def test_a_folder_that_is_not_the_demos_is_left_alone(tmp_path: Path) -> None:
    """The demo empties its own home only."""
    (tmp_path / "thesis.txt").write_text("years of work")
    with (
        pytest.raises(DemoError, match="not empty and was not made by the demo"),
        fresh_system(tmp_path, Screen("t"), out=tmp_path / "out"),
    ):
        pytest.fail("it started all the same")
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_a_folder_for_the_report_that_cannot_be_made_stops_it_before_anything_is_started(tmp_path: Path) -> None:
    """Nothing is made of the demo's home either."""
    (tmp_path / "file").touch()
    with pytest.raises(BadRun, match="give another --out"), Screen("a demo") as screen:
        run(Options("smoke", tmp_path / "home", tmp_path / "file"), screen)
    assert not (tmp_path / "home.lock").exists()


def test_what_the_cluster_needs_and_is_not_installed_is_named_with_how_to_get_it(tmp_path: Path) -> None:
    """In an environment that `make demo` has made."""
    code = "import sys; sys.modules['cyclonedx'] = None; from scripts.cli import main; main()"
    argv = [sys.executable, "-c", code, "demo", "--cluster", "--home", str(tmp_path / "home"), "--out", str(tmp_path)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT)
    assert Exit.USAGE == done.returncode
    assert "make .venv/.dev" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_second_demo_in_the_same_home_is_refused(tmp_path: Path) -> None:
    """The first one keeps its system; the second is told whose it is."""
    with (tmp_path / "home.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with (
            pytest.raises(LockedError, match="another demo runs in"),
            fresh_system(tmp_path / "home", Screen("t"), out=tmp_path / "out"),
        ):
            pytest.fail("it started all the same")


def test_dropped_requests_are_not_lost_ones(example: Recording) -> None:
    """What the generator never sent makes a run invalid; only what was sent can be lost."""
    steady = next(s for s in example.seconds if s.phase == "steady" and not s.failed)
    before = lost(example)
    changed = [msgspec.structs.replace(s, dropped=9) if s is steady else s for s in example.seconds]
    assert before == lost(msgspec.structs.replace(example, seconds=tuple(changed)))
    changed = [msgspec.structs.replace(s, failed=9) if s is steady else s for s in example.seconds]
    assert before + 9 == lost(msgspec.structs.replace(example, seconds=tuple(changed)))
