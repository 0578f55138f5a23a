"""One run of a verb: what its steps share, and how they are written down."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from scripts.release.errors import ReleaseError, RouteMoved
from scripts.release.file import ReleaseFile
from scripts.release.journal import Entry, Phase
from scripts.release.memory import BACK, remember
from scripts.release.notify import Event, Notice, Notifier
from scripts.release.platform import Platform
from scripts.release.route import Target, Weights
from scripts.release.signals import Signals
from scripts.release.slots import Observed, Range, Release
from scripts.release.step import Kind, Step
from slo.watch import Hold

OnEvent = Callable[[float, str, str, str], object]  # Unix seconds, a kind of loadtest.result.Event, label, detail


PATIENCE_S = 5.0  # for a platform that cannot be seen while users are brought back
RETRY_S = 0.2


class CutOver(msgspec.Struct, frozen=True):
    """When a switch was written and when probes on the users' route first saw it; Unix seconds."""

    weights: Weights
    written: float
    seen: float


def utc(at: float) -> str:
    """Unix seconds in ISO 8601, UTC, to the millisecond."""
    return dt.datetime.fromtimestamp(at, dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass
class Run:
    """The mutable part of a verb: the token of the route as this run last saw it, and what happened."""

    platform: Platform
    file: ReleaseFile
    verb: str
    id: str
    fence: int
    actor: str
    reason: str
    on_event: OnEvent
    on_step: Callable[[Step], object]
    token: str
    signals: Signals = field(default_factory=Signals)
    version: str = ""
    release: str = ""  # digest
    begun: bool = False
    moved: bool = False  # the route was written by this run
    written: float = 0.0  # Unix seconds of the last write of the route, or of the begin
    cut_overs: list[CutOver] = field(default_factory=list)
    verdicts: list[str] = field(default_factory=list)
    evidence: Hold | None = None  # against the release, from gate to gate; begins anew with every run
    until: float = math.inf  # Unix seconds; the deadline of the gate that watches users now, as journaled
    notifier: Notifier | None = None

    def note(  # noqa: PLR0913 - an entry has as many parts
        self,
        phase: Phase,
        step: Step | None = None,
        *,
        outcome: str = "",
        words: str = "",
        name: str = "",
        until: float | None = None,
        target: Target | None = None,
        plan: tuple[Step, ...] = (),
        spec: Release | None = None,
        schema: Range | None = None,
        level: int | None = None,
    ) -> None:
        """Append an entry to the journal; it is on disk when this returns."""
        at = self.platform.now()
        entry = Entry(
            at=at,
            time=utc(at),
            run=self.id,
            fence=self.fence,
            verb=self.verb,
            actor=self.actor,
            phase=phase,
            reason=self.reason,
            step=step.kind if step else "",
            name=name,
            slot=step.slot if step else "",
            version=self.version,
            release=self.release,
            file=self.file.digest,
            target=step.target if step else target,
            plan=plan,
            spec=spec,
            schema=schema,
            level=level,
            outcome=outcome,
            words=words,
            until=at + self.file.settings.warm if step and step.kind is Kind.WARM else until,
        )
        self.platform.journal.append(entry)

    @property
    def level(self) -> int | None:
        """What every slot with users must work with: the level expand leads to, or a higher one that contract left.

        On the way back only the level that the database has counts, where it is known.
        """
        found = remember(self.platform.journal.read()).level
        return found if self.verb in BACK else max(self.file.settings.schema.max, found or 0)

    def tell(self, event: Event, words: str = "", *, outcome: str = "", slot: str = "", target: str = "") -> None:
        """Notify the receivers of release.yaml; waits for nobody."""
        if self.notifier:
            notice = Notice(
                event=event,
                service=self.file.settings.service,
                platform=self.platform.name,
                verb=self.verb,
                run=self.id,
                version=self.version,
                slot=slot,
                actor=self.actor,
                reason=self.reason,
                target=target,
                outcome=outcome,
                words=words,
                time=utc(self.platform.now()),
            )
            self.notifier.send(notice)

    def event(self, kind: str, label: str, detail: str = "", at: float | None = None) -> None:
        """Tell the caller that something happened to the system."""
        self.on_event(self.platform.now() if at is None else at, kind, label, detail)

    def seen(self) -> Observed:
        """The platform now, whoever moved the route. On the way back one blip is no reason to stop half-way."""
        deadline = self.platform.now() + (PATIENCE_S if self.verb in BACK else 0)
        while True:
            try:
                return self.platform.observe()
            except ReleaseError:
                if self.platform.now() >= deadline:
                    raise
            self.platform.sleep(RETRY_S)

    def observe(self) -> Observed:
        """The platform now. Raises RouteMoved when the route is not as this run left it."""
        seen = self.seen()
        if seen.route.token != self.token:
            raise RouteMoved(
                f"the route changed under this run: it says {seen.route.target}"
                + (f", written by run {seen.route.run}" if seen.route.run not in ("", self.id) else "")
            )
        return seen
