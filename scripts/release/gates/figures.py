"""Users' requests from look to look, read from a source that may be down, slow, or wrong about one slot."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass

from scripts.release.errors import ReleaseError
from scripts.release.gates.aside import aside, ended
from scripts.release.slots import Tally

WAIT_S = 0.5  # for the source at each look; what comes later is taken at the next one
QUIET_S = 3.0  # without a request, before anything is made of it
DUE = 10  # requests that would have come meanwhile: that none did is no chance then

Counts = Mapping[str, Tally]


@dataclass
class _Pulse:
    """Whether a slot's counters move. Times are Unix seconds."""

    begun: float
    moved: float
    answered: int = 0

    def beat(self, requests: int, at: float) -> None:
        self.answered += requests
        self.moved = at if requests else self.moved

    def trouble(self, slot: str, at: float) -> str:
        quiet = at - self.moved
        if quiet < QUIET_S:
            return ""
        if not self.answered:
            return f"{slot} answered none of the users' requests in {quiet:.0f} s"
        pace = self.answered / (self.moved - self.begun)
        still = f"the figures of {slot} stand still for {quiet:.0f} s, after {pace:.0f} requests a second before"
        newer = f"no gate passes on figures older than {QUIET_S:g} s (from Prometheus: have it scrape more often)"
        return f"{still}: are they stale? {newer}" if pace * quiet >= DUE else ""


class Figures:
    """The counts of the slots that are judged. They only grow, so a missed look loses nothing."""

    def __init__(self, read: Callable[[], Counts], slots: tuple[str, ...], *, latency: bool) -> None:
        self.read, self.slots, self.latency = read, slots, latency
        self.first: Counts | None = None  # as they were when the window opened
        self.trouble = "there are no figures yet"  # at the last look: why they cannot be relied on
        self._last: Counts = {}
        self._call: Future[Counts] | None = None
        self._called = 0.0
        self._pulses: dict[str, _Pulse] = {}
        self._told: set[str] = set()  # slots that tell a latency, or did

    def look(self, at: float) -> Counts | None:
        """What each slot answered since the last good look; None where that is not known. `at` is in Unix seconds."""
        try:
            now = self._read(at)
        except ReleaseError as exc:
            self.trouble = str(exc)
            return None
        if now is None:
            self.trouble = f"the source of figures has not answered for {at - self._called:.0f} s"
            return None
        if missing := [name for name in self.slots if name not in now]:
            known = f", only of {', '.join(sorted(now))}" if now else ""
            self.trouble = f"the figures tell nothing of {' and '.join(missing)}{known}: are their labels right?"
            return None
        last, self._last = self._last, now
        if self.first is None:
            self.first, self.trouble = now, ""
            self._pulses = {name: _Pulse(at, at) for name in self.slots}
            return None
        if anew := [name for name in self.slots if _began_anew(last[name], now[name])]:
            self.trouble = f"the counters of {' and '.join(anew)} began anew"
            return None
        block = {name: now[name].since(last[name]) for name in self.slots}
        for name, pulse in self._pulses.items():
            pulse.beat(block[name].requests, at)
        self.trouble = self._unreliable(now, at)
        return block

    def _read(self, at: float) -> Counts | None:
        """The counts, or None while the source has not answered; it is never asked twice at a time."""
        late = self._call is not None
        if self._call is None:
            self._call, self._called = aside(self.read), at
        if not ended(self._call, 0 if late else WAIT_S):
            return None
        call, self._call = self._call, None
        return call.result()

    def _unreliable(self, now: Counts, at: float) -> str:
        for name, pulse in self._pulses.items():
            if still := pulse.trouble(name, at):
                return still
        self._told |= {name for name in self.slots if now[name].slow is not None}
        silent = [name for name in self.slots if now[name].slow is None]
        if self.latency and silent and self._told:
            return f"{' and '.join(silent)} tells no latency to compare with {' and '.join(sorted(self._told))}"
        return ""


def _began_anew(last: Tally, now: Tally) -> bool:
    return now.requests < last.requests or now.failed < last.failed
