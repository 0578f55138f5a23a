"""The engine over the twin: verbs, faults, kills and other actors in any order, and what must hold after each of them.

Every run tries the same histories, about half a minute of them. `STATE_MACHINE_EXAMPLES=5000` tries more, and
`STATE_MACHINE_SEED=7` others.
"""

from __future__ import annotations

import math
import os
import re
import signal
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, NamedTuple

import msgspec
from hypothesis import seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from app.migrate import Migration
from scripts.db import contract
from scripts.release import engine
from scripts.release.engine import Caller, Done, Options
from scripts.release.errors import Interrupted, Locked, ReleaseError, Reverted
from scripts.release.file import ReleaseFile, override_one
from scripts.release.journal import Entry, Holder
from scripts.release.memory import Role
from scripts.release.route import Target, Weights
from scripts.release.signals import Signals
from scripts.release.situation import Phase, Situation
from scripts.release.slots import Range
from scripts.release.status import next_command, stands
from scripts.release.twin import Behaviour
from tests.release.faulty import Faulty, Killed, Trap

EXAMPLES: Final = int(os.environ.get("STATE_MACHINE_EXAMPLES", "150"))
STEPS: Final = int(os.environ.get("STATE_MACHINE_STEPS", "25"))
SEED: Final = int(os.environ.get("STATE_MACHINE_SEED", "1"))
VERBS_TO_REST: Final = 5
CALLER: Final = Caller("ann@laptop", "ticket 7")
BOB: Final = Caller("bob@desk", "it hangs")
# What each version does; "late-N" turns bad once it bears N percent of the users.
VERSIONS: Final = {
    "good-1": Behaviour(schema=Range(1, 3)),
    "good-2": Behaviour(schema=Range(1, 4), ready_s=5),
    "good-3": Behaviour(schema=Range(3, 5)),
    "failing": Behaviour(failed=0.05),
    "slow": Behaviour(slow=0.2),
    "unready": Behaviour(ready_s=float("inf")),
    "crashing": Behaviour(crashes=True),
    "wrong": Behaviour(says="0.9"),
    "narrow": Behaviour(schema=Range(1, 2)),
    "broken": Behaviour(broken=("/cart",)),
    "late-5": Behaviour(schema=Range(1, 9)),
    "late-50": Behaviour(schema=Range(1, 9)),
    "late-100": Behaviour(schema=Range(1, 9)),
    "next": Behaviour(schema=Range(1, 9)),
}
TURNS: Final = {"late-5": 5, "late-50": 50, "late-100": 100}
STAGED: Final = (
    "steps=[shadow, audience, 50, 100]",
    "audience={share: 5, cookies: {beta: yes-please}}",
    "sticky=true",
    "approvals={before: [50], limit: 1h}",
    "preview={capacity: 50}",
    "artefact.replicas=2",
)


class Verb(NamedTuple):
    """A command with what it is given."""

    name: str
    version: str = ""
    percent: int = 0
    to_preview: bool = False
    all_at_once: bool = False


DEPLOYS: Final = [
    Verb("deploy", version, to_preview=to_preview, all_at_once=all_at_once)
    for version in VERSIONS
    for to_preview, all_at_once in ((False, False), (True, False), (False, True))
]
OTHERS: Final = [
    *(Verb("shift", percent=percent) for percent in (0, 5, 50, 100)),
    *(Verb("promote", all_at_once=once) for once in (False, True)),
    *(Verb(name) for name in ("abort", "rollback", "resume", "approve", "reap")),
]
DISTURBANCES: Final = [
    "kill",
    "lost",
    "signal",
    "hand",
    "journal",
    "blue dies",
    "green dies",
    "hours",
    "blind",
    "taken",
]
FAULTS: Final = ["figures", "blind", "load", "few", "blue dies", "green dies"]
verbs = st.one_of(st.sampled_from(DEPLOYS), st.sampled_from(OTHERS))
calls = st.one_of(st.integers(1, 12), st.integers(1, 150))


