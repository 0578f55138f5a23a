"""Whether a slot is there at all: looked at beside the figures, which may be late, or silent about a dead one."""

from __future__ import annotations

from scripts.release.errors import ReleaseError, RouteMoved
from scripts.release.judge import Verdict
from scripts.release.run import Run
from scripts.release.slots import Request
from slo.objective import Outcome

ILL_LOOKS = 3  # in a row: one late probe on a busy machine is not a verdict


class Health:
    """A slot that lets every request wait counts no failure; it is found by what it answers to a probe."""

    def __init__(self, run: Run, slot: str) -> None:
        self.run, self.slot = run, slot
        self.trouble = ""  # at the last look: what is wrong, or why nobody can tell
        self.ill = 0  # looks in a row

    def look(self) -> Verdict | None:
        """A refusal where the slot is gone, or was ill so many looks in a row. Raises RouteMoved."""
        unseen = ""
        try:
            slot = self.run.observe().slots[self.slot]
            if not slot.running:
                return Verdict(Outcome.FAIL, f"{slot.name} is not running any more")
            if not slot.ready:
                return self._judged(f"{slot.name} is not ready any more", ill=True)
        except RouteMoved:
            raise
        except ReleaseError as exc:
            unseen = str(exc)
        probe = Request(path=self.run.file.settings.artefact.probes.traffic)
        answer = self.run.platform.ask(probe, self.slot)
        if answer.status == probe.expect or (
            unseen and not answer.status
        ):  # nothing is seen at all: it may be the edge
            return self._judged(unseen, ill=False)
        return self._judged(f"{self.slot} answers {probe.path} with {answer.status or answer.body}", ill=True)

    def _judged(self, trouble: str, *, ill: bool) -> Verdict | None:
        self.trouble, self.ill = trouble, self.ill + 1 if ill else 0
        return Verdict(Outcome.FAIL, trouble) if self.ill == ILL_LOOKS else None
