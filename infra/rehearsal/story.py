"""What a rehearsal plays, scene by scene, and what it expects of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from infra.plan.graph import Graph
from infra.rehearsal.change import Change
from infra.rehearsal.engine import Engine, Outcome
from infra.rehearsal.order import deleted_early, made_early
from infra.rehearsal.world import World

READ: Final = "read"  # what another stack exports
NAMED: Final = 4  # so many resources are named, the others are counted
CHANGES: Final = {"replace": "replaced", "update": "updated", "create": "new", "delete": "deleted"}


class Scene(msgspec.Struct, frozen=True):
    """One operation of the engine, and whether it went as expected."""

    name: str
    words: str
    seconds: float
    wrong: tuple[str, ...] = ()


class Story:
    """The scenes of one stack; each expects what the ones before it have left."""

    def __init__(self, engine: Engine, world: World, graph: Graph, change: Change) -> None:
        self._engine, self._world, self._graph, self._change = engine, world, graph, change

    def scenes(self) -> Iterator[Scene]:
        """Play them; those after one that went wrong are left out."""
        protected = any(each.protect for each in self._graph.made)
        for name, play in {
            "preview": self._preview,
            "up": self._up,
            **({"up again": self._up_again} if self._world.fault else {}),
            "same": self._same,
            "change": self._changed,
            **({"refused": self._refused} if protected else {}),
            "destroy": self._destroy,
        }.items():
            scene = play(name)
            yield scene
            if scene.wrong:
                return

    def _preview(self, name: str) -> Scene:
        outcome = self._engine.preview()
        planned = {each.name for each in self._graph.resources}
        found = {step.name for step in outcome.of("create", READ)}
        astray = [f"{each}: only one of plan and engine has it" for each in sorted(planned ^ found)]
        return _scene(
            name, outcome, f"{len(found)} would be made, the plan's", outcome.errors or (*astray, *self._did(0))
        )

    def _up(self, name: str) -> Scene:
        outcome = self._engine.up()
        if not self._world.fault:
            return self._all_made(name, outcome)
        refusal = next((call.refused for call in self._world.calls if call.refused), "")
        wrong = () if refusal else ("the fault never came: give the number of a create that there is",)
        return _scene(name, outcome, f"stopped with {len(self._world.things)} made: {refusal}", wrong)

    def _up_again(self, name: str) -> Scene:
        return self._all_made(name, self._engine.up())

    def _all_made(self, name: str, outcome: Outcome) -> Scene:
        made = [call.name for call in self._world.calls if call.verb == "create" and not call.refused]
        twice = [f"{each} was made twice" for each in sorted(set(made)) if made.count(each) > 1]
        words = f"{len(self._world.things)} are there, each made after what it needs"
        return _scene(name, outcome, words, (*outcome.errors, *twice, *made_early(self._world.calls, self._graph)))

    def _same(self, name: str) -> Scene:
        before = len(self._world.calls)
        outcome = self._engine.up()
        moved = [
            f"{step.op} {step.name}; nothing is expected to change"
            for step in outcome.steps
            if step.op not in ("same", READ)
        ]
        words = f"{len(outcome.of('same'))} stay as they are"
        return _scene(name, outcome, words, (*outcome.errors, *moved, *self._did(before)))

    def _changed(self, name: str) -> Scene:
        before = len(self._world.calls)
        self._engine.configure(self._change.setting)
        outcome = self._engine.preview()
        said = [
            f"{len(found)} {word} ({named([step.name for step in found])})"
            for op, word in CHANGES.items()
            if (found := outcome.of(op))
        ]
        refused = [f"the engine refuses: {words}" for words in outcome.errors]
        words = "; ".join([*said, *refused]) or "nothing would change"
        return _scene(name, outcome, f"with {self._change.words}: {words}", self._did(before))

    def _refused(self, name: str) -> Scene:
        before = len(self._world.calls)
        outcome = self._engine.preview_destroy()
        kept = {each.name for each in self._graph.made if each.protect}
        named_in = [each for each in kept if any(each in words for words in outcome.errors)]
        wrong = () if named_in else (f"the engine would delete {named(sorted(kept))}, which are protected",)
        gone = len(outcome.of("delete"))
        words = f"refused for {named(sorted(named_in))}; without its preview {gone} would go before that"
        return _scene(name, outcome, words, (*wrong, *self._did(before)))

    def _destroy(self, name: str) -> Scene:
        self._engine.unprotect()
        self._world.guards = False  # on AWS `primetrade infra teardown` lifts deletion protection
        outcome = self._engine.destroy()
        left = sorted(each.name for each in self._world.things.values())
        words = f"{len(outcome.of('delete'))} deleted, each before what it needs"
        return _scene(
            name,
            outcome,
            words,
            (
                *outcome.errors,
                *([f"left: {named(left)}"] if left else []),
                *deleted_early(self._world.calls, self._graph),
            ),
        )

    def _did(self, before: int) -> tuple[str, ...]:
        """What was asked of the stand-in when nothing should have been."""
        return tuple(f"{call.verb} {call.name}, which nobody wanted" for call in self._world.calls[before:])


def _scene(name: str, outcome: Outcome, words: str, wrong: Sequence[str] = ()) -> Scene:
    return Scene(name, words, round(outcome.seconds, 2), tuple(wrong))


def named(names: Sequence[str]) -> str:
    """A few of the names, and how many more there are."""
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")
