"""Fault switches for rehearsals: they act on the traffic port only, and only where FAULTS_ENABLED=1."""

from __future__ import annotations

import random
import time
from typing import Annotated

import msgspec
from msgspec import Meta

from app.problems import Problem
from app.settings import Settings


class Switches(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to break: a share of answers, milliseconds to add, readiness, all answers."""

    error_share: Annotated[float, Meta(ge=0, le=1)] = 0.0
    latency_ms: Annotated[float, Meta(ge=0, le=60_000)] = 0.0
    unready: bool = False
    hang: bool = False


NONE = Switches()


class Faults:
    """The switches as they are now; `switches` is replaced whole."""

    def __init__(self, settings: Settings) -> None:
        self.enabled = settings.faults_enabled
        self.switches = NONE
        if self.enabled:
            self.switches = Switches(
                settings.fault_error_share, settings.fault_latency_ms, settings.fault_unready, settings.fault_hang
            )

    def apply(self) -> None:
        """Do to a request what the switches say. Raises Problem for the share that is to fail."""
        if self.switches is NONE:
            return
        while self.switches.hang:
            time.sleep(0.05)
        if self.switches.latency_ms:
            time.sleep(self.switches.latency_ms / 1000)
        if random.random() < self.switches.error_share:  # noqa: S311  # chance, not a secret
            raise Problem("fault-injected")
