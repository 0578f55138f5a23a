"""Notifications of a release, to webhooks and commands. No receiver holds a release up, whatever it does.

A webhook gets one POST with one JSON object, a command the same object on its stdin:

    {"event": "gate-failed", "service": "shop", "platform": "local", "verb": "deploy", "run": "r1", "version": "1.1.0",
     "slot": "green", "actor": "ann@laptop", "reason": "ticket 7", "target": "blue 50 %, green 50 %",
     "outcome": "fail", "words": "12 of 300 requests failed", "time": "2026-01-01T00:00:00.000Z",
     "text": "shop 1.1.0 (deploy): a gate refused it: 12 of 300 requests failed; blue 50 %, green 50 %"}

Every key is always there, and "" where the event has nothing to say; chat services show `text`. After a broken
connection a webhook is asked once more, so it may get a notice twice: run, event and time together are the same then.
"""

from __future__ import annotations

import re
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from scripts.release import secret, webhook
from scripts.release.external import run_command
from slo.yamlfile import Duration

MOST: Final = 100  # notices that wait for one receiver; a release has about ten
_HEADER = r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"


class Event(StrEnum):
    """What can be heard of a release."""

    STARTED = "started"
    WAITING = "waiting"  # for approval
    GATE_FAILED = "gate-failed"
    GATE_INCONCLUSIVE = "gate-inconclusive"
    PROMOTED = "promoted"
    REVERTED = "reverted"  # by the engine itself
    ROLLED_BACK = "rolled-back"  # by a person
    ERROR = "error"  # this and the next: how a run ended
    INTERRUPTED = "interrupted"


SAYS: Final = {
    Event.STARTED: "started",
    Event.WAITING: "waits for approval",
    Event.GATE_FAILED: "a gate refused it",
    Event.GATE_INCONCLUSIVE: "a gate cannot decide",
    Event.PROMOTED: "has all users",
    Event.REVERTED: "was taken back",
    Event.ROLLED_BACK: "was rolled back by hand",
    Event.ERROR: "ended with an error",
    Event.INTERRUPTED: "was interrupted",
}