def do(twin: Faulty, file: ReleaseFile, verb: Verb, caller: Caller = CALLER) -> Done:
    """As the command line would."""
    match verb.name:
        case "deploy":
            options = Options(to_preview=verb.to_preview, all_at_once=verb.all_at_once)
            return engine.deploy(twin, file, verb.version, caller, options)
        case "promote":
            return engine.promote(twin, file, caller, all_at_once=verb.all_at_once)
        case "shift":
            return engine.shift(twin, file, verb.percent, caller)
    found = getattr(engine, verb.name)(twin, file, caller)
    assert isinstance(found, Done)
    return found


class Releases(RuleBasedStateMachine):
    """One service, and everything that may happen to it."""

    files: tuple[ReleaseFile, ...]

    def __init__(self) -> None:
        super().__init__()
        self.twin = Faulty(behaviours=dict(VERSIONS), turns=dict(TURNS), audience=0.05)
        self.file = self.files[0]
        self.level = 3  # of the database
        self.by_hand = False  # somebody edited the route, or took the journal away
        self.forgotten = False  # the latter
        self.touched = False  # either, ever

    @initialize(live=st.booleans(), staged=st.booleans())
    def begin(self, live: bool, staged: bool) -> None:
        self.file = self.files[staged]
        if live:
            engine.deploy(self.twin, self.file, "good-1", CALLER)

    # -- what people do

    @rule(verb=verbs)
    def act(self, verb: Verb) -> None:
        """A verb, undisturbed."""
        self._run(verb)

    @rule(verb=verbs, number=calls, after=st.booleans(), changes=st.booleans(), what=st.sampled_from(DISTURBANCES))
    def act_disturbed(self, verb: Verb, number: int, after: bool, changes: bool, what: str) -> None:
        """A verb to which something happens at one of its calls."""
        self.twin.set_trap(Trap(number, lambda: self._happens(what), after, changes))
        self._run(verb)

    @rule(verb=verbs, second=verbs, number=calls, changes=st.booleans())
    def act_beside(self, verb: Verb, second: Verb, number: int, changes: bool) -> None:
        """A second actor comes while the first is at work: it is locked out and changes nothing."""

        def comes() -> None:
            if self.twin.held is None:  # not yet, or not any more
                return
            before = self._state()
            try:
                do(self.twin, self.file, second, BOB)
            except Locked:
                assert before == self._state()
            else:
                raise AssertionError("two verbs at once")

        self.twin.set_trap(Trap(number, comes, changes=changes))
        self._run(verb)

    @rule(verb=verbs, second=verbs, number=calls, changes=st.booleans())
    def act_frozen(self, verb: Verb, second: Verb, number: int, changes: bool) -> None:
        """The first freezes, its lock is taken, a second runs; what the first does when it wakes changes nothing."""
        woken: list[object] = []

        def freezes() -> None:
            if self.twin.held is None:
                return
            engine.unlock(self.twin, BOB, force=True)
            with suppress(ReleaseError):
                do(self.twin, self.file, second, BOB)
            woken.append((self._state(), len(self.twin.journal.entries)))

        self.twin.set_trap(Trap(number, freezes, changes=changes))
        self._run(verb, alone=False)
        if woken:
            assert woken == [(self._state(), len(self.twin.journal.entries))], (
                "a run without its lock changed something"
            )

    @rule(follows=st.booleans())
    def contract(self, follows: bool) -> None:
        """The database leaves a shape behind, where the command allows it; the file is edited to follow, or is not."""
        try:
            now = engine.look(self.twin)
            contract.refuse(now, Migration(self.level + 1, f"{self.level + 1:04d}_drop.sql", "", ""))
        except ReleaseError:
            return
        self.level += 1
        with self.twin.lock(Holder("ann@laptop", "c", "contract", "", 1)) as fence:
            for phase in ("begin", "done", "end"):
                entry = Entry(
                    self.twin.clock, "", f"c{fence}", fence, "contract", "ann", phase, step="contract", level=self.level
                )
                self.twin.journal.append(entry)
        if follows:
            schema = msgspec.structs.replace(self.file.settings.schema, max=self.level)
            self.file = msgspec.structs.replace(
                self.file, settings=msgspec.structs.replace(self.file.settings, schema=schema)
            )

    # -- what happens by itself

    @rule(what=st.sampled_from(FAULTS))
    def breaks(self, what: str) -> None:
        self._happens(what)

    @rule(blue=st.sampled_from([0, 30, 100]))
    def route_by_hand(self, blue: int) -> None:
        self.twin.edit(Target(Weights(blue, 100 - blue)))
        self.by_hand = self.touched = True

    @rule()
    def journal_lost(self) -> None:
        self._happens("journal")

    @rule()
    def mends(self) -> None:
        mend(self.twin)

    @rule(minutes=st.sampled_from([1, 40, 600]))
    def passes(self, minutes: int) -> None:
        self.twin.sleep(60 * minutes)

    def _happens(self, what: str) -> None:  # noqa: C901, PLR0912 - a table of what may happen
        twin = self.twin
        match what:
            case "kill":
                raise Killed
            case "lost":
                raise ReleaseError("no answer in 5 s; try again")
            case "signal":
                if getattr(signal.getsignal(signal.SIGTERM), "__func__", None) is not Signals._on_signal:
                    raise Killed
                os.kill(os.getpid(), signal.SIGTERM)
            case "taken":
                twin.unlock()
            case "hand":
                twin.edit(Target(Weights(30, 70)))
                self.by_hand = self.touched = True
            case "journal":
                twin.journal.entries.clear()
                self.by_hand = self.forgotten = self.touched = True
                self.level = self.file.settings.schema.max  # as far as anybody knows
            case "hours":
                twin.clock += 6 * 3600
            case "figures":
                twin.tally_error = "no figures: the admin port does not answer"
            case "blind":
                twin.observe_error = "the admin port does not answer"
            case "load":
                twin.load_error = "no load: no tokens"
            case "few":
                twin.rate = 1
            case _:
                twin.dies(what.split(maxsplit=1)[0])

    # -- what must hold

    def _run(self, verb: Verb, *, alone: bool = True) -> None:
        twin = self.twin
        before, written_before = self._state(), len(twin.journal.entries)
        outcome: Done | BaseException
        try:
            outcome = do(twin, self.file, verb)
        except (ReleaseError, Killed) as exc:
            outcome = exc
        finally:
            twin.set_trap(None)
        assert twin.held is None, "the lock was not freed"
        if isinstance(outcome, Locked | Killed) or not alone:
            return
        if "Nothing was changed" in str(outcome) and len(twin.journal.entries) == written_before:  # nothing was overdue
            assert self._state() == before, f"something was changed: {outcome}"
        now = self._now()
        target = now.observed.route.target
        if isinstance(outcome, Done) and now.phase is Phase.IDLE and at_rest(now) and not now.drift:
            self.by_hand = self.forgotten = False
        if isinstance(outcome, Reverted):
            assert target.sole or self.by_hand, f"reverted, and {stands(now)}"
            refused = next((e.release for e in reversed(twin.journal.entries) if e.phase == "failed"), None)
            assert now.active.digest != refused, f"refused, and live: {stands(now)}"
        if isinstance(outcome, Interrupted | Reverted) and not self.by_hand:
            assert not (now.refused and target.has_users(now.beside.name)), (
                f"a refused release has users: {stands(now)}"
            )
        if isinstance(outcome, Done) and verb.name == "deploy" and not verb.to_preview and not self.by_hand:
            assert now.active.version == verb.version, stands(now)

    def _state(self) -> object:
        return (len(self.twin.calls), self.twin.current)

    def _now(self) -> Situation:
        """Where things stand, whatever is broken meanwhile."""
        clone = self.twin.clone()
        clone.observe_error = ""
        return engine.look(clone)

    @invariant()
    def holds(self) -> None:
        """No user is sent to a slot that cannot answer, one slot has all unless a shift is open, the journal agrees."""
        assert self.twin.wronged == []
        now = self._now()
        shown = written(self.twin.journal.entries)
        edited = bool(shown) and now.phase is not Phase.EMPTY and now.observed.route.target not in shown
        assert edited is bool(now.drift), f"{now.observed.route.target} is not in {shown}, and drift: {now.drift!r}"
        if not self.by_hand:
            assert now.drift == ""
            assert now.observed.route.target.sole or now.phase in (Phase.SHIFTING, Phase.EMPTY), stands(now)
        for slot in now.observed.slots.values():
            if not self.touched and slot.schema and slot.running and (slot is now.active or now.role is Role.WARM):
                assert slot.schema.max >= self.level, (
                    f"{slot.version} is {now.role} and the database is at {self.level}"
                )

    @invariant()
    def there_is_a_way_back(self) -> None:
        """One verb is enough to give all users to a slot that answers, as long as there is one that had users."""
        now = self._now()
        if at_rest(now) or self.forgotten or not can_serve(self.twin, now):
            return
        said = [stands(now)]
        for name in ("rollback", "abort", "resume"):
            clone = self.twin.clone()
            mend(clone)
            try:
                do(clone, self.file, Verb(name))
            except ReleaseError as exc:
                said.append(f"{type(exc).__name__}: {exc}")
            then = engine.look(clone)
            if then.observed.route.target.sole == then.active.name and then.active.ready:
                return
        raise AssertionError("\n".join(said))

    @invariant()
    def the_next_command_works(self) -> None:
        """Followed to its end, what the status says leads to rest: one slot has all users and answers them."""
        clone = self.twin.clone()
        mend(clone)
        said: list[str] = []
        for _ in range(VERBS_TO_REST):
            now = engine.look(clone)
            if at_rest(now):
                return
            if not can_serve(clone, now):
                return
            words = next_command(now)
            said.append(f"{stands(now)} | {words}")
            tries = named(words)
            for verb in tries:  # what one refuses to do, its own words lead on from
                try:
                    said.append(f"{verb.name}: {do(clone, self.file, verb).words}")
                    break
                except ReleaseError as exc:
                    said.append(f"{verb.name}: {type(exc).__name__}: {exc}")
                    if (then := engine.look(clone)).phase is not now.phase or then.observed != now.observed:
                        break
                    tries += [each for each in named(str(exc)) if each not in tries]
            else:
                raise AssertionError("\n".join(said))
        raise AssertionError("never at rest:\n" + "\n".join(said))


