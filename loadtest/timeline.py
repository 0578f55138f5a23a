"""The phases of a run in seconds from its start; steady may go on until somebody says that it is over."""

from __future__ import annotations

import math

from loadtest.profile import Profile
from loadtest.recording import Phase


class Timeline:
    """Warm-up, steady, cool-down. All steady blocks are whole seconds, unless the run is cut off."""

    def __init__(self, profile: Profile, *, extended: bool) -> None:
        self.steady_start = float(profile.warmup_s)
        self._earliest = self.steady_start + profile.steady_s
        longest = max(profile.max_steady_s, profile.steady_s) if extended else profile.steady_s
        self.steady_end = self.steady_start + longest
        self.end = self.steady_end + profile.cooldown_s
        self._cooldown_s = profile.cooldown_s

    def finish_steady(self, now: float) -> None:
        """Let steady end at the next whole second, though not before its stated length."""
        self.steady_end = min(self.steady_end, max(self._earliest, math.ceil(now)))
        self.end = self.steady_end + self._cooldown_s

    def cut(self, now: float) -> None:
        """End everything now."""
        self.end = min(self.end, now)
        self.steady_end = min(self.steady_end, self.end)

    def judged(self, intended: float) -> bool:
        """Whether a request due then counts for the verdict."""
        return self.steady_start <= intended < self.steady_end

    def phase(self, intended: float) -> str:
        """The name of the phase that a request due then belongs to."""
        if intended < self.steady_start:
            return "warmup"
        return "steady" if intended < self.steady_end else "cooldown"

    def phases(self) -> tuple[Phase, ...]:
        """The phases that took place."""
        start = min(self.steady_start, self.end)
        phases = (
            Phase("warmup", 0.0, start),
            Phase("steady", start, max(start, self.steady_end)),
            Phase("cooldown", max(start, self.steady_end), self.end),
        )
        return tuple(p for p in phases if p.end > p.start)