class Receiver(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Who is told of what: one of `webhook` and `run`."""

    webhook: str = ""  # an address; it and the values of the headers may hold ${NAME}, taken from the environment
    run: tuple[str, ...] = ()  # {python} stands for this interpreter; RELEASE_EVENT and more are in its environment
    events: Annotated[tuple[Event, ...], Meta(min_length=1)] = tuple(Event)  # not `on`, which YAML reads as true
    timeout: Duration = msgspec.field(default_factory=lambda: Duration(5))
    headers: dict[Annotated[str, Meta(pattern=_HEADER)], str] = {}

    def __post_init__(self) -> None:
        if bool(self.webhook) == bool(self.run):
            raise ValueError("webhook: give either webhook, an address, or run, a command, and not both")
        if self.headers and self.run:
            raise ValueError("headers: a command gets none; it has this environment, so its secrets can stand there")
        if self.timeout <= 0:
            raise ValueError("timeout: nothing is delivered in no time; give one such as 5s")
        if self.webhook and "${" not in self.webhook and (problem := webhook.unusable(self.webhook)):
            raise ValueError(f"webhook: {problem}")

    @property
    def shown(self) -> str:
        """As messages name it: without the path of the address, which is a secret in most chat services."""
        if self.run:
            return self.run[0]
        host = re.match(r"(?:https?://)?[^/?#]*", self.webhook)
        return host[0] if host and "@" not in host[0] else "the webhook"

    def lacking(self, env: Mapping[str, str]) -> tuple[str, ...]:
        """What `env` would have to hold, each in a sentence that begins with the key; nothing secret is told."""
        texts = {"webhook": self.webhook} | {f"headers.{name}": text for name, text in self.headers.items()}
        found = tuple(words for key, text in texts.items() for words in secret.lacking(key, text, env))
        if self.run or found:
            return found
        problem = webhook.unusable(secret.fill(self.webhook, env))
        return (f"webhook: {problem}",) if problem else ()


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """One event of a release. `time` is ISO 8601, UTC; `target` says in words who has the users now."""

    event: Event
    service: str
    platform: str
    verb: str
    run: str
    version: str = ""
    slot: str = ""
    actor: str
    reason: str = ""
    target: str = ""
    outcome: str = ""
    words: str = ""
    time: str

    @property
    def text(self) -> str:
        """One line for people."""
        name = f"{self.service} {self.version}".strip()
        said = f"{name} ({self.verb} by {self.actor}): {SAYS[self.event]}"
        said += f": {self.words}" if self.words else ""
        return said + (f"; {self.target}" if self.target else "")

    def payload(self) -> bytes:
        """The JSON object that receivers get."""
        return msgspec.json.encode({**msgspec.structs.asdict(self), "text": self.text})

    def variables(self) -> dict[str, str]:
        """What a command finds in its environment beside the object on its stdin."""
        told = ("event", "service", "platform", "verb", "run", "version", "slot", "outcome", "text")
        return {f"RELEASE_{name.upper()}": str(getattr(self, name)).replace("\0", "") for name in told}


def missing(receivers: Sequence[Receiver], env: Mapping[str, str]) -> tuple[str, ...]:
    """What keeps receivers from being told, each in a sentence with its key; empty when `env` has all they need."""
    return tuple(f"notify[{at}].{words}" for at, receiver in enumerate(receivers) for words in receiver.lacking(env))


class Notifier:
    """Tells receivers, each on a thread of its own and in order; `send` never waits and never raises."""

    def __init__(self, receivers: Sequence[Receiver], env: Mapping[str, str]) -> None:
        self._lines = [_Line(receiver, env) for receiver in receivers]

    def send(self, notice: Notice) -> None:
        """Queue a notice for everybody who wants to hear of it."""
        for line in self._lines:
            if notice.event in line.receiver.events:
                line.put(notice)

    def close(self, limit_s: float = 3.0) -> tuple[str, ...]:
        """Wait at most `limit_s` for what is queued; what was not delivered, a sentence each. Then nothing is sent."""
        deadline = time.monotonic() + limit_s
        return tuple(words for line in self._lines for words in line.close(deadline))


class _Line:
    """The notices on their way to one receiver."""

    def __init__(self, receiver: Receiver, env: Mapping[str, str]) -> None:
        self.receiver, self.env = receiver, env
        self.waiting: deque[Notice] = deque()  # the first one is being delivered
        self.lost: list[str] = []
        self.closing = False
        self.changed = threading.Condition()
        threading.Thread(target=self._work, daemon=True, name=f"notify {receiver.shown}").start()

    def put(self, notice: Notice) -> None:
        with self.changed:
            if self.closing or len(self.waiting) >= MOST:
                self._lose(notice, "too many wait before it")
            else:
                self.waiting.append(notice)
                self.changed.notify_all()

    def close(self, deadline: float) -> list[str]:
        with self.changed:
            self.closing = True
            self.changed.notify_all()
            self.changed.wait_for(lambda: not self.waiting, max(0.0, deadline - time.monotonic()))
            for notice in self.waiting:
                self._lose(notice, "the run ended before it was taken")
            self.waiting.clear()
            return self.lost

    def _work(self) -> None:
        while notice := self._next():
            try:
                why = self._deliver(notice)
            except Exception as exc:  # noqa: BLE001 - a line that ends silently would lose the rest; a text may be secret
                why = f"{type(exc).__name__} on the way"
            with self.changed:
                if self.waiting:  # else it was given up by `close`, and is told there
                    self.waiting.popleft()
                    if why:
                        self._lose(notice, why)
                self.changed.notify_all()

    def _next(self) -> Notice | None:
        with self.changed:
            self.changed.wait_for(lambda: self.waiting or self.closing)
            return self.waiting[0] if self.waiting else None

    def _deliver(self, notice: Notice) -> str:
        """Why it was not taken, or ""."""
        receiver, limit_s = self.receiver, self.receiver.timeout
        if receiver.run:
            code = run_command(receiver.run, notice.variables(), limit_s, given=notice.payload()).code
            return "" if code == 0 else f"killed after {limit_s:g} s" if code is None else f"it ended with {code}"
        if lacks := receiver.lacking(self.env):
            return lacks[0]
        headers = {name: secret.fill(text, self.env) for name, text in receiver.headers.items()}
        return webhook.post(secret.fill(receiver.webhook, self.env), headers, notice.payload(), limit_s)

    def _lose(self, notice: Notice, why: str) -> None:
        self.lost.append(f"{self.receiver.shown} was not told of {notice.event} ({notice.time}): {why}")