def mend(twin: Faulty) -> None:
    """What was broken by itself works again; slots that died stay dead."""
    twin.tally_error = twin.observe_error = twin.load_error = ""
    twin.rate = 1000


def written(entries: Sequence[Entry]) -> list[Target]:
    """What the route may show: the last write seen done, by its run or by the next one, and those begun since."""
    found: list[Target] = []
    for entry in entries:
        if entry.target is None:
            continue
        done = entry.phase == "adopt" or (entry.phase, entry.step) == ("done", "shift")
        if done or (entry.phase == "begin" and found in ([], [*found[:-1], entry.target])):
            found = [entry.target]
        elif (entry.phase, entry.step) == ("intent", "shift"):
            found.append(entry.target)
    return found


def can_serve(twin: Faulty, now: Situation) -> bool:
    """Whether a slot that is known to be good for users runs, and is or gets ready; if not, a deploy must come."""
    good = now.active if now.active.running else now.beside
    known = now.active.running or now.phase is Phase.SHIFTING or now.role is Role.WARM or bool(now.drift)
    return known and good.running and twin.behaviours[good.version].ready_s < math.inf


def at_rest(now: Situation) -> bool:
    """One slot has all users and answers, and nothing is under way."""
    return now.phase is Phase.EMPTY or (
        now.phase is Phase.IDLE and now.active.ready and now.observed.route.target.sole == now.active.name
    )


def named(words: str) -> list[Verb]:
    """The commands that a sentence names, in order."""
    found = re.findall(r"`primetrade release (\w+)(?: --to (\d+))?", words)
    return [Verb(name, version="next", percent=int(percent or 0)) for name, percent in found]


def test_whatever_happens_no_user_is_lost_and_the_next_command_works(file: ReleaseFile) -> None:
    staged = file.settings
    for override in STAGED[1:] + STAGED[:1]:
        staged = override_one(staged, override)
    Releases.files = (file, msgspec.structs.replace(file, settings=staged, digest="staged"))
    run = seed(SEED)(Releases)
    run_state_machine_as_test(
        run,
        settings=settings(max_examples=EXAMPLES, stateful_step_count=STEPS, database=None),
    )
