"""A release that is good until it has all users, and what it costs them before the engine has brought them back."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from loadtest.recording import Recording
from scripts.demo.story import Act, End
from scripts.release import engine
from scripts.release.file import ReleaseFile
from scripts.release.platform import Platform
from scripts.release.step import Kind, Step

LATE = "1.1.0"
SHARE = 0.05  # of its answers: small enough to need counting, a hundred times what the targets allow
ANSWER = "status 500"  # of a broken slot; the edge's own words about a switch gone wrong are 502 to 504
IN_FLIGHT_S = 1.0  # a request may be this old when the fault meets it

Break = Callable[[str], object]  # breaks the release in a slot


class Hurt(msgspec.Struct, frozen=True):
    """The users' requests that a release failed after it had got all users."""

    slot: str
    failed: int
    seconds: float  # from its fault to the last of them


def late_acts(first: str, breaks: Break) -> tuple[Act, ...]:
    """A release that every gate lets pass, and that breaks in its bake; `first` is the version that is live."""
    title = f"{LATE} gets all users, then fails {SHARE:.0%} of their requests; they must come back by themselves"

    def play(platform: Platform, file: ReleaseFile, caller: engine.Caller) -> engine.Done:
        def on_step(step: Step) -> None:
            caller.on_step(step)
            if step.kind is Kind.BAKE:
                caller.on_event(platform.now(), "fault", f"{LATE} on {step.slot} begins to fail {SHARE:.0%}", "")
                breaks(step.slot)

        watching = msgspec.structs.replace(caller, on_step=on_step)
        return engine.deploy(platform, file, LATE, watching, engine.Options(env={"FAULTS_ENABLED": "1"}))

    return (Act(title, End.BROUGHT_BACK, first, play),)


def users_hurt(recording: Recording, slot: str, broke: float, returned: float) -> Hurt:
    """What `slot` failed between its fault and the return of the users, both in Unix seconds.

    Only its own answers count: whatever else failed was lost by somebody else.
    """
    earliest, latest = broke - recording.epoch - IN_FLIGHT_S, returned - recording.epoch
    found = [
        failure
        for failure in recording.failures
        if failure.slot == slot and failure.kind == ANSWER and earliest <= failure.first and failure.last <= latest
    ]
    last = max((failure.last for failure in found), default=0.0) - (broke - recording.epoch)
    return Hurt(slot, sum(failure.count for failure in found), max(0.0, last))
